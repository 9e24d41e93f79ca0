package server_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"pgregory.net/rapid"

	"grantwood/db/dbtest"
	"grantwood/selfwriting"
)

// TestWrittenAsExecuted compares types that write themselves with their ordinary execution: the corpus of the tests of visibility gives the
// same bytes, as every kind of viewer.
func TestWrittenAsExecuted(t *testing.T) {
	t.Parallel()
	whole := demoDatabase(t)
	tokens, objects := prepare(t, whole)
	for email, token := range tokens {
		t.Run(email, func(t *testing.T) { // refused sign-ins are noted, so that each side has a database
			written := client{apiOn(t, dbtest.OpenNamed(t, dbtest.Copy(t, whole))), token}
			executed := client{ordinarily(apiOn(t, dbtest.OpenNamed(t, dbtest.Copy(t, whole))), t), token}
			for _, op := range corpus(objects) {
				alikeWritten(t, written, executed, op.query, op.variables)
			}
		})
	}
}

// TestRandomWrittenAsExecuted does the same with random documents.
func TestRandomWrittenAsExecuted(t *testing.T) {
	t.Parallel()
	name := demoDatabase(t)
	tokens, objects := prepare(t, name)
	a := apiOn(t, dbtest.OpenNamed(t, name))
	ordinary, ids, viewers := ordinarily(a, t), someIDs(objects), slices.Sorted(maps.Keys(tokens))
	rapid.Check(t, func(t *rapid.T) {
		token := tokens[rapid.SampledFrom(viewers).Draw(t, "viewer")]
		d := documentOf(t, ids)
		alikeWritten(t, client{a, token}, client{ordinary, token}, d.text, d.variables)
	})
}

func alikeWritten(t rapid.TB, written, executed client, query string, variables map[string]any) {
	a, b := written.sent(t, query, variables), executed.sent(t, query, variables)
	if a.Status != b.Status || !bytes.Equal(a.Body, b.Body) {
		t.Errorf("%s\n%v\nwritten:  %d %s\nexecuted: %d %s", query, variables, a.Status, a.Body, b.Status, b.Body)
	}
}

// ordinarily serves the same without types that write themselves.
func ordinarily(a api, t testing.TB) api {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.srv.ServeHTTP(w, r.WithContext(selfwriting.Ordinary(r.Context())))
	}))
	t.Cleanup(h.Close)
	a.url = h.URL
	return a
}

// sent is post where a test is a property.
func (c client) sent(t rapid.TB, query string, variables map[string]any) answer {
	req, err := c.build(query, variables)
	if err != nil {
		t.Fatal(err)
	}
	a, err := try(req)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// randomDocument is a query with the values of its variables.
type randomDocument struct {
	text      string
	variables map[string]any
}

// writing is a random document that is being made: fields of any type, below aliases, in fragments on the type itself, on its interfaces and on
// the types of an interface, some left out by @skip and @include.
type writing struct {
	*rapid.T
	ids       []string
	fragments []string
	left      int // fields that may still come
}

func documentOf(t *rapid.T, ids []string) randomDocument {
	w := &writing{T: t, ids: ids, left: 60}
	text := "query Random($yes: Boolean!, $no: Boolean!) " + w.set(schema().Query, 0) + strings.Join(w.fragments, "")
	return randomDocument{text, map[string]any{"yes": true, "no": false}}
}

func (w *writing) chance(percent int, why string) bool {
	return rapid.IntRange(1, 100).Draw(w.T, why) <= percent
}

// set writes a selection set for a type. Variables are used first, since all of them have to be.
func (w *writing) set(d *ast.Definition, depth int) string {
	var b strings.Builder
	b.WriteString("{ ")
	if depth == 0 {
		b.WriteString("__typename @include(if: $yes) @skip(if: $no) ")
	}
	if d.IsAbstractType() || w.chance(20, "typename") {
		b.WriteString("__typename ")
	}
	for i := range rapid.IntRange(1, 5).Draw(w.T, "selections") {
		b.WriteString(w.selection(d, depth, i) + " ")
	}
	b.WriteString("}")
	return b.String()
}

func (w *writing) selection(d *ast.Definition, depth, i int) string {
	if w.left--; w.left < 0 {
		return "__typename"
	}
	on := ""
	switch {
	case d.IsAbstractType():
		possible := schema().GetPossibleTypes(d)
		on = rapid.SampledFrom(possible).Draw(w.T, "type").Name
	case w.chance(15, "fragment") && depth > 0:
		on = d.Name
		if len(d.Interfaces) > 0 && w.chance(50, "interface") {
			on = rapid.SampledFrom(d.Interfaces).Draw(w.T, "interface")
		}
	}
	if on == "" || depth > 7 {
		return w.field(d, depth, i)
	}
	if w.chance(50, "inline") {
		return "... on " + on + w.condition() + " " + w.set(schema().Types[on], depth)
	}
	name := fmt.Sprintf("F%d", len(w.fragments))
	w.fragments = append(w.fragments, "")
	at := len(w.fragments) - 1
	text := " fragment " + name + " on " + on + " " + w.set(schema().Types[on], depth)
	w.fragments[at] = text
	return "..." + name + w.condition()
}

func (w *writing) condition() string {
	if w.chance(85, "condition") {
		return ""
	}
	return rapid.SampledFrom([]string{" @skip(if: $no)", " @skip(if: $yes)", " @include(if: $yes)", " @include(if: $no)"}).Draw(w.T, "directive")
}

func (w *writing) field(d *ast.Definition, depth, i int) string {
	fields := ast.FieldList{}
	for _, f := range d.Fields {
		composite := schema().Types[f.Type.Name()].IsCompositeType()
		if !strings.HasPrefix(f.Name, "__") && !(composite && (depth > 6 || w.left <= 0)) && !slow[f.Name] {
			fields = append(fields, f)
		}
	}
	if len(fields) == 0 {
		return "__typename"
	}
	f := rapid.SampledFrom(fields).Draw(w.T, "field")
	text := ""
	if len(f.Arguments) > 0 || w.chance(20, "alias") { // fields that differ in their arguments need names of their own
		text = fmt.Sprintf("a%d_%d_%d: ", depth, i, w.left)
	}
	text += f.Name + w.arguments(f) + w.condition()
	if below := schema().Types[f.Type.Name()]; below.IsCompositeType() {
		text += " " + w.set(below, depth+1)
	}
	return text
}

// slow are fields that make an audit event or what differs from time to time.
var slow = map[string]bool{"usageDownload": true, "verifyApiKey": true}

func (w *writing) arguments(f *ast.FieldDefinition) string {
	var list []string
	for _, a := range f.Arguments {
		switch {
		case a.Name == "first" && w.chance(50, "first"):
			list = append(list, fmt.Sprintf("first: %d", rapid.IntRange(0, 4).Draw(w.T, "size")))
		case a.Name == "id" || a.Name == "userId" || a.Name == "keyId":
			if a.Type.NonNull || w.chance(30, "id") {
				list = append(list, fmt.Sprintf("%s: %q", a.Name, rapid.SampledFrom(w.ids).Draw(w.T, "id")))
			}
		case a.Name == "ids":
			list = append(list, fmt.Sprintf("ids: [%q, %q]", rapid.SampledFrom(w.ids).Draw(w.T, "id"), rapid.SampledFrom(w.ids).Draw(w.T, "id")))
		case a.Type.NonNull && a.DefaultValue == nil:
			list = append(list, a.Name+": "+someValue(a))
		}
	}
	if len(list) == 0 {
		return ""
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// someValue writes a value for an argument that has to be there.
func someValue(a *ast.ArgumentDefinition) string {
	switch a.Type.Name() {
	case "UsageReportInput":
		return `{from: "2016-06-01T00:00:00Z", to: "2016-07-01T00:00:00Z", groupBy: [KEY]}`
	case "String":
		return `"` + strings.Repeat("x", 20) + `"`
	case "Int":
		return "1"
	}
	return "{}"
}
