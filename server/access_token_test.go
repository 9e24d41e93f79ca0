package server_test

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"grantwood/db/dbtest"
	"grantwood/graph"
)

// shared gives a connection to the database that all tests share, for what no mutation does.
func shared(t *testing.T) *sqlx.DB {
	t.Helper()
	return sql(t, dbtest.SharedName())
}

// uuidOf gives the UUID that an ID names.
func uuidOf(id string) graph.UUID { return graph.ParseID(id).Object }

// changed runs a statement about an account as another part of the product would, and raises the version of the rules about
// a user of it, as that would do.
func (w *world) changed(t *testing.T, user, statement string, args ...any) {
	t.Helper()
	pool, account := shared(t), graph.ParseID(w.account).Account
	pool.MustExec(statement, append([]any{account}, args...)...)
	pool.MustExec(`UPDATE users SET rules_version = rules_version + 1 WHERE account_id = $1 AND user_id = $2`, account, uuidOf(user))
}

const createToken = `mutation($in: CreateAccessTokenInput!) { createAccessToken(input: $in) {
	userErrors { __typename code message path } token accessToken { id name hint capabilities keys { name } status createdBy { id } lastUsedAt expiresAt } } }`

const revokeToken = `mutation($id: ID!) { revokeAccessToken(input: {accessTokenId: $id}) {
	userErrors { __typename code message path } accessToken { name status keys { name } } } }`

func inAnHour() string {
	return time.Now().UTC().Add(time.Hour).Truncate(time.Second).Format(time.RFC3339)
}

// tokenOf makes an access token as somebody and gives a caller with it, and its ID.
func tokenOf(t testing.TB, c client, capabilities []graph.Capability, keys ...string) (client, string) {
	t.Helper()
	a := c.ask(t, createToken, map[string]any{"in": map[string]any{"name": "Partner", "capabilities": capabilities, "keyIds": keys, "expiresAt": inAnHour()}},
		"createAccessToken").(map[string]any)
	return client{c.api, text(a, "token")}, text(a["accessToken"].(map[string]any), "id")
}

var usageOnly = []graph.Capability{graph.ViewUsage}

// events gives the newest events of an account, as its owner reads them, in the form "ACTION summary".
func (w *world) events(t testing.TB, n int) []string {
	t.Helper()
	list := []string{}
	for _, e := range nodes(w.owner.ask(t, `query($n: Int!) { account { auditEvents(first: $n) { nodes { action summary } } } }`, map[string]any{"n": n}, "account").(map[string]any), "auditEvents") {
		list = append(list, text(e, "action")+" "+text(e, "summary"))
	}
	return list
}

const noObject = "There is no such object, or it is not visible to you."

func TestCreateAccessToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, end := w.key(t, "Europe"), inAnHour()
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{europe}})
	var texts []any
	for range 2 { // a repeat makes another token
		a := admin.post(t, createToken, map[string]any{"in": map[string]any{"name": "Partner", "keyIds": []string{europe, w.master},
			"capabilities": []graph.Capability{graph.RotateSecrets, graph.ViewUsage}, "expiresAt": end}})
		token, _ := a.at(t, "createAccessToken.token").(string)
		if len(token) != 107 || token[:4] != "gwt_" {
			t.Fatalf("token %q: %s", token, a.Body)
		}
		texts = append(texts, token)
		got := a.at(t, "createAccessToken.accessToken").(map[string]any)
		delete(got, "id")
		want := map[string]any{"name": "Partner", "hint": token[103:], "capabilities": []any{"VIEW_USAGE", "ROTATE_SECRETS"}, "status": "ACTIVE",
			"keys": []any{map[string]any{"name": "Europe"}, map[string]any{"name": "Master key"}}, "createdBy": map[string]any{"id": admin.id}, "lastUsedAt": nil, "expiresAt": end}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("done (-want +got):\n%s", diff)
		}
	}
	if texts[0] == texts[1] {
		t.Error("two tokens are one")
	}
	w.owner.expect(t, `{ account { accessTokens { totalCount nodes { name createdBy { id } keys { name } } } auditEvents(first: 1) { nodes { action actorLabel summary key { id } changes { field before after } } } } }`, nil,
		`{"data":{"account":{"accessTokens":{"totalCount":2,"nodes":[{"name":"Partner","createdBy":{"id":"`+admin.id+`"},"keys":[{"name":"Master key"},{"name":"Europe"}]},
			{"name":"Partner","createdBy":{"id":"`+admin.id+`"},"keys":[{"name":"Master key"},{"name":"Europe"}]}]},
		"auditEvents":{"nodes":[{"action":"TOKEN_CREATED","actorLabel":"`+admin.email[:len(admin.email)-len("@test.example")]+`","summary":"Created the access token Partner.","key":null,
			"changes":[{"field":"capabilities","before":null,"after":"VIEW_USAGE, ROTATE_SECRETS"},{"field":"expiresAt","before":null,"after":"`+end+`"}]}]}}}}`)
}

func TestCreateAccessTokenIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, asia := w.key(t, "Europe"), w.key(t, "Asia")
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{europe}})
	create := func(c client, in map[string]any) answer {
		full := map[string]any{"name": "Partner", "capabilities": usageOnly, "keyIds": []string{europe}, "expiresAt": inAnHour()}
		maps.Copy(full, in)
		return c.post(t, createToken, map[string]any{"in": full})
	}
	reporting := w.user(t, invitee{role: graph.RoleReporting})
	limited := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageTokens, graph.ViewUsage}, keys: []string{europe}})
	foreign := newWorld(t)
	general := func(code, message, path string) string {
		return `{"data":{"createAccessToken":{"userErrors":[{"__typename":"GeneralError","code":"` + code + `","message":"` + message + `","path":` + path + `}],"token":null,"accessToken":null}}}`
	}
	rule := func(message, path string) string {
		return `{"data":{"createAccessToken":{"userErrors":[{"__typename":"ValidationError","code":"INVALID","message":"` + message + `","path":` + path + `}],"token":null,"accessToken":null}}}`
	}
	hidden := general("NOT_FOUND", noObject, `["input","keyIds","1"]`)
	for _, row := range []struct {
		name string
		c    client
		in   map[string]any
		want string
	}{
		{"unauthenticated", nobody(), nil, deniedTo("createAccessToken", "UNAUTHENTICATED", signInFirst)},
		{"forbidden", reporting.client, nil, deniedTo("createAccessToken", "FORBIDDEN", "This needs the capability MANAGE_TOKENS.")},
		{"operator", operator(t, graph.ScopeAdmin), nil, deniedTo("createAccessToken", "FORBIDDEN", "This is not for callers of the kind OPERATOR.")},
		{"hidden", admin.client, map[string]any{"keyIds": []string{europe, asia}}, hidden},
		{"missing", admin.client, map[string]any{"keyIds": []string{europe, europe[:len(europe)-8] + "00000000"}}, hidden},
		{"malformed", admin.client, map[string]any{"keyIds": []string{europe, "nonsense"}}, hidden},
		{"foreign", admin.client, map[string]any{"keyIds": []string{europe, foreign.master}}, hidden},
		{"no name", admin.client, map[string]any{"name": ""}, rule("At least 1 character.", `["input","name"]`)},
		{"no keys", admin.client, map[string]any{"keyIds": []string{}}, rule("At least 1 element.", `["input","keyIds"]`)},
		{"a key twice", admin.client, map[string]any{"keyIds": []string{europe, europe}}, rule("No element may be given twice.", `["input","keyIds"]`)},
		{"no capabilities", admin.client, map[string]any{"capabilities": []string{}}, rule("At least 1 element.", `["input","capabilities"]`)},
		{"a capability that no token may hold", admin.client, map[string]any{"capabilities": []string{"MANAGE_GRANTS"}},
			general("NOT_ALLOWED", "A token may hold VIEW_USAGE and ROTATE_SECRETS only.", `["input","capabilities"]`)},
		{"a capability that the creator lacks", limited.client, map[string]any{"capabilities": []string{"ROTATE_SECRETS"}},
			general("NOT_ALLOWED", "Nobody gives a capability that they do not hold.", `["input","capabilities"]`)},
		{"an end in the past", admin.client, map[string]any{"expiresAt": "2016-06-29T00:00:00Z"},
			general("INVALID", "The end of a token lies in the future.", `["input","expiresAt"]`)},
		{"an end too far ahead", admin.client, map[string]any{"expiresAt": time.Now().AddDate(1, 0, 2).Format(time.RFC3339)},
			general("INVALID", "A token is valid for a year at most.", `["input","expiresAt"]`)},
	} {
		got := create(row.c, row.in)
		if diff := cmp.Diff(normal(t, []byte(row.want)), normal(t, got.Body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
	if got := w.owner.ask(t, `{ account { accessTokens { totalCount } } }`, nil, "account.accessTokens.totalCount"); got != 0.0 {
		t.Errorf("%v tokens after refusals", got)
	}
}

func TestRevokeAccessToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe := w.key(t, "Europe")
	tokens := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageTokens}, withoutMaster: true})
	reporting := w.user(t, invitee{role: graph.RoleReporting})
	partner, id := tokenOf(t, w.owner.client, usageOnly, europe)
	other := newWorld(t)
	_, foreign := tokenOf(t, other.owner.client, usageOnly, other.master)
	if diff := cmp.Diff([]string{"Europe"}, partner.names(t)); diff != "" {
		t.Fatalf("before (-want +got):\n%s", diff)
	}
	missing := `{"data":{"revokeAccessToken":{"userErrors":[{"__typename":"GeneralError","code":"NOT_FOUND","message":"` + noObject + `","path":["input","accessTokenId"]}],"accessToken":null}}}`
	done := `{"data":{"revokeAccessToken":{"userErrors":[],"accessToken":{"name":"Partner","status":"REVOKED","keys":[]}}}}`
	for _, row := range []struct {
		name string
		c    client
		id   string
		want string
	}{
		{"unauthenticated", nobody(), id, deniedTo("revokeAccessToken", "UNAUTHENTICATED", signInFirst)},
		{"forbidden", reporting.client, id, deniedTo("revokeAccessToken", "FORBIDDEN", "This needs the capability MANAGE_TOKENS.")},
		{"by the token", partner, id, deniedTo("revokeAccessToken", "FORBIDDEN", "This is not for callers of the kind TOKEN.")},
		{"of another account, hidden", tokens.client, foreign, missing},
		{"missing", tokens.client, id[:len(id)-8] + "00000000", missing},
		{"malformed", tokens.client, "nonsense", missing},
		{"another kind", tokens.client, europe, missing},
		{"done, by somebody who does not see its keys", tokens.client, id, done},
		{"repeated", tokens.client, id, done},
	} {
		got := row.c.post(t, revokeToken, map[string]any{"id": row.id})
		if diff := cmp.Diff(normal(t, []byte(row.want)), normal(t, got.Body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
	partner.expect(t, `{ viewer { kind } }`, nil, deniedTo("viewer", "UNAUTHENTICATED", signInFirst))
	want := []string{"TOKEN_REVOKED Revoked the access token Partner.", "TOKEN_CREATED Created the access token Partner."}
	if diff := cmp.Diff(want, w.events(t, 2)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
