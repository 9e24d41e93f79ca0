package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"grantwood/graph"
)

// input is the one argument of a mutation.
type input = map[string]any

// mutation is a change, with all that it may answer but what is shown once.
type mutation struct {
	field     string
	inputType string   // empty when there is no argument
	results   []string // fields of the payload beside userErrors
	selection string   // of the results
}

// problems selects everything about user errors but the sentences.
const problems = `userErrors { __typename code path ... on ValidationError { rule parameter } ... on LimitError { limit } } `

// document is the operation with the variable $in.
func (m mutation) document() string {
	if m.inputType == "" {
		return "mutation { " + m.field + " { " + problems + m.selection + " } }"
	}
	return "mutation($in: " + m.inputType + "!) { " + m.field + "(input: $in) { " + problems + m.selection + " } }"
}

// refused is the answer of the mutation when it names the problems and has changed nothing.
func (m mutation) refused(problems ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"data":{%q:{"userErrors":[%s]`, m.field, strings.Join(problems, ","))
	for _, r := range m.results {
		fmt.Fprintf(&b, `,%q:null`, r)
	}
	return b.String() + "}}}"
}

// denied is the answer of the mutation when access to it fails.
func (m mutation) denied(code graph.Code) string {
	return fmt.Sprintf(`{"data":{%q:null},"errors":[{"path":[%[1]q],"extensions":{"code":%[2]q}}]}`, m.field, code)
}

// run sends the mutation.
func (c client) run(t testing.TB, m mutation, in input) answer {
	t.Helper()
	return c.post(t, m.document(), variables(in))
}

// done sends the mutation, which must succeed.
func (c client) done(t testing.TB, m mutation, in input) answer {
	t.Helper()
	a := c.run(t, m, in)
	if !a.succeeded() {
		t.Fatalf("%s(%v) failed: %s", m.field, in, a.Body)
	}
	return a
}

// fails sends the mutation and compares the whole answer.
func (c client) fails(t testing.TB, m mutation, in input, want string) answer {
	t.Helper()
	return c.expect(t, m.document(), variables(in), want)
}

func variables(in input) map[string]any {
	if in == nil {
		return nil
	}
	return map[string]any{"in": in}
}

func (a answer) succeeded() bool {
	return !bytes.Contains(a.Body, []byte(`"errors":`)) && !bytes.Contains(a.Body, []byte(`"userErrors":[{`))
}

// problem is a user error without further data; the path is written with dots.
func problem(code graph.Code, path string) string {
	return fmt.Sprintf(`{"__typename":"GeneralError","code":%q,"path":%s}`, code, pathJSON(path))
}

// violation is the user error for a value that breaks a rule such as "max=64".
func violation(path, rule string) string {
	name, parameter, ok := strings.Cut(rule, "=")
	value := "null"
	if ok {
		value = `"` + parameter + `"`
	}
	return fmt.Sprintf(`{"__typename":"ValidationError","code":"INVALID","path":%s,"rule":%q,"parameter":%s}`, pathJSON(path), name, value)
}

func pathJSON(path string) string {
	if path == "" {
		return "[]"
	}
	text, _ := json.Marshal(strings.Split(path, "."))
	return string(text)
}

// with gives the input with some values changed.
func with(in input, changes ...any) input {
	out := input{}
	for name, value := range in {
		out[name] = value
	}
	for i := 0; i < len(changes); i += 2 {
		out[changes[i].(string)] = changes[i+1]
	}
	return out
}

// unauthenticated is the case of a mutation without credentials: input that breaks every rule changes nothing in the answer.
func notSignedIn(m mutation, bad input) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		nobody().fails(t, m, bad, m.denied(graph.Unauthenticated))
	}
}

// forbidden is the case of a mutation for callers who lack the capability, however much else they hold: for a user with
// all others, and for operators. Input that breaks every rule changes nothing in the answer.
func forbidden(m mutation, needed graph.Capability, bad input) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		callers := map[string]client{
			"user without the capability": w.user(t, invitee{capabilities: allBut(needed)}).client,
			"operator":                    operator(t, graph.ScopeAdmin, graph.ScopeSupport, graph.ScopeIngest, graph.ScopeVerify),
		}
		w.unchanged(t, func() {
			for name, c := range callers {
				t.Log(name)
				c.fails(t, m, bad, m.denied(graph.Forbidden))
			}
		})
	}
}

// allBut lists all capabilities but some.
func allBut(some ...graph.Capability) []graph.Capability {
	return (graph.AllCapabilities &^ graph.Capabilities(some...)).List()
}

// elsewhere is an account with a key, a unit, an additional user and an operation on grants, all unknown to the tests' other
// worlds. Nobody changes it.
type elsewhere struct {
	*world
	key       string
	unit      string
	user      member
	operation string
}

var (
	elsewhereOnce sync.Once
	theElsewhere  elsewhere
)

func otherWorld(t testing.TB) elsewhere {
	t.Helper()
	elsewhereOnce.Do(func() {
		w := newWorld(t)
		k := w.key(t, "Elsewhere")
		u := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{k}})
		theElsewhere = elsewhere{w, k, w.unit(t, "Elsewhere", ""), u, w.owner.set(t, pair(u.id, w.master, "ENABLED")).(string)}
	})
	if theElsewhere.world == nil {
		t.Fatal("there is no other world")
	}
	return theElsewhere
}

// noKeys and noUsers are IDs under which nobody in the world finds a key or a user, by what they are.
func (w *world) noKeys(t testing.TB) map[string]string {
	other := otherWorld(t)
	return w.noObjects(graph.KindKey, other.key, w.owner.id)
}

func (w *world) noUsers(t testing.TB) map[string]string {
	other := otherWorld(t)
	return w.noObjects(graph.KindUser, other.user.id, w.master)
}

func (w *world) noObjects(kind graph.Kind, foreign, otherKind string) map[string]string {
	account := graph.ParseID(w.account).Account
	nothing := graph.ID{Kind: kind, Account: account, Object: graph.UUID{1, 2, 3, 4, 5, 6, 0x70, 7, 0x80, 8, 9, 10, 11, 12, 13, 14}}
	moved := graph.ParseID(foreign)
	moved.Account = account // an object of another account under this one's name
	_, body, _ := strings.Cut(otherKind, "_")
	return map[string]string{
		"nothing": nothing.String(), "foreign": foreign, "foreign under this account": moved.String(), "other kind": otherKind,
		"other prefix": string(kind) + "_" + body, "account": w.account, "malformed": string(kind) + "_nonsense", "empty": "",
	}
}

// alike sends the mutation with each of the IDs, which must change nothing. The answers are want, and the same to the byte.
func (w *world) alike(t testing.TB, c client, m mutation, in func(id string) input, ids map[string]string, want string) {
	t.Helper()
	w.unchanged(t, func() {
		var first []byte
		for name, id := range ids {
			a := c.fails(t, m, in(id), want)
			if first == nil {
				first = a.Body
			}
			if !bytes.Equal(first, a.Body) {
				t.Errorf("%s: %s\nothers: %s", name, a.Body, first)
			}
		}
	})
}
