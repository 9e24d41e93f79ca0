package resolvers

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	gql "github.com/vektah/gqlparser/v2/ast"
)

const writtenFile = "../graph/generated/written.gen.go"

// TestWrittenTypesKeepTheirGuards: what the schema guards is guarded too where types write themselves. A field is executed in the ordinary
// way, or @requires is decided with its selection, or the field's value goes through its directives.
func TestWrittenTypesKeepTheirGuards(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(writtenFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range unguarded(t, load(t, schemaText(t)), string(source)) {
		t.Error(problem)
	}
	for _, guard := range []string{"ec.Directives.Visible(ctx, obj, next0)", "ec.Directives.Requires(ctx, nil, next, ", "ec.Directives.Requires(ctx, obj, next0, "} {
		if !strings.Contains(string(source), guard) {
			t.Fatalf("no field is guarded by %s", guard)
		}
		sabotaged := strings.Replace(string(source), guard, "next(", 1)
		if strings.HasSuffix(guard, "next0)") {
			sabotaged = strings.Replace(string(source), guard, "next0(ctx)", 1)
		}
		if len(unguarded(t, load(t, schemaText(t)), sabotaged)) == 0 {
			t.Errorf("a field without %s is not noticed", guard)
		}
	}
}

// unguarded gives the fields whose guards are missing in generated code.
func unguarded(t *testing.T, schema *gql.Schema, source string) []string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, writtenFile, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			bodies[f.Name.Name] = source[files.Position(f.Body.Pos()).Offset:files.Position(f.Body.End()).Offset]
		}
	}
	var problems []string
	for _, def := range schema.Types {
		if def.Kind != gql.Object || strings.HasPrefix(def.Name, "__") || bodies["plan"+def.Name] == "" {
			continue
		}
		for _, f := range def.Fields {
			problems = append(problems, missingGuards(def, f, bodies)...)
		}
	}
	return problems
}

func missingGuards(def *gql.Definition, f *gql.FieldDefinition, bodies map[string]string) []string {
	_, plan, found := strings.Cut(bodies["plan"+def.Name], fmt.Sprintf("case %q:", f.Name))
	if !found {
		return []string{def.Name + "." + f.Name + " has no plan"}
	}
	plan, _, _ = strings.Cut(plan, "case \"")
	if strings.Contains(plan, "f.Execute = true") {
		return nil
	}
	name := def.Name + "_" + f.Name
	each := ""
	if strings.Contains(bodies["write"+name], "ec.guarded"+name+"(") {
		each = bodies["guarded"+name]
	}
	var problems []string
	if f.Directives.ForName("visible") != nil && !strings.Contains(each, "ec.Directives.Visible(") {
		problems = append(problems, def.Name+"."+f.Name+" is written without @visible")
	}
	if f.Directives.ForName("requires") != nil && !strings.Contains(plan+each, "ec.Directives.Requires(") {
		problems = append(problems, def.Name+"."+f.Name+" is written without @requires")
	}
	return problems
}
