// Package plugin generates types that write themselves, for gqlgen.
package plugin

import (
	_ "embed"
	"fmt"
	"go/format"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/config"
	"github.com/99designs/gqlgen/codegen/templates"
	"github.com/vektah/gqlparser/v2/ast"
)

//go:embed written.gotpl
var template string

// Plugin writes the file written.gen.go beside gqlgen's own, and makes these use it.
type Plugin struct {
	// Once tells which directives look at the caller only, so that one answer holds for all objects of a selection. Others are asked
	// for each object.
	Once func(*codegen.Directive) bool
}

// Name is that of the plugin.
func (*Plugin) Name() string { return "selfwriting" }

// GenerateCode writes the code.
func (p *Plugin) GenerateCode(data *codegen.Data) error {
	b := &build{Plugin: p, data: data}
	for _, o := range data.Objects {
		if !o.Root && !strings.HasPrefix(o.Name, "__") && o.Kind == ast.Object {
			b.Objects = append(b.Objects, b.object(o))
		}
	}
	return templates.Render(templates.Options{PackageName: data.Config.Exec.Package, Filename: filepath.Join(data.Config.Exec.Dir(), "written.gen.go"),
		Data: b, GeneratedHeader: true, Packages: data.Config.Packages, Template: template})
}

// build is what the template reads.
type build struct {
	*Plugin
	data    *codegen.Data
	Objects []object
}

type object struct {
	*codegen.Object
	Fields []field
}

type field struct {
	*codegen.Field
	Number int
	Plain  bool                 // a field of a struct, or a method without context and error
	Once   []*codegen.Directive // decided once for a selection
	Each   []*codegen.Directive // asked for each object
}

func (b *build) object(o *codegen.Object) object {
	result := object{Object: o}
	for i, f := range o.Fields {
		next := field{Field: f, Number: i + 1, Plain: plain(f)}
		for _, d := range f.ImplDirectives() {
			if b.Once(d) {
				next.Once = append(next.Once, d)
			} else {
				next.Each = append(next.Each, d)
			}
		}
		result.Fields = append(result.Fields, next)
	}
	return result
}

func plain(f *codegen.Field) bool {
	if f.IsResolver || f.IsBatch() || len(f.Args) > 0 || f.HasHaser || f.TypeReference.IsRoot {
		return false
	}
	r := f.TypeReference
	if r.IsPtrToSlice() || r.IsPtrToPtr() || r.IsPtrToIntf() || r.IsMap() || r.IsSlice() && r.Elem().IsSlice() && !leaf(r) {
		return false
	}
	return f.IsVariable() || f.IsMethod() && f.NoErr && !f.VOkFunc && !f.MethodHasContext
}

// Value is how the field's value is read.
func (f field) Value() string {
	if f.IsMethod() {
		return f.GoReceiverName + "." + f.GoFieldName + "()"
	}
	return f.GoReceiverName + "." + f.GoFieldName
}

// Short reports whether a line or two write the field: a scalar without directives to ask.
func (f field) Short() bool {
	return f.Plain && len(f.Each) == 0 && leaf(f.TypeReference) && !f.TypeReference.IsSlice()
}

func leaf(r *config.TypeReference) bool { return r.Definition.IsLeafType() }

// Composite reports whether the field has a selection.
func (f field) Composite() bool { return !leaf(f.TypeReference) }

// Abstract reports whether the field's objects are of several types.
func (f field) Abstract() bool { return f.TypeReference.Definition.IsAbstractType() }

// Call is the call of a directive for an object (or for none) with the next step.
func (b *build) Call(d *codegen.Directive, object, next string) string {
	args := []string{"ctx", object, next}
	for _, a := range d.Args {
		args = append(args, a.VarName)
	}
	return d.CallPath() + "(" + strings.Join(args, ", ") + ")"
}

// Possible are the types of objects that a field of an abstract type may have.
func (b *build) Possible(r *config.TypeReference) []*codegen.Object {
	var list []*codegen.Object
	for _, o := range b.data.Objects {
		for _, d := range b.data.Schema.GetPossibleTypes(r.Definition) {
			if d.Name == o.Name {
				list = append(list, o)
			}
		}
	}
	return list
}

// Write is the statement that appends a scalar or enum: v, of the Go type of r, which is not nil.
func (b *build) Write(r *config.TypeReference, v string) string {
	if r.IsPtr() {
		return b.Write(r.Elem(), "(*"+v+")")
	}
	if r.IsMarshaler {
		if r.IsContext {
			return "w.Marshal(graphql.WrapContextMarshaler(f.Context, " + v + "))"
		}
		if method(r.GO, "AppendGQL") {
			return "w.B = " + v + ".AppendGQL(w.B)"
		}
		return "w.Marshal(" + v + ")"
	}
	if r.HasEnumValues() || r.Marshaler == nil || r.IsContext {
		return fmt.Sprintf("w.Marshal(ec.%s(f.Context, nil, %s))", r.MarshalFunc(), v)
	}
	if r.CastType != nil {
		v = templates.CurrentImports.LookupType(r.CastType) + "(" + v + ")"
	}
	switch name := r.Marshaler.FullName(); name {
	case "github.com/99designs/gqlgen/graphql.MarshalString":
		return "w.String(" + v + ")"
	case "github.com/99designs/gqlgen/graphql.MarshalBoolean":
		return "w.Bool(" + v + ")"
	case "github.com/99designs/gqlgen/graphql.MarshalInt", "github.com/99designs/gqlgen/graphql.MarshalInt64":
		return "w.Int(int64(" + v + "))"
	}
	pkg := r.Marshaler.Pkg()
	appender := "Append" + strings.TrimPrefix(r.Marshaler.Name(), "Marshal")
	name := templates.CurrentImports.Lookup(pkg.Path())
	if pkg.Scope().Lookup(appender) != nil {
		return fmt.Sprintf("w.B = %s.%s(w.B, %s)", name, appender, v)
	}
	return fmt.Sprintf("w.Marshal(%s.%s(%s))", name, r.Marshaler.Name(), v)
}

func method(t types.Type, name string) bool {
	for _, t := range []types.Type{t, types.NewPointer(t)} {
		if o, _, _ := types.LookupFieldOrMethod(t, true, nil, name); o != nil {
			if _, ok := o.(*types.Func); ok {
				return true
			}
		}
	}
	return false
}

// Statements are those that write the value of a field that is not Short, and give the Result.
func (b *build) Statements(o object, f field) string {
	r, out := f.TypeReference, &strings.Builder{}
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	v := "v"
	switch {
	case len(f.Each) > 0:
		say("v, ok := ec.guarded%s_%s(f.Context, obj)", o.Name, f.Name)
		say("if !ok {\nreturn selfwriting.Irregular\n}")
	case f.IsVariable() && !r.IsNilable() && !leaf(r):
		v = f.Value() // no copy
	default:
		say("v := %s", f.Value())
	}
	null := "return selfwriting.Irregular"
	if !r.GQL.NonNull {
		null = "w.Null()\nreturn selfwriting.Written"
	}
	if r.IsNilable() && !(r.IsSlice() && r.GQL.NonNull) { // a list that is nil is empty where it may not be null
		say("if %s == nil {\n%s\n}", v, null)
	}
	invalid := "w.Back(depth)\n" + map[bool]string{true: "return selfwriting.Invalid", false: "w.B = w.B[:start]\nw.Null()\nreturn selfwriting.Written"}[r.GQL.NonNull]
	switch {
	case r.IsSlice():
		b.list(say, o, r, v, invalid)
	case leaf(r):
		say("%s", b.Write(r, v))
	default:
		say("start, depth := len(w.B), w.Depth()\n_ = start\nw.Enter(%q, f)", o.Name)
		b.composite(say, r, v, "{\n"+invalid+"\n}")
		say("w.Leave()")
	}
	say("return selfwriting.Written")
	return out.String()
}

// list says how a list is written: elements that are null because of an error make it invalid when they may not be null.
func (b *build) list(say func(string, ...any), o object, r *config.TypeReference, v, invalid string) {
	e := r.Elem()
	if leaf(r) {
		say("w.B = append(w.B, '[')\nfor i, v := range %s {\nif i > 0 {\nw.B = append(w.B, ',')\n}", v)
		switch {
		case e.IsSlice():
			say("w.Marshal(ec.%s(f.Context, nil, v))", e.MarshalFunc())
		case e.IsNilable():
			say("if v == nil {\n%s\n}", map[bool]string{true: "return selfwriting.Irregular", false: "w.Null()\ncontinue"}[e.GQL.NonNull])
			fallthrough
		default:
			say("%s", b.Write(e, "v"))
		}
		say("}\nw.B = append(w.B, ']')")
		return
	}
	say("start, depth := len(w.B), w.Depth()\n_ = start\nw.Enter(%q, f)\nw.B = append(w.B, '[')\nfor i := range %s {", o.Name, v)
	say("if i > 0 {\nw.B = append(w.B, ',')\n}")
	element := v + "[i]"
	if e.IsNilable() {
		say("if %s == nil {\n%s\n}", element, map[bool]string{true: "w.Back(depth)\nreturn selfwriting.Irregular", false: "w.Null()\ncontinue"}[e.GQL.NonNull])
	}
	wrong := invalid
	if !e.GQL.NonNull {
		wrong = "w.B = w.B[:at]\nw.Null()\nw.Back(depth + 2)"
		say("at := len(w.B)")
	}
	say("w.Element(i)")
	b.composite(say, e, element, "{\n"+wrong+"\n}")
	say("w.Leave()\n}\nw.B = append(w.B, ']')\nw.Leave()")
}

// composite says how an object is written, of whichever type it is.
func (b *build) composite(say func(string, ...any), r *config.TypeReference, v, otherwise string) {
	if !r.Definition.IsAbstractType() {
		if !r.IsNilable() {
			v = "&" + v
		}
		say("if !ec.write%s(w, f.Below, %s) %s", r.Definition.Name, v, otherwise)
		return
	}
	say("switch v := %s.(type) {", v)
	for _, o := range b.Possible(r) {
		if !types.Implements(o.Reference(), r.GO.Underlying().(*types.Interface)) {
			continue
		}
		say("case %s:\nif v == nil {\nw.Back(depth)\nw.B = w.B[:start]\nreturn selfwriting.Irregular\n}", templates.CurrentImports.LookupType(o.Reference()))
		say("if !ec.write%s(w, ec.plan%s(f.Context, f.Collected.Selections), v) %s", o.Name, o.Name, otherwise)
	}
	say("default:\nw.Back(depth)\nw.B = w.B[:start]\nreturn selfwriting.Irregular\n}")
}

var objectMethod = regexp.MustCompile(`(?m)^(func \(ec \*executionContext\) )_(\w+)(\(ctx context\.Context, sel ast\.SelectionSet, obj )`)

// Rewire makes gqlgen's own files use the types that write themselves: its method that executes an object of one is renamed, and the
// execution context holds their plans.
func Rewire(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.generated.go"))
	if err != nil {
		return err
	}
	written, err := os.ReadFile(filepath.Join(dir, "written.gen.go"))
	if err != nil {
		return err
	}
	for _, file := range files {
		before, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		after := objectMethod.ReplaceAllStringFunc(string(before), func(found string) string {
			m := objectMethod.FindStringSubmatch(found)
			if !strings.Contains(string(written), ") _"+m[2]+"(ctx context.Context, sel ast.SelectionSet, obj ") {
				return found // an interface, or a type of introspection
			}
			return m[1] + "executed_" + m[2] + m[3]
		})
		after = strings.Replace(after, "type executionContext struct {\n", "type executionContext struct {\n\tplans selfwriting.Plans\n", 1)
		if strings.Contains(after, "selfwriting.Plans") {
			after = strings.Replace(after, "import (\n", "import (\n\t\"grantwood/selfwriting\"\n", 1)
		}
		if after == string(before) {
			continue
		}
		formatted, err := format.Source([]byte(after))
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, formatted, 0o644); err != nil {
			return err
		}
	}
	return nil
}
