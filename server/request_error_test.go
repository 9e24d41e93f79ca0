package server_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"grantwood/graph"
)

// cubed asks for nested pages of a hundred.
const cubed = `{ account { users(first: 100) { nodes { grants(first: 100) { nodes { key { grants(first: 100) { nodes { enabled } } } } } } } } }`

// unrunnable are operations that cannot be run, by the code of the reason.
var unrunnable = map[string][]struct {
	query     string
	variables map[string]any
}{
	"GRAPHQL_PARSE_FAILED": {
		{"{ serverInfo { version ", nil}, {"{ serverInfo { version } } }", nil}, {"nonsense", nil}, {`{ node(id: "x }`, nil},
		{"{ nodes(ids: [" + strings.Repeat("null ", 15_000) + "]) { id } }", nil}, // too many tokens
	},
	"GRAPHQL_VALIDATION_FAILED": {
		{"", nil}, {"{ serverInfo }", nil}, {"{ serverInfo { nothing } }", nil}, {"{ node { id } }", nil}, {"subscription { x }", nil},
		{"query A { serverInfo { version } } query B { serverInfo { version } }", nil}, {"{ ...F } fragment F on Query { ...F }", nil},
		{"query($n: Int!) { account { users(first: $n) { totalCount } } }", nil}, {"{ serverInfo { version } ... @defer { viewer { kind } } }", nil},
		{"query($n: Int) { account { users(first: $n) { totalCount } } }", map[string]any{"n": "x"}},
	},
	"UNAUTHENTICATED": {
		{"{ __schema { types { name } } }", nil}, {`{ __type(name: "Query") { name } serverInfo { version } }`, nil},
		{"{ ...F } fragment F on Query { ... on Query { s: __schema { queryType { name } } } }", nil},
	},
	"COMPLEXITY_LIMIT_EXCEEDED": {{cubed, nil}},
}

// TestRequestErrors: the answer to what cannot be run has no data, not even null. Its status is 400 for callers who accept
// the newer media type, and 200 for others.
func TestRequestErrors(t *testing.T) {
	t.Parallel()
	for code, operations := range unrunnable {
		for _, o := range operations {
			for media, status := range map[string]int{"": 200, "*/*": 200, "application/json": 200, responseType: 400,
				responseType + ", application/json;q=0.9": 400} {
				req := nobody().newRequest(t, o.query, o.variables)
				req.Header.Set("Accept", media)
				a := send(t, req)
				if a.Status != status || a.Header.Get("Content-Type") != answered(media) || !onlyErrors(t, a, code) {
					t.Errorf("Accept %q: %.200s\n%d %v %s", media, o.query, a.Status, a.Header, a.Body)
				}
			}
		}
	}
}

const responseType = "application/graphql-response+json"

// answered is the content type of an answer for callers who accept a media type.
func answered(media string) string {
	if strings.HasPrefix(media, responseType) {
		return responseType + "; charset=utf-8"
	}
	return "application/json; charset=utf-8"
}

// onlyErrors reports whether the answer has errors with the code and nothing else.
func onlyErrors(t testing.TB, a answer, code string) bool {
	t.Helper()
	var body map[string][]struct {
		Message    string
		Extensions map[string]any
	}
	if json.Unmarshal(a.Body, &body) != nil || len(body) != 1 || len(body["errors"]) == 0 {
		return false
	}
	for _, e := range body["errors"] {
		if e.Message == "" || e.Extensions["code"] != code || strings.Contains(e.Message, "id you mean") {
			return false
		}
	}
	return true
}

// TestStatusOfWhatRan: what was run has the status 200, errors in it or not, and is nothing for caches.
func TestStatusOfWhatRan(t *testing.T) {
	t.Parallel()
	for _, media := range []string{"application/json", responseType} {
		for query, want := range map[string]string{`{ viewer { kind } }`: itIsNobody, `{ serverInfo { version } }`: versionIs,
			`{ __typename }`: `{"data":{"__typename":"Query"}}`} {
			req := nobody().newRequest(t, query, nil)
			req.Header.Set("Accept", media)
			a := send(t, req)
			a.is(t, want)
			h := a.Header
			if a.Status != http.StatusOK || h.Get("Content-Type") != answered(media) || h.Get("Cache-Control") != "no-store" ||
				h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Vary") != "Accept" {
				t.Errorf("%q: %d %v", media, a.Status, h)
			}
		}
	}
}

// TestNoSuggestions: answers to wrong names do not tell right ones, which would show the schema bit by bit.
func TestNoSuggestions(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		`{ serverInfo { versoin } }`, `{ serverInf { version } }`, `{ node(di: "x") { id } }`, `{ account { ... on Acount { id } } }`,
		`{ account { users(orderBy: {field: NAMES, direction: ASC}) { totalCount } } }`,
		`{ account { users(orderBy: {feld: NAME, direction: ASC}) { totalCount } } }`,
		`query($f: UserFiltr) { account { users(filter: $f) { totalCount } } }`, `{ serverInfo @incude(if: true) { version } }`,
		`fragment F on Usr { id } { ...F }`,
		`mutation { signInn(input: {email: "a", password: "b"}) { sessionToken } }`, `{ serverInfo { ...G } } fragment F on ServerInfo { version }`,
	} {
		if a := nobody().post(t, query, nil); !onlyErrors(t, a, "GRAPHQL_VALIDATION_FAILED") {
			t.Errorf("%s\n%s", query, a.Body)
		}
	}
}

// TestIntrospection: callers with credentials see the schema, whatever these may do.
func TestIntrospection(t *testing.T) {
	t.Parallel()
	w := otherWorld(t)
	const query = `{ __type(name: "GrantSource") { kind enumValues { name } } __schema { queryType { name } } }`
	for _, c := range []client{w.owner.client, operator(t, graph.ScopeVerify)} {
		c.expect(t, query, nil, `{"data":{"__type":{"kind":"ENUM","enumValues":[{"name":"EXPLICIT"},{"name":"UNIT"},{"name":"DEFAULT"}]},
			"__schema":{"queryType":{"name":"Query"}}}}`)
	}
	a := w.owner.post(t, `{ __schema { directives { name } } }`, nil)
	if !bytes.Contains(a.Body, []byte(`"skip"`)) || bytes.Contains(a.Body, []byte(`"defer"`)) {
		t.Errorf("directives: %s", a.Body)
	}
	if a := (client{w.owner.api, flip(w.owner.token, 50)}).post(t, query, nil); !onlyErrors(t, a, "UNAUTHENTICATED") {
		t.Errorf("%s", a.Body)
	}
}

// TestMutationsInOneOperation run in the order of the document, under their aliases; the refusal of one does not blank
// another.
func TestMutationsInOneOperation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.user(t, invitee{role: graph.RoleReporting})
	w.owner.expect(t, `mutation($u: ID!, $k: ID!) {
		off: setGrant(input: {userId: $u, keyId: $k, state: DISABLED}) { userErrors { code } grant { enabled source } }
		bad: inviteUser(input: {email: "nobody", access: {role: REPORTING}, validDays: 31}) { userErrors { code path } invitation { id } }
		good: inviteUser(input: {email: "someone@test.example", access: {role: REPORTING}}) { userErrors { code path } invitation { email } }
		denied: createAccount(input: {name: "", currency: "EUR", primaryEmail: ""}) { userErrors { code } }
		missing: setGrant(input: {userId: $u, keyId: "key_x", state: DISABLED}) { userErrors { code path } grant { enabled } }
		on: setGrant(input: {userId: $u, keyId: $k, state: INHERIT}) { userErrors { code } grant { enabled source } } }`,
		map[string]any{"u": u.id, "k": w.master}, `{"data":{
			"off":{"userErrors":[],"grant":{"enabled":false,"source":"EXPLICIT"}},
			"bad":{"userErrors":[{"code":"INVALID","path":["input","email"]},{"code":"INVALID","path":["input","validDays"]}],"invitation":null},
			"good":{"userErrors":[],"invitation":{"email":"someone@test.example"}},
			"denied":null,
			"missing":{"userErrors":[{"code":"NOT_FOUND","path":["input","keyId"]}],"grant":null},
			"on":{"userErrors":[],"grant":{"enabled":true,"source":"DEFAULT"}}},
			"errors":[{"path":["denied"],"extensions":{"code":"FORBIDDEN"}}]}`)
}
