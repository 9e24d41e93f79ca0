package server_test

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2/ast"

	"grantwood/graph"
)

// code gives the code of the first top-level error of an answer; empty when there is none.
func (a answer) code(t testing.TB) string {
	t.Helper()
	var body struct {
		Errors []struct{ Extensions struct{ Code string } }
	}
	if err := json.Unmarshal(a.Body, &body); err != nil {
		t.Fatalf("not JSON: %v: %s", err, a.Body)
	}
	if len(body.Errors) == 0 {
		return ""
	}
	return body.Errors[0].Extensions.Code
}

// TestOperatorScopes is the table of operators and root fields. Fields that are not in it are for no operator, or public.
func TestOperatorScopes(t *testing.T) {
	t.Parallel()
	scopes := []graph.OperatorScope{graph.ScopeSupport, graph.ScopeAdmin, graph.ScopeIngest, graph.ScopeVerify}
	readers, all := scopes[:2], scopes
	allowed := map[string][]graph.OperatorScope{
		"viewer": all, "rateLimit": all, "node": all, "nodes": all,
		"account": readers, "accounts": readers,
		"verifyApiKey":  {graph.ScopeVerify},
		"products":      all,
		"defineProduct": {graph.ScopeAdmin}, "ingestUsage": {graph.ScopeIngest},
		"createAccount": {graph.ScopeAdmin}, "updateAccount": {graph.ScopeAdmin},
		"pendingKeyRequests": readers, "resendInvitation": {graph.ScopeAdmin}, "approveKeyRequest": {graph.ScopeAdmin}, "rejectKeyRequest": {graph.ScopeAdmin},
	}
	for name, f := range rootFields(schema().Query, schema().Mutation) {
		if f.Directives.ForName("public") != nil {
			continue
		}
		query := document(t, f)
		for _, s := range scopes {
			got := operator(t, s).post(t, query, nil).code(t)
			if want := map[bool]string{false: "FORBIDDEN"}[slices.Contains(allowed[name], s)]; got != want {
				t.Errorf("%s, %s: %q, want %q", s, query, got, want)
			}
		}
		if got := nobody().post(t, query, nil).code(t); got != "UNAUTHENTICATED" {
			t.Errorf("nobody, %s: %q", query, got)
		}
	}
}

// TestSuspendedAccount tries every mutation as the owner of a suspended account, and reads.
func TestSuspendedAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.credential(t, "Europe")
	partner, id := tokenOf(t, w.owner.client, usageOnly, k.id)
	key := keyed(w.owner.api, k.key, k.secret)
	link := w.owner.text(t, `mutation($e: String!) { inviteUser(input: {email: $e, access: {role: REPORTING}}) { userErrors { code } link } }`,
		map[string]any{"e": address()}, "inviteUser.link")
	w.setStatus(t, graph.Suspended)
	joining := nobody().post(t, `mutation($t: String!, $p: String!) { acceptInvitation(input: {token: $t, password: $p}) { __typename } }`,
		map[string]any{"t": link[strings.Index(link, "#")+1:], "p": password})
	if joining.code(t) != "ACCOUNT_SUSPENDED" {
		t.Errorf("acceptInvitation: %s", joining.Body)
	}
	works := []string{"signIn", "signOut", "switchAccount", "revokeSession", "changePassword"} // signing in and out is reading; passwords are the person's
	for name, f := range rootFields(schema().Mutation) {
		if slices.Contains(works, name) || f.Directives.ForName("public") != nil || forProviderOnly(f) {
			continue
		}
		got := w.owner.post(t, document(t, f), nil)
		if got.code(t) != "ACCOUNT_SUSPENDED" || got.at(t, name) != nil {
			t.Errorf("%s: %s", name, got.Body)
		}
	}
	for name, f := range rootFields(schema().Query) {
		if f.Directives.ForName("requires") == nil || forProviderOnly(f) {
			continue
		}
		for who, c := range map[string]client{"owner": w.owner.client, "token": partner, "key": key} {
			if got := c.post(t, document(t, f), nil); got.code(t) != "" {
				t.Errorf("%s, %s: %s", who, name, got.Body)
			}
		}
	}
	if diff := cmp.Diff([]string{"Europe", "Master key"}, w.owner.names(t)); diff != "" {
		t.Errorf("owner (-want +got):\n%s", diff)
	}
	again := client{api: w.owner.api}
	again.token = again.text(t, `mutation($e: String!, $p: String!) { signIn(input: {email: $e, password: $p}) { userErrors { code } sessionToken } }`,
		map[string]any{"e": w.owner.email, "p": password}, "signIn.sessionToken")
	again.expect(t, `query($id: ID!) { node(id: $id) { ... on AccessToken { status } } account { status } }`, map[string]any{"id": id},
		`{"data":{"node":{"status":"ACTIVE"},"account":{"status":"SUSPENDED"}}}`)
	w.setStatus(t, graph.Active)
	w.key(t, "Asia")
}

// forProviderOnly reports whether only operators may use the field.
func forProviderOnly(f *ast.FieldDefinition) bool {
	requires := f.Directives.ForName("requires")
	by := requires.Arguments.ForName("by")
	return by != nil && strings.HasPrefix(by.Value.String(), "[OPERATOR")
}

const verify = `query($k: String!, $s: String!) { verifyApiKey(key: $k, secret: $s) { result accountId keyId } }`

// TestVerifyApiKey switches a key, its secrets and its account, and asks at the next call.
func TestVerifyApiKey(t *testing.T) {
	t.Parallel()
	w, gateway := newWorld(t), operator(t, graph.ScopeVerify)
	k := w.credential(t, "Europe")
	known := func(result string) string {
		return `{"data":{"verifyApiKey":{"result":"` + result + `","accountId":"` + w.account + `","keyId":"` + k.id + `"}}}`
	}
	unknown := `{"data":{"verifyApiKey":{"result":"INVALID","accountId":null,"keyId":null}}}`
	store := func(assignments string, args ...any) func() {
		return func() {
			shared(t).MustExec(`UPDATE api_keys SET `+assignments+` WHERE account_id = $1 AND key_id = $2`,
				append([]any{graph.ParseID(k.id).Account, uuidOf(k.id)}, args...)...)
		}
	}
	rotated := `secret_hash = sha256('new'::bytea), previous_secret_hash = sha256($3::text::bytea), previous_secret_expires_at = $4`
	for _, step := range []struct {
		name        string
		do          func()
		key, secret string
		want        string
	}{
		{"good", func() {}, k.key, k.secret, known("VALID")},
		{"wrong secret", func() {}, k.key, "wrong", unknown},
		{"no such key", func() {}, k.key[:len(k.key)-4] + "0000", k.secret, unknown},
		{"no such account", func() {}, "gwk" + strings.Repeat("0", 39), k.secret, unknown},
		{"what is no key", func() {}, "x", k.secret, unknown},
		{"key without a secret", func() {}, w.owner.text(t, `{ account { masterKey { key } } }`, nil, "account.masterKey.key"), "x", unknown},
		{"disabled", func() { w.setEnabled(t, k.id, false) }, k.key, k.secret, known("KEY_DISABLED")},
		{"disabled, wrong secret", func() {}, k.key, "wrong", unknown},
		{"disabled and suspended", func() { w.setStatus(t, graph.Suspended) }, k.key, k.secret, known("ACCOUNT_SUSPENDED")},
		{"suspended, wrong secret", func() {}, k.key, "wrong", unknown},
		{"disabled, no longer suspended", func() { w.setStatus(t, graph.Active) }, k.key, k.secret, known("KEY_DISABLED")},
		{"enabled", func() { w.setEnabled(t, k.id, true) }, k.key, k.secret, known("VALID")},
		{"the old secret within its time", store(rotated, k.secret, "2100-01-01"), k.key, k.secret, known("VALID")},
		{"the new secret", func() {}, k.key, "new", known("VALID")},
		{"the old secret past its time", store(rotated, k.secret, "2016-06-29"), k.key, k.secret, unknown},
		{"the new secret alone", func() {}, k.key, "new", known("VALID")},
		{"deleted", store(`secret_hash = NULL, secret_hint = NULL, secret_issued_at = NULL, previous_secret_hash = NULL,
			previous_secret_expires_at = NULL, deleted_at = '2016-06-29'`), k.key, "new", unknown},
	} {
		step.do()
		got := gateway.post(t, verify, map[string]any{"k": step.key, "s": step.secret})
		if diff := cmp.Diff(normal(t, []byte(step.want)), normal(t, got.Body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	args := map[string]any{"k": k.key, "s": k.secret}
	nobody().expect(t, verify, args, deniedTo("verifyApiKey", "UNAUTHENTICATED", signInFirst))
	w.owner.expect(t, verify, args, deniedTo("verifyApiKey", "FORBIDDEN", "This is not for callers of the kind USER."))
	operator(t, graph.ScopeAdmin).expect(t, verify, args, deniedTo("verifyApiKey", "FORBIDDEN", "This needs the scope VERIFY."))
	gateway.expect(t, verify, map[string]any{"k": "", "s": "x"}, `{"data":{"verifyApiKey":null},"errors":[{"message":"At least 1 character.",
		"path":["verifyApiKey"],"extensions":{"code":"BAD_USER_INPUT","argument":["key"]}}]}`)
}

const update = `mutation($in: UpdateAccountInput!) { updateAccount(input: $in) { userErrors { __typename code message path }
	account { status limits { maxUsers maxApiKeys maxUnitDepth } primaryUser { id role } } } }`

func TestUpdateAccount(t *testing.T) {
	t.Parallel()
	w, admin := newWorld(t), operator(t, graph.ScopeAdmin)
	next := w.user(t, invitee{role: graph.RoleReporting})
	absent := w.user(t, invitee{role: graph.RoleDeveloper})
	w.changed(t, absent.id, `UPDATE users SET status = 'DISABLED' WHERE account_id = $1 AND user_id = $2`, uuidOf(absent.id))
	foreign := newWorld(t)
	done := func(status, users, keys, depth, owner string) string {
		return `{"data":{"updateAccount":{"userErrors":[],"account":{"status":"` + status + `","limits":{"maxUsers":` + users + `,"maxApiKeys":` + keys + `,"maxUnitDepth":` + depth + `},"primaryUser":{"id":"` + owner + `","role":"PRIMARY"}}}}}`
	}
	refused := func(code, message, path string) string {
		return `{"data":{"updateAccount":{"userErrors":[{"__typename":"GeneralError","code":"` + code + `","message":"` + message + `","path":["input","` + path + `"]}],"account":null}}}`
	}
	type in = map[string]any
	for _, step := range []struct {
		name   string
		c      client
		in     in
		want   string
		events []string
	}{
		{"unauthenticated", nobody(), in{"accountId": w.account}, deniedTo("updateAccount", "UNAUTHENTICATED", signInFirst), nil},
		{"forbidden", w.owner.client, in{"accountId": w.account}, deniedTo("updateAccount", "FORBIDDEN", "This is not for callers of the kind USER."), nil},
		{"without the scope", operator(t, graph.ScopeSupport), in{"accountId": w.account}, deniedTo("updateAccount", "FORBIDDEN", "This needs the scope ADMIN."), nil},
		{"missing", admin, in{"accountId": "acc_" + strings.Repeat("0", 26)}, refused("NOT_FOUND", noObject, "accountId"), nil},
		{"malformed", admin, in{"accountId": "nonsense"}, refused("NOT_FOUND", noObject, "accountId"), nil},
		{"another kind", admin, in{"accountId": w.master}, refused("NOT_FOUND", noObject, "accountId"), nil},
		{"missing owner", admin, in{"accountId": w.account, "primaryUserId": "nonsense", "maxUsers": 9}, refused("NOT_FOUND", noObject, "primaryUserId"), nil},
		{"owner of another account", admin, in{"accountId": w.account, "primaryUserId": foreign.owner.id}, refused("NOT_FOUND", noObject, "primaryUserId"), nil},
		{"disabled owner", admin, in{"accountId": w.account, "primaryUserId": absent.id}, refused("INVALID_STATE", "The user is disabled; the primary user is an active one.", "primaryUserId"), nil},
		{"invalid", admin, in{"accountId": w.account, "maxUsers": 0}, `{"data":{"updateAccount":{"userErrors":[{"__typename":"ValidationError","code":"INVALID","message":"At least 1.",
			"path":["input","maxUsers"]}],"account":null}}}`, nil},
		{"no levels of units", admin, in{"accountId": w.account, "maxUnitDepth": 0}, `{"data":{"updateAccount":{"userErrors":[{"__typename":"ValidationError","code":"INVALID","message":"At least 1.",
			"path":["input","maxUnitDepth"]}],"account":null}}}`, nil},
		{"too many levels of units", admin, in{"accountId": w.account, "maxUnitDepth": 101}, `{"data":{"updateAccount":{"userErrors":[{"__typename":"ValidationError","code":"INVALID","message":"At most 100.",
			"path":["input","maxUnitDepth"]}],"account":null}}}`, nil},
		{"nothing", admin, in{"accountId": w.account}, done("ACTIVE", "100", "100", "32", w.owner.id), nil},
		{"what is so already", admin, in{"accountId": w.account, "status": "ACTIVE", "maxUsers": 100, "maxUnitDepth": 32, "primaryUserId": w.owner.id}, done("ACTIVE", "100", "100", "32", w.owner.id), nil},
		{"suspend, and lower than in use", admin, in{"accountId": w.account, "status": "SUSPENDED", "maxUsers": 2, "maxApiKeys": 1, "maxUnitDepth": 3}, done("SUSPENDED", "2", "1", "3", w.owner.id),
			[]string{"ACCOUNT_CHANGED Changed the account Test."}},
		{"repeated", admin, in{"accountId": w.account, "status": "SUSPENDED", "maxUsers": 2, "maxApiKeys": 1, "maxUnitDepth": 3}, done("SUSPENDED", "2", "1", "3", w.owner.id), nil},
		{"reactivate", admin, in{"accountId": w.account, "status": "ACTIVE"}, done("ACTIVE", "2", "1", "3", w.owner.id), []string{"ACCOUNT_CHANGED Changed the account Test."}},
		{"another owner", admin, in{"accountId": w.account, "primaryUserId": next.id}, done("ACTIVE", "2", "1", "3", next.id),
			[]string{"OWNERSHIP_TRANSFERRED " + name(next) + " is the owner now.", "USER_CAPABILITIES_CHANGED " + name(w.owner) + " is no longer the owner."}},
		{"another owner, repeated", admin, in{"accountId": w.account, "primaryUserId": next.id}, done("ACTIVE", "2", "1", "3", next.id), nil},
	} {
		reader := w
		if strings.HasPrefix(step.name, "another owner") {
			reader = &world{account: w.account, owner: next}
		}
		got := step.c.post(t, update, map[string]any{"in": step.in})
		if diff := cmp.Diff(normal(t, []byte(step.want)), normal(t, got.Body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
		if got := reader.events(t, len(step.events)+1)[:len(step.events)]; len(step.events) > 0 && !slices.Equal(got, step.events) {
			t.Errorf("%s: events %q, want %q", step.name, got, step.events)
		}
	}
	next.expect(t, `{ account { auditEvents(first: 20, filter: {actions: [ACCOUNT_CHANGED, OWNERSHIP_TRANSFERRED, USER_CAPABILITIES_CHANGED]}) { nodes {
		actor { ... on Operator { label scopes } } user { id } changes { field before after } } } } }`, nil, `{"data":{"account":{"auditEvents":{"nodes":[
		{"actor":{"label":"Test provider","scopes":null},"user":{"id":"`+next.id+`"},"changes":[{"field":"role","before":"REPORTING","after":"PRIMARY"},{"field":"capabilities","before":"VIEW_USAGE","after":"`+everyCapability+`"}]},
		{"actor":{"label":"Test provider","scopes":null},"user":{"id":"`+w.owner.id+`"},"changes":[{"field":"role","before":"PRIMARY","after":"REPORTING"},{"field":"capabilities","before":"`+everyCapability+`","after":"VIEW_USAGE"}]},
		{"actor":{"label":"Test provider","scopes":null},"user":null,"changes":[{"field":"status","before":"SUSPENDED","after":"ACTIVE"}]},
		{"actor":{"label":"Test provider","scopes":null},"user":null,"changes":[{"field":"status","before":"ACTIVE","after":"SUSPENDED"},
			{"field":"maxUsers","before":"100","after":"2"},{"field":"maxApiKeys","before":"100","after":"1"},{"field":"maxUnitDepth","before":"32","after":"3"}]}]}}}}`)
	w.owner.expect(t, `{ viewer { user { role isPrimary } } account { apiKeys { nodes { name } } } }`, nil,
		`{"data":{"viewer":{"user":{"role":"REPORTING","isPrimary":false}},"account":{"apiKeys":{"nodes":[{"name":"Master key"}]}}}}`)
	next.expect(t, `mutation { createApiKey(input: {name: "More", kind: OTHER}) { userErrors { code ... on LimitError { limit } } } }`, nil,
		`{"data":{"createApiKey":{"userErrors":[{"code":"LIMIT_REACHED","limit":1}]}}}`)
}

// everyCapability is how the trail writes what an owner may do.
const everyCapability = "VIEW_USAGE, ROTATE_SECRETS, MANAGE_KEYS, MANAGE_USERS, MANAGE_GRANTS, MANAGE_TOKENS, VIEW_BILLING, MANAGE_PAYMENTS, MANAGE_NUMBERS, VIEW_AUDIT"

// name is the display name of somebody who gave none.
func name(m member) string { return strings.TrimSuffix(m.email, "@test.example") }

// TestOneOwnerUnderConcurrency gives one account to several users at once.
func TestOneOwnerUnderConcurrency(t *testing.T) {
	t.Parallel()
	w, admin := newWorld(t), operator(t, graph.ScopeAdmin)
	candidates := []member{w.owner, w.user(t, invitee{role: graph.RoleAdministrator}), w.user(t, invitee{role: graph.RoleReporting})}
	var wait sync.WaitGroup
	for round := range 20 {
		for i := range candidates {
			wait.Go(func() {
				a := admin.post(t, update, map[string]any{"in": map[string]any{"accountId": w.account, "primaryUserId": candidates[(i+round)%3].id}})
				if a.code(t) != "" || strings.Contains(string(a.Body), `"code"`) {
					t.Errorf("refused: %s", a.Body)
				}
			})
		}
		wait.Go(func() { // an owner who changes something locks their own row first
			candidates[round%3].post(t, `mutation { createApiKey(input: {name: "More", kind: OTHER}) { userErrors { code } } }`, nil)
		})
		wait.Wait()
		var owners int
		if err := shared(t).Get(&owners, `SELECT count(*) FROM users WHERE account_id = $1 AND is_primary`, graph.ParseID(w.account).Account); err != nil || owners != 1 {
			t.Fatalf("%d owners, %v", owners, err)
		}
	}
}

// TestAccounts pages the provider's accounts, with their owners and master keys.
func TestAccounts(t *testing.T) {
	t.Parallel()
	marker := strings.TrimSuffix(address(), "@test.example") + " "
	provider, w := operator(t, graph.ScopeAdmin), newWorld(t)
	var expected []any
	for _, n := range []string{"Alpha", "beta", "Gamma"} {
		provider.ask(t, `mutation($n: String!, $e: String!) { createAccount(input: {name: $n, currency: "EUR", primaryEmail: $e}) { userErrors { code } } }`,
			map[string]any{"n": marker + n, "e": address()}, "createAccount")
		expected = append(expected, map[string]any{"name": marker + n, "primaryUser": nil, "masterKey": map[string]any{"name": "Master key"}})
	}
	query := `query($s: String, $after: String) { accounts(first: 2, after: $after, search: $s) { totalCount pageInfo { hasNextPage hasPreviousPage endCursor }
		nodes { name primaryUser { id } masterKey { name } } } }`
	support := operator(t, graph.ScopeSupport)
	first := support.ask(t, query, map[string]any{"s": strings.ToUpper(marker)}, "accounts").(map[string]any)
	second := support.ask(t, query, map[string]any{"s": marker, "after": first["pageInfo"].(map[string]any)["endCursor"]}, "accounts").(map[string]any)
	got := append(first["nodes"].([]any), second["nodes"].([]any)...)
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	if first["totalCount"] != 3.0 || first["pageInfo"].(map[string]any)["hasNextPage"] != true || second["pageInfo"].(map[string]any)["hasPreviousPage"] != true {
		t.Errorf("pages: %v, %v", first, second)
	}
	found := support.ask(t, `query($id: ID!) { nodes(ids: [$id]) { ... on Account { name primaryUser { id email } masterKey { id } } } accounts(search: "test") { edges { node { id primaryUser { id } masterKey { id } } } } }`,
		map[string]any{"id": w.account}, "accounts.edges")
	if len(found.([]any)) == 0 {
		t.Error("no account is found by a part of its name")
	}
	w.owner.expect(t, `{ accounts { totalCount } }`, nil, deniedTo("accounts", "FORBIDDEN", "This is not for callers of the kind USER."))
	support.expect(t, `{ accounts(after: "nonsense") { totalCount } }`, nil, `{"data":{"accounts":null},"errors":[{"message":"The cursor does not belong to this list and order.",
		"path":["accounts"],"extensions":{"code":"BAD_USER_INPUT","argument":["after"]}}]}`)
}
