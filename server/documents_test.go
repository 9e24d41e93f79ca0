package server_test

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// schema reads the schema, so that tables over its fields miss none that is new.
var schema = sync.OnceValue(func() *ast.Schema {
	text, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		panic(err)
	}
	return gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(text)})
})

// rootFields gives the fields of the roots by name, without those of introspection.
func rootFields(roots ...*ast.Definition) map[string]*ast.FieldDefinition {
	fields := map[string]*ast.FieldDefinition{}
	for _, root := range roots {
		for _, f := range root.Fields {
			if !strings.HasPrefix(f.Name, "__") {
				fields[f.Name] = f
			}
		}
	}
	return fields
}

// document writes an operation that asks a root field for nothing but the name of its type, with arguments that break no
// rule and name nothing that is there.
func document(t testing.TB, f *ast.FieldDefinition) string {
	t.Helper()
	kind, args := "query", []string{}
	if schema().Mutation.Fields.ForName(f.Name) == f {
		kind = "mutation"
	}
	for _, a := range f.Arguments {
		if a.Type.NonNull {
			args = append(args, a.Name+": "+value(t, a.Name, a.Type, a.Directives))
		}
	}
	list := ""
	if len(args) > 0 {
		list = "(" + strings.Join(args, ", ") + ")"
	}
	return kind + " { " + f.Name + list + " { __typename } }"
}

func value(t testing.TB, name string, typ *ast.Type, directives ast.DirectiveList) string {
	t.Helper()
	rule := map[string]string{}
	if d := directives.ForName("constraint"); d != nil {
		for part := range strings.SplitSeq(d.Arguments.ForName("rule").Value.Raw, ",") {
			tag, parameter, _ := strings.Cut(part, "=")
			rule[tag] = parameter
		}
	}
	if typ.Elem != nil {
		return "[" + value(t, name, typ.Elem, nil) + "]"
	}
	def := schema().Types[typ.NamedType]
	switch {
	case def.Kind == ast.Enum:
		return def.EnumValues[0].Name
	case def.Kind == ast.InputObject && def.Directives.ForName("oneOf") != nil && def.Fields.ForName("role") != nil:
		return "{role: REPORTING}"
	case def.Kind == ast.InputObject:
		var fields []string
		for _, f := range def.Fields {
			if f.Type.NonNull && f.DefaultValue == nil {
				fields = append(fields, f.Name+": "+value(t, f.Name, f.Type, f.Directives))
			}
		}
		return "{" + strings.Join(fields, ", ") + "}"
	}
	return scalarValue(t, name, def.Name, rule)
}

func scalarValue(t testing.TB, name, typ string, rule map[string]string) string {
	t.Helper()
	least, _ := strconv.Atoi(rule["min"])
	_, email := rule["email"]
	switch typ {
	case "ID":
		return `"nonsense"`
	case "Int", "Int64":
		return strconv.Itoa(least)
	case "Decimal":
		return `"0.5"`
	case "Boolean":
		return "true"
	case "DateTime":
		return strconv.Quote(inAnHour())
	case "CurrencyCode":
		return `"EUR"`
	case "String":
		if email {
			return strconv.Quote(address())
		}
		return strconv.Quote(strings.Repeat("x", max(least, 1)))
	}
	t.Fatalf("%s: no value of the type %s is known here", name, typ)
	return ""
}
