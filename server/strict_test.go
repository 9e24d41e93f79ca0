package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"grantwood/db/dbtest"
	"grantwood/graph"
	"grantwood/server"
)

// TestStrictValues: literals and variables are of the types that they are used for, as the specification says.
func TestStrictValues(t *testing.T) {
	t.Parallel()
	w := otherWorld(t)
	const page = "query($n: Int) { account { users(first: $n) { totalCount } } }"
	for _, wrong := range []struct{ query, variables string }{
		{"{ account { users(first: 2147483648) { totalCount } } }", "{}"}, {"{ account { users(first: -2147483649) { totalCount } } }", "{}"},
		{`{ account { users(first: "1") { totalCount } } }`, "{}"}, {"{ account { users(first: 1.0) { totalCount } } }", "{}"}, {"{ account { users(first: true) { totalCount } } }", "{}"},
		{"{ account { users(after: 1) { totalCount } } }", "{}"}, {"{ invitationPreview(token: 7) { role } }", "{}"},
		{page, `{"n":2147483648}`}, {page, `{"n":-2147483649}`}, {page, `{"n":"1"}`}, {page, `{"n":1.5}`}, {page, `{"n":true}`}, {page, `{"n":[1]}`}, {page, `{"n":{}}`}, {page, `{"n":1e400}`},
		{"query($n: Int!) { account { users(first: $n) { totalCount } } }", `{"n":null}`}, {"query($n: Int!) { account { users(first: $n) { totalCount } } }", `{}`},
		{"query($c: String) { account { users(after: $c) { totalCount } } }", `{"c":1}`}, {"query($c: String) { account { users(after: $c) { totalCount } } }", `{"c":true}`},
		{"query($x: Boolean!) { serverInfo { version @skip(if: $x) } }", `{"x":"true"}`}, {"query($x: Boolean!) { serverInfo { version @skip(if: $x) } }", `{"x":0}`},
		{"query($i: ID!) { node(id: $i) { id } }", `{"i":1.5}`}, {"query($i: ID!) { node(id: $i) { id } }", `{"i":true}`}, {"query($i: [ID!]!) { nodes(ids: $i) { id } }", `{"i":["x",null]}`},
		{"query($f: UserFilter) { account { users(filter: $f) { totalCount } } }", `{"f":{"nothing":1}}`}, {"query($f: UserFilter) { account { users(filter: $f) { totalCount } } }", `{"f":7}`},
		{"{ ...F } fragment F($x: Int) on Query { serverInfo { version } }", "{}"}, {`{ node(id: "\ud800") { id } }`, "{}"}, {`{ node(id: "\udc00\ud800") { id } }`, "{}"},
	} {
		a := postRaw(t, w.owner.client, wrong.query, wrong.variables)
		code := "GRAPHQL_VALIDATION_FAILED"
		if strings.Contains(wrong.query, `\u`) {
			code = "GRAPHQL_PARSE_FAILED"
		}
		if !onlyErrors(t, a, code) || strings.Contains(string(a.Body), `"path"`) {
			t.Errorf("%s %s\n%s", wrong.query, wrong.variables, a.Body)
		}
	}
	for _, right := range []struct{ query, variables string }{
		{page, `{"n":1}`}, {page, `{"n":1.0}`}, {page, `{"n":1e1}`}, {page, `{"n":null}`}, {page, `{}`}, {page, `{"n":1,"more":"x"}`},
		{"query($i: ID!) { node(id: $i) { id } }", `{"i":7}`}, {"query($i: [ID!]!) { nodes(ids: $i) { id } }", `{"i":"x"}`}, {"{ node(id: 7) { id } }", "{}"},
		{`{ node(id: "\ud83c\udfca \\ud800") { id } }`, "{}"}, {`{ node(id: """\ud800""") { id } } # \ud800`, "{}"},
		{"query($n: Int = 3) { account { users(first: $n) { totalCount } } }", "{}"},
	} {
		if a := postRaw(t, w.owner.client, right.query, right.variables); a.Status != http.StatusOK || strings.Contains(string(a.Body), `"errors"`) {
			t.Errorf("%s %s\n%s", right.query, right.variables, a.Body)
		}
	}
}

func postRaw(t testing.TB, c client, query, variables string) answer {
	t.Helper()
	text, err := json.Marshal(query)
	if err != nil {
		t.Fatal(err)
	}
	return raw(t, c.api, http.MethodPost, "/graphql", `{"query":`+string(text)+`,"variables":`+variables+`}`, "Content-Type", "application/json",
		"Authorization", "Bearer "+c.token)
}

// TestOneOf: an input of which exactly one field is set is refused otherwise, in variables as in the document.
func TestOneOf(t *testing.T) {
	t.Parallel()
	w := otherWorld(t)
	for _, wrong := range []string{`{}`, `{"role":null}`, `{"role":"REPORTING","capabilities":["VIEW_USAGE"]}`, `{"role":"REPORTING","capabilities":null}`} {
		a := postRaw(t, w.owner.client, "mutation($a: AccessInput!) { inviteUser(input: {email: \"a@test.example\", access: $a}) { userErrors { code } } }", `{"a":`+wrong+`}`)
		if !onlyErrors(t, a, "GRAPHQL_VALIDATION_FAILED") {
			t.Errorf("%s\n%s", wrong, a.Body)
		}
	}
}

// TestIntrospectedLists: what a kind of type does not have is null, not an empty list.
func TestIntrospectedLists(t *testing.T) {
	t.Parallel()
	operator(t, graph.ScopeVerify).expect(t, `{ object: __type(name: "ServerInfo") { ...L } enum: __type(name: "GrantSource") { ...L } scalar: __type(name: "Int") { ...L }
			input: __type(name: "SignOutInput") { ...L } union: __type(name: "Node") { ...L } }
		fragment L on __Type { fields { name } interfaces { name } possibleTypes { __typename } enumValues { name } inputFields { name } }`, nil, `{"data":{
		"object":{"fields":[{"name":"version"},{"name":"maxPageSize"},{"name":"maxOperationCost"}],"interfaces":[],"possibleTypes":null,"enumValues":null,"inputFields":null},
		"enum":{"fields":null,"interfaces":null,"possibleTypes":null,"enumValues":[{"name":"EXPLICIT"},{"name":"UNIT"},{"name":"DEFAULT"}],"inputFields":null},
		"scalar":{"fields":null,"interfaces":null,"possibleTypes":null,"enumValues":null,"inputFields":null},
		"input":{"fields":null,"interfaces":null,"possibleTypes":null,"enumValues":null,"inputFields":[{"name":"everywhere"}]},
		"union":{"fields":[{"name":"id"}],"interfaces":[],"possibleTypes":[`+kindsOfNode+`],"enumValues":null,"inputFields":null}}}`)
}

// kindsOfNode are what the interface Node is introspected with.
var kindsOfNode = func() string {
	var list []string
	for range schema().PossibleTypes["Node"] {
		list = append(list, `{"__typename":"__Type"}`)
	}
	return strings.Join(list, ",")
}()

// TestIntrospectionSetting: whoever may see the schema is also told right names in answers to wrong ones, and nobody else is.
func TestIntrospectionSetting(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t)
	for setting, shown := range map[server.Introspection][2]bool{server.IntrospectionOn: {true, true}, server.IntrospectionOff: {false, false},
		server.IntrospectionAuthenticated: {false, true}} {
		a, h := newAPIWith(server.Config{DB: d, Introspection: setting, Log: quiet})
		t.Cleanup(h.Close)
		for i, c := range []client{{api: a}, operatorOn(t, a, graph.ScopeVerify)} {
			schema, wrong := c.post(t, "{ __schema { queryType { name } } }", nil), c.post(t, "{ serverInfo { versoin } }", nil)
			if got := strings.HasPrefix(string(schema.Body), `{"data"`); got != shown[i] {
				t.Errorf("%s, %d: %s", setting, i, schema.Body)
			}
			if got := strings.Contains(string(wrong.Body), "id you mean"); got != shown[i] {
				t.Errorf("%s, %d: %s", setting, i, wrong.Body)
			}
			c.expect(t, "{ __typename }", nil, `{"data":{"__typename":"Query"}}`)
		}
	}
}
