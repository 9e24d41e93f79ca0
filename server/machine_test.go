package server_test

import (
	"encoding/base64"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

// keyed calls as a key with its secret.
func keyed(a api, key, secret string) client {
	return client{a, "Basic " + base64.StdEncoding.EncodeToString([]byte(key+":"+secret))}
}

// credential is a key made by the owner of a world, with its secret.
type credential struct{ id, key, secret string }

func (w *world) credential(t testing.TB, name string) credential {
	t.Helper()
	a := w.owner.ask(t, `mutation($name: String!) { createApiKey(input: {name: $name, kind: OTHER}) { userErrors { message } secret key { id key } } }`,
		map[string]any{"name": name}, "createApiKey").(map[string]any)
	key := a["key"].(map[string]any)
	return credential{text(key, "id"), text(key, "key"), text(a, "secret")}
}

func (w *world) setEnabled(t testing.TB, key string, enabled bool) {
	t.Helper()
	w.owner.ask(t, `mutation($k: ID!, $e: Boolean!) { setApiKeyEnabled(input: {keyId: $k, enabled: $e}) { userErrors { message } } }`,
		map[string]any{"k": key, "e": enabled}, "setApiKeyEnabled")
}

// setStatus suspends or reactivates the account of a world.
func (w *world) setStatus(t testing.TB, s graph.AccountStatus) {
	t.Helper()
	operator(t, graph.ScopeAdmin).ask(t, `mutation($a: ID!, $s: AccountStatus!) { updateAccount(input: {accountId: $a, status: $s}) { userErrors { message } } }`,
		map[string]any{"a": w.account, "s": s}, "updateAccount")
}

const whoAmI = `{ viewer { kind capabilities user { id } accessToken { id name keys { name } createdBy { id } } apiKey { name } operator { label } account { id } } }`

// TestTokenShrinksWithItsCreator switches what a token's creator may see and do, and asks the token at the next request.
func TestTokenShrinksWithItsCreator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, asia := w.key(t, "Europe"), w.key(t, "Asia")
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{europe, asia}})
	partner, id := tokenOf(t, admin.client, []graph.Capability{graph.ViewUsage, graph.RotateSecrets}, europe, asia)
	gone := deniedTo("viewer", "UNAUTHENTICATED", signInFirst)
	sees := func(capabilities, keys string) string {
		return `{"data":{"viewer":{"kind":"TOKEN","capabilities":[` + capabilities + `],"user":null,"accessToken":{"id":"` + id + `","name":"Partner",
			"keys":[` + keys + `],"createdBy":null},"apiKey":null,"operator":null,"account":{"id":"` + w.account + `"}}}}`
	}
	inEurope, inBoth := `{"name":"Europe"}`, `{"name":"Europe"},{"name":"Asia"}`
	both := `"VIEW_USAGE","ROTATE_SECRETS"`
	set := func(column, value string) func() {
		return func() {
			w.changed(t, admin.id, `UPDATE users SET `+column+` = $3 WHERE account_id = $1 AND user_id = $2`, uuidOf(admin.id), value)
		}
	}
	for _, step := range []struct {
		name string
		do   func()
		want string
		keys []string
	}{
		{"as made", func() {}, sees(both, inBoth), []string{"Asia", "Europe"}},
		{"a grant of the creator is switched off", func() { w.grant(t, admin.id, asia, graph.GrantDisabled) }, sees(both, inEurope), []string{"Europe"}},
		{"and reset", func() { w.grant(t, admin.id, europe, graph.GrantInherit) }, sees(both, ""), []string{}},
		{"and on again", func() {
			w.grant(t, admin.id, asia, graph.GrantEnabled)
			w.grant(t, admin.id, europe, graph.GrantEnabled)
		}, sees(both, inBoth), []string{"Asia", "Europe"}},
		{"a key is enabled for the creator that the token does not list", func() { w.grant(t, admin.id, w.key(t, "New"), graph.GrantEnabled) },
			sees(both, inBoth), []string{"Asia", "Europe"}},
		{"a key is disabled for the provider", func() { w.setEnabled(t, asia, false) }, sees(both, inBoth), []string{"Asia", "Europe"}},
		{"the creator loses a capability", set("granted", "{VIEW_USAGE,MANAGE_KEYS}"), sees(`"VIEW_USAGE"`, inBoth), []string{"Asia", "Europe"}},
		{"all of them", set("granted", "{}"), sees("", inBoth), []string{"Asia", "Europe"}},
		{"and gets them again", set("granted", "{VIEW_USAGE,ROTATE_SECRETS}"), sees(both, inBoth), []string{"Asia", "Europe"}},
		{"the account is suspended", func() { w.setStatus(t, graph.Suspended) }, sees(both, inBoth), []string{"Asia", "Europe"}},
		{"the creator is disabled", set("status", "DISABLED"), gone, nil},
		{"and enabled", set("status", "ACTIVE"), sees(both, inBoth), []string{"Asia", "Europe"}},
		{"the token expires", func() {
			shared(t).MustExec(`UPDATE access_tokens SET created_at = '2016-06-29', expires_at = '2016-06-30' WHERE account_id = $1 AND token_id = $2`, graph.ParseID(id).Account, uuidOf(id))
		}, gone, nil},
		{"the creator is removed", func() {
			shared(t).MustExec(`DELETE FROM users WHERE account_id = $1 AND user_id = $2`, graph.ParseID(id).Account, uuidOf(admin.id))
		}, gone, nil},
	} {
		step.do()
		got := partner.post(t, whoAmI, nil)
		if diff := cmp.Diff(normal(t, []byte(step.want)), normal(t, got.Body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
		if step.keys == nil {
			continue
		}
		if diff := cmp.Diff(step.keys, partner.names(t)); diff != "" {
			t.Errorf("%s, keys (-want +got):\n%s", step.name, diff)
		}
	}
	if n := partner.srv.Hits(); n != 0 {
		t.Errorf("@visible caught %d", n)
	}
}

// TestTokenOfFormerOwner shrinks to what is enabled for them.
func TestTokenOfFormerOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, asia := w.key(t, "Europe"), w.key(t, "Asia")
	partner, _ := tokenOf(t, w.owner.client, []graph.Capability{graph.ViewUsage, graph.RotateSecrets}, europe, w.master)
	next := w.user(t, invitee{role: graph.RoleReporting})
	ofNext, _ := tokenOf(t, w.owner.client, usageOnly, asia)
	check := func(when string, keys []string, capabilities ...any) {
		t.Helper()
		if diff := cmp.Diff(keys, partner.names(t)); diff != "" {
			t.Errorf("%s, keys (-want +got):\n%s", when, diff)
		}
		if diff := cmp.Diff(capabilities, partner.ask(t, `{ viewer { capabilities } }`, nil, "viewer.capabilities")); diff != "" {
			t.Errorf("%s, capabilities (-want +got):\n%s", when, diff)
		}
	}
	check("of the owner", []string{"Europe", "Master key"}, "VIEW_USAGE", "ROTATE_SECRETS")
	operator(t, graph.ScopeAdmin).ask(t, `mutation($a: ID!, $u: ID!) { updateAccount(input: {accountId: $a, primaryUserId: $u}) { userErrors { message } } }`,
		map[string]any{"a": w.account, "u": next.id}, "updateAccount")
	check("of the former owner", []string{"Master key"}, "VIEW_USAGE")
	if diff := cmp.Diff([]string{}, ofNext.names(t)); diff != "" {
		t.Errorf("another one of the former owner (-want +got):\n%s", diff)
	}
	next.ask(t, `mutation($u: ID!, $k: ID!) { setGrant(input: {userId: $u, keyId: $k, state: ENABLED}) { userErrors { message } } }`,
		map[string]any{"u": w.owner.id, "k": europe}, "setGrant")
	check("enabled again by the new owner", []string{"Europe", "Master key"}, "VIEW_USAGE")
}

// TestMachinesSeeNobody asks a token and a key for everything that is about people.
func TestMachinesSeeNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.credential(t, "Europe")
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{k.id}})
	partner, id := tokenOf(t, admin.client, usageOnly, k.id)
	_, other := tokenOf(t, admin.client, usageOnly, k.id)
	grant := admin.text(t, `query($k: ID!) { viewer { user { grant(keyId: $k) { id } } } }`, map[string]any{"k": k.id}, "viewer.user.grant.id")
	for kind, c := range map[string]client{"TOKEN": partner, "KEY": keyed(partner.api, k.key, k.secret)} {
		c.expect(t, `{ account { id primaryUser { id } users { totalCount nodes { id } edges { node { id } } } grants { totalCount nodes { id } }
			masterKey { id } apiKeys { totalCount nodes { name secretHint viewerCanManage viewerGrant { id } grants { totalCount nodes { id } } } } } }`, nil,
			`{"data":{"account":{"id":"`+w.account+`","primaryUser":null,"users":{"totalCount":0,"nodes":[],"edges":[]},"grants":{"totalCount":0,"nodes":[]},
			"masterKey":null,"apiKeys":{"totalCount":1,"nodes":[{"name":"Europe","secretHint":null,"viewerCanManage":false,"viewerGrant":null,"grants":{"totalCount":0,"nodes":[]}}]}}}}`)
		for _, field := range []string{"invitations", "auditEvents", "accessTokens"} {
			c.expect(t, `{ account { `+field+` { nodes { id } } } }`, nil, `{"data":{"account":{"`+field+`":null}},"errors":[{"message":"This is not for callers of the kind `+kind+`.",
				"path":["account","`+field+`"],"extensions":{"code":"FORBIDDEN"}}]}`)
		}
		self := "null"
		if kind == "TOKEN" {
			self = `{"id":"` + id + `"}`
		}
		c.expect(t, `query($ids: [ID!]!) { nodes(ids: $ids) { id } }`, map[string]any{"ids": []string{w.owner.id, admin.id, grant, w.master, other, id, k.id, w.account}},
			`{"data":{"nodes":[null,null,null,null,null,`+self+`,{"id":"`+k.id+`"},{"id":"`+w.account+`"}]}}`)
	}
	if n := partner.srv.Hits(); n != 0 {
		t.Errorf("@visible caught %d", n)
	}
}

// TestKeyAsViewer switches a key and its secrets, and calls with it at the next request.
func TestKeyAsViewer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.credential(t, "Europe")
	c := keyed(w.owner.api, k.key, k.secret)
	good := `{"data":{"viewer":{"kind":"KEY","capabilities":["VIEW_USAGE"],"user":null,"accessToken":null,"apiKey":{"name":"Europe"},"operator":null,"account":{"id":"` + w.account + `"}}}}`
	bad := deniedTo("viewer", "UNAUTHENTICATED", signInFirst)
	secrets := func(current, previous, ends string) func() {
		return func() {
			shared(t).MustExec(`UPDATE api_keys SET secret_hash = sha256($3::text::bytea), previous_secret_hash = sha256($4::text::bytea), previous_secret_expires_at = $5
				WHERE account_id = $1 AND key_id = $2`, graph.ParseID(k.id).Account, uuidOf(k.id), current, previous, ends)
		}
	}
	for _, step := range []struct {
		name string
		do   func()
		c    client
		want string
	}{
		{"the secret", func() {}, c, good},
		{"another secret", func() {}, keyed(c.api, k.key, k.secret+"x"), bad},
		{"no secret", func() {}, keyed(c.api, k.key, ""), bad},
		{"no such key", func() {}, keyed(c.api, k.key[:len(k.key)-4]+"0000", k.secret), bad},
		{"what is no key", func() {}, keyed(c.api, "nonsense", k.secret), bad},
		{"a key of no account", func() {}, keyed(c.api, "gwk0000", k.secret), bad},
		{"a key without a secret", func() {}, keyed(c.api, w.owner.text(t, `{ account { masterKey { key } } }`, nil, "account.masterKey.key"), ""), bad},
		{"suspended", func() { w.setStatus(t, graph.Suspended) }, c, good},
		{"not suspended", func() { w.setStatus(t, graph.Active) }, c, good},
		{"disabled", func() { w.setEnabled(t, k.id, false) }, c, bad},
		{"enabled", func() { w.setEnabled(t, k.id, true) }, c, good},
		{"replaced, within its time", secrets("new", k.secret, "2100-01-01"), c, good},
		{"the new one", func() {}, keyed(c.api, k.key, "new"), good},
		{"replaced, past its time", secrets("new", k.secret, "2016-06-29"), c, bad},
		{"deleted", func() {
			shared(t).MustExec(`UPDATE api_keys SET secret_hash = NULL, secret_hint = NULL, secret_issued_at = NULL, previous_secret_hash = NULL, previous_secret_expires_at = NULL, deleted_at = '2016-06-29'
				WHERE account_id = $1 AND key_id = $2`, graph.ParseID(k.id).Account, uuidOf(k.id))
		}, keyed(c.api, k.key, "new"), bad},
	} {
		step.do()
		got := step.c.post(t, whoAmI, nil)
		if diff := cmp.Diff(normal(t, []byte(step.want)), normal(t, got.Body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}
