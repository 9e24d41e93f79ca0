package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

// TestIdempotencyKeys: each mutation that takes one answers a repeat as the first call and refuses other input.
func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.key(t, "Europe")
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{k}})
	provider := operator(t, graph.ScopeAdmin)
	end := inAnHour()
	const payload = `(input: $in) { userErrors { code path } `
	for _, m := range []struct {
		name, query  string
		caller       client
		input, other map[string]any
		nulls        []string
	}{
		{"createApiKey", `mutation($in: CreateApiKeyInput!) { createApiKey` + payload + `secret key { id name secretHint } } }`, admin.client,
			map[string]any{"name": "Africa", "kind": "REGION"}, map[string]any{"name": "Africa", "kind": "CUSTOMER"}, []string{"secret", "key"}},
		{"rotateApiKeySecret", `mutation($in: RotateApiKeySecretInput!) { rotateApiKeySecret` + payload + `secret key { id secretHint secretIssuedAt } } }`, admin.client,
			map[string]any{"keyId": k}, map[string]any{"keyId": k, "graceMinutes": 1}, []string{"secret", "key"}},
		{"createUnit", `mutation($in: CreateUnitInput!) { createUnit` + payload + `unit { id name kind depth createdAt children { totalCount } } } }`, admin.client,
			map[string]any{"name": "Africa", "kind": "REGION"}, map[string]any{"name": "Africa", "kind": "CUSTOMER"}, []string{"unit"}},
		{"requestApiKey", `mutation($in: RequestApiKeyInput!) { requestApiKey` + payload + `keyRequest { id createdAt requestedBy { id } } } }`, admin.client,
			map[string]any{"name": "Africa", "kind": "REGION", "reason": "We grow."}, map[string]any{"name": "Africa", "kind": "REGION", "reason": "We shrink."}, []string{"keyRequest"}},
		{"inviteUser", `mutation($in: InviteUserInput!) { inviteUser` + payload + `link invitation { id email keys { id } } } }`, admin.client,
			map[string]any{"email": "same@test.example", "access": map[string]any{"role": "REPORTING"}, "keyIds": []string{k}},
			map[string]any{"email": "same@test.example", "access": map[string]any{"role": "REPORTING"}, "keyIds": []string{}}, []string{"link", "invitation"}},
		{"createAccessToken", `mutation($in: CreateAccessTokenInput!) { createAccessToken` + payload + `token accessToken { id hint keys { id } createdBy { id } } } }`, admin.client,
			map[string]any{"name": "Partner", "keyIds": []string{k}, "expiresAt": end}, map[string]any{"name": "Other", "keyIds": []string{k}, "expiresAt": end}, []string{"token", "accessToken"}},
		{"createAccount", `mutation($in: CreateAccountInput!) { createAccount` + payload + `link account { id } invitation { id email } } }`, provider,
			map[string]any{"name": "New", "currency": "EUR", "primaryEmail": address()}, map[string]any{"name": "New", "currency": "USD", "primaryEmail": address()}, []string{"link", "account", "invitation"}},
	} {
		t.Run(m.name, func(t *testing.T) {
			with := func(input map[string]any, key string) map[string]any {
				c := map[string]any{"idempotencyKey": key}
				for name, value := range input {
					c[name] = value
				}
				return map[string]any{"in": c}
			}
			first := m.caller.post(t, m.query, with(m.input, "a repeated key"))
			if strings.Contains(string(first.Body), `"code"`) || strings.Contains(string(first.Body), `null`) {
				t.Fatalf("refused: %s", first.Body)
			}
			again := m.caller.post(t, m.query, with(m.input, "a repeated key"))
			if diff := cmp.Diff(string(first.Body), string(again.Body)); diff != "" {
				t.Errorf("the repeat is answered differently (-first +again):\n%s", diff)
			}
			mismatch := refusedAs(m.name, "IDEMPOTENCY_MISMATCH", []string{"input", "idempotencyKey"}, m.nulls...)
			m.caller.expect(t, m.query, with(m.other, "a repeated key"), mismatch)
			short := refusedAs(m.name, "INVALID", []string{"input", "idempotencyKey"}, m.nulls...)
			m.caller.expect(t, m.query, with(m.input, "1234567"), short)
			m.caller.expect(t, m.query, with(m.input, strings.Repeat("x", 101)), short)
			if m.name == "inviteUser" {
				m.caller.expect(t, m.query, with(m.input, "a second key"), refusedAs(m.name, "CONFLICT", []string{"input", "email"}, m.nulls...))
				return
			}
			if next := m.caller.post(t, m.query, with(m.input, "a second key")); string(next.Body) == string(first.Body) || strings.Contains(string(next.Body), `"code"`) {
				t.Errorf("with a second key: %s", next.Body)
			}
		})
	}
	count := func(action string) int {
		list, _ := w.owner.ask(t, `query($a: [AuditAction!]) { account { auditEvents(first: 100, filter: {actions: $a}) { nodes { id } } } }`,
			map[string]any{"a": []string{action}}, "account.auditEvents.nodes").([]any)
		return len(list)
	}
	// The world has made a master key, a key, and invited two; each mutation was done twice but for the invitation.
	for action, want := range map[string]int{"KEY_CREATED": 4, "SECRET_ROTATED": 2, "KEY_REQUESTED": 2, "USER_INVITED": 3, "UNIT_CHANGED": 2} {
		if got := count(action); got != want {
			t.Errorf("%d events %s, want %d: a repeat leaves no trace", got, action, want)
		}
	}
}

// TestSameSessionOrAnother: the repeat may come with another session of the same user; without the capability it gives
// nothing.
func TestSameSessionOrAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const create = `mutation($in: CreateApiKeyInput!) { createApiKey(input: $in) { userErrors { code } secret key { id } } }`
	variables := in("name", "Africa", "kind", "REGION", "idempotencyKey", "a repeated key")
	first := w.owner.post(t, create, variables)
	other := client{api: sharedAPI()}
	other.token = other.text(t, `mutation($e: String!, $p: String!) { signIn(input: {email: $e, password: $p}) { sessionToken } }`,
		map[string]any{"e": w.owner.email, "p": password}, "signIn.sessionToken")
	if again := other.post(t, create, variables); string(first.Body) != string(again.Body) {
		t.Errorf("another session: %s, want %s", again.Body, first.Body)
	}
	nobody().expect(t, create, variables, deniedAs("createApiKey", "UNAUTHENTICATED", unauthenticated))
}

// TestLimitOfKeys: requests go beyond it, deleting makes room.
func TestLimitOfKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var limit int
	body := w.owner.post(t, `{ account { limits { maxApiKeys } } }`, nil).at(t, "account.limits.maxApiKeys")
	if err := json.Unmarshal(fmt.Append(nil, body), &limit); err != nil {
		t.Fatal(err)
	}
	var last string
	for i := 1; i < limit; i++ {
		last = w.key(t, fmt.Sprint("Key ", i))
	}
	const create = `mutation { createApiKey(input: {name: "More", kind: OTHER}) { userErrors { __typename code path ... on LimitError { limit } } secret key { name } } }`
	full := fmt.Sprintf(`{"data":{"createApiKey":{"userErrors":[{"__typename":"LimitError","code":"LIMIT_REACHED","path":[],"limit":%d}],"secret":null,"key":null}}}`, limit)
	w.owner.expect(t, create, nil, full)
	q := w.owner.request(t, "Beyond")
	operator(t, graph.ScopeAdmin).ask(t, approve, in("keyRequestId", q), "approveKeyRequest")
	if got := w.owner.ask(t, `{ account { apiKeys { totalCount } } }`, nil, "account.apiKeys.totalCount"); got != float64(limit+1) {
		t.Errorf("%v keys, want %d", got, limit+1)
	}
	w.owner.ask(t, deleteKey, in("keyId", last), "deleteApiKey")
	w.owner.expect(t, create, nil, full) // as many as the limit are left
	w.owner.ask(t, deleteKey, in("keyId", w.owner.text(t, `query($q: ID!) { node(id: $q) { ... on KeyRequest { key { id } } } }`, map[string]any{"q": q}, "node.key.id")), "deleteApiKey")
	w.owner.ask(t, create, nil, "createApiKey.secret")
}
