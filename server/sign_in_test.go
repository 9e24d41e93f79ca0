package server_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

var toSignIn = mutation{
	field: "signIn", inputType: "SignInInput", results: []string{"sessionToken", "expiresAt", "viewer"},
	selection: "sessionToken expiresAt viewer { kind user { id email lastSignInAt } account { id } capabilities operator { label } }",
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	t.Run("done", signInDone)
	t.Run("repeated", signInRepeated)
	t.Run("hidden or missing", signInHidden)
	t.Run("invalid", signInInvalid)
	t.Run("in another session", signInElsewhere)
	t.Run("then more in one operation", signInThenMore)
}

// started checks an answer that starts a session and gives the token.
func started(t testing.TB, a answer, field string) client {
	t.Helper()
	token, _ := a.at(t, field+".sessionToken").(string)
	if token == "" {
		t.Fatalf("no session: %s", a.Body)
	}
	if left := time.Until(instant(t, a.at(t, field+".expiresAt"))); left < 7*24*time.Hour-time.Minute || left > 7*24*time.Hour {
		t.Errorf("the session ends after %v", left)
	}
	return client{sharedAPI(), token}
}

// instant reads a DateTime of an answer.
func instant(t testing.TB, value any) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, fmt.Sprint(value))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// enter signs somebody in; the account is optional.
func enter(t testing.TB, email, account string) client {
	t.Helper()
	in := input{"email": email, "password": password}
	if account != "" {
		in["accountId"] = account
	}
	return started(t, nobody().done(t, toSignIn, in), "signIn")
}

// is compares who c is.
func (c client) is(t testing.TB, user, account string) {
	t.Helper()
	c.expect(t, `{ viewer { kind user { id } account { id } } }`, nil,
		fmt.Sprintf(`{"data":{"viewer":{"kind":"USER","user":{"id":%q},"account":{"id":%q}}}}`, user, account))
}

// isNobody checks that c is not signed in.
func (c client) isNobody(t testing.TB) {
	t.Helper()
	c.expect(t, `{ viewer { kind } }`, nil, `{"data":{"viewer":null},"errors":[{"path":["viewer"],"extensions":{"code":"UNAUTHENTICATED"}}]}`)
}

func signInDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.user(t, invitee{role: graph.RoleDeveloper})
	before := instant(t, u.text(t, `{ viewer { user { lastSignInAt } } }`, nil, "viewer.user.lastSignInAt"))
	a := nobody().done(t, toSignIn, input{"email": strings.ToUpper(u.email), "password": password})
	started(t, a, "signIn").is(t, u.id, w.account)
	if last := instant(t, a.at(t, "signIn.viewer.user.lastSignInAt")); !last.After(before) {
		t.Errorf("last sign-in at %v is not later than %v", last, before)
	}
	want := map[string]any{"kind": "USER", "account": map[string]any{"id": w.account}, "operator": nil,
		"user":         map[string]any{"id": u.id, "email": u.email, "lastSignInAt": a.at(t, "signIn.viewer.user.lastSignInAt")},
		"capabilities": []any{"VIEW_USAGE", "ROTATE_SECRETS"}}
	if diff := cmp.Diff(want, a.at(t, "signIn.viewer")); diff != "" {
		t.Errorf("viewer (-want +got):\n%s", diff)
	}
	w.tells(t, a, event{Action: "SIGNED_IN", Actor: u.id, ActorLabel: u.display(), User: u.id, Summary: u.display() + " signed in.", IPAddress: "127.0.0.1"})
}

// name is what somebody is called who joined without giving a name.
func (m member) display() string {
	name, _, _ := strings.Cut(m.email, "@")
	return name
}

// signInRepeated: every sign-in starts a session, and leaves the others alone.
func signInRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := enter(t, w.owner.email, ""), enter(t, w.owner.email, "")
	if first.token == second.token {
		t.Error("two sessions have one token")
	}
	for _, c := range []client{w.owner.client, first, second} {
		c.is(t, w.owner.id, w.account)
	}
}

var badCredentials = toSignIn.refused(problem("INVALID_CREDENTIALS", "input"))

// signInHidden: who may not enter gets one answer, the same to the byte, whatever the reason, be the account hidden or missing.
func signInHidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.user(t, invitee{role: graph.RoleReporting})
	w.disable(t, u.id)
	w.unchanged(t, func() {
		var first []byte
		for reason, in := range map[string]input{
			"unknown address":            {"email": address(), "password": password},
			"wrong password":             {"email": w.owner.email, "password": password + "!"},
			"disabled user":              {"email": u.email, "password": password},
			"disabled user with account": {"email": u.email, "password": password, "accountId": w.account},
			"account of others":          {"email": w.owner.email, "password": password, "accountId": otherWorld(t).account},
			"no account":                 {"email": w.owner.email, "password": password, "accountId": w.owner.id},
			"malformed account":          {"email": w.owner.email, "password": password, "accountId": "acc_nonsense"},
		} {
			a := nobody().fails(t, toSignIn, in, badCredentials)
			if first == nil {
				first = a.Body
			}
			if !bytes.Equal(first, a.Body) || a.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s: %v %s\nothers: %s", reason, a.Header, a.Body, first)
			}
		}
	})
}

func signInInvalid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		email, password string
		want            []string
	}{
		{"nobody", "", []string{violation("input.email", "email"), violation("input.password", "min=1")}},
		{"", strings.Repeat("x", 201), []string{violation("input.email", "email"), violation("input.password", "max=200")}},
		{tooLong, "x", []string{violation("input.email", "max=254")}},
	} {
		nobody().fails(t, toSignIn, input{"email": c.email, "password": c.password}, toSignIn.refused(c.want...))
	}
}

// tooLong is an address, but of more than 254 characters.
var tooLong = "person@" + strings.Repeat("long.", 50) + "example"

// signInElsewhere: signing in while signed in makes the caller the new person, in that session only.
func signInElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.user(t, invitee{role: graph.RoleReporting})
	a := w.owner.done(t, toSignIn, input{"email": u.email, "password": password})
	if id := a.at(t, "signIn.viewer.user.id"); id != u.id {
		t.Errorf("the viewer is %v, not %s", id, u.id)
	}
	started(t, a, "signIn").is(t, u.id, w.account)
	w.owner.is(t, w.owner.id, w.account)
}

// signInThenMore: what follows in the same operation runs as the person who has signed in, the payload included.
func signInThenMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.user(t, invitee{role: graph.RoleAdministrator})
	w.key(t, "Hidden")
	a := nobody().expect(t, `mutation($in: SignInInput!) {
		before: setApiKeyEnabled(input: {keyId: "key_x", enabled: true}) { userErrors { code } }
		signIn(input: $in) { userErrors { code } viewer { user { id role } account { apiKeys { totalCount nodes { name } } } } }
		createApiKey(input: {name: "Made", kind: REGION}) { userErrors { code } key { name viewerCanManage viewerGrant { enabled source } } }
		createAccount(input: {name: "A", currency: "EUR", primaryEmail: "a@b.example"}) { userErrors { code } }
		signOut { userErrors { code } endedSessions }
		after: setApiKeyEnabled(input: {keyId: "key_x", enabled: true}) { userErrors { code } }
	}`, variables(input{"email": admin.email, "password": password}), `{"data":{
		"before":null,
		"signIn":{"userErrors":[],"viewer":{"user":{"id":"`+admin.id+`","role":"ADMINISTRATOR"},
			"account":{"apiKeys":{"totalCount":1,"nodes":[{"name":"Master key"}]}}}},
		"createApiKey":{"userErrors":[],"key":{"name":"Made","viewerCanManage":true,"viewerGrant":{"enabled":true,"source":"EXPLICIT"}}},
		"createAccount":null,
		"signOut":{"userErrors":[],"endedSessions":1},
		"after":null},
		"errors":[{"path":["after"],"extensions":{"code":"UNAUTHENTICATED"}},{"path":["before"],"extensions":{"code":"UNAUTHENTICATED"}},
			{"path":["createAccount"],"extensions":{"code":"FORBIDDEN"}}]}`)
	key := w.owner.text(t, `{ account { apiKeys(filter: {search: "made"}) { nodes { id } } } }`, nil, "account.apiKeys.nodes.0.id")
	as := event{Actor: admin.id, ActorLabel: admin.display(), User: admin.id, IPAddress: "127.0.0.1"}
	in, made, granted, out := as, as, as, as
	in.Action, in.Summary = "SIGNED_IN", admin.display()+" signed in."
	made.Action, made.User, made.Key, made.Summary = "KEY_CREATED", "", key, "Created the key Made."
	granted.Action, granted.Key, granted.Changes = "GRANT_ENABLED", key, "state: INHERIT -> ENABLED"
	granted.Summary = "Enabled the key Made for " + admin.display() + "."
	out.Action, out.Summary = "SIGNED_OUT", admin.display()+" signed out."
	w.tells(t, a, in, made, granted, out)
}
