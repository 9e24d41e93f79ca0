package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"grantwood/graph"
)

var toCreateAccount = mutation{
	field: "createAccount", inputType: "CreateAccountInput", results: []string{"account", "invitation", "link"},
	selection: `account { id name status currency createdAt limits { maxUsers maxApiKeys } primaryUser { id } masterKey { id }
			apiKeys { nodes { name isMaster status secretHint } } }
		invitation { id email role capabilities keys { id } status invitedBy { id } sentAt expiresAt } link`,
}

func TestCreateAccount(t *testing.T) {
	t.Parallel()
	bad := input{"name": "", "currency": "EUR", "primaryEmail": "nobody"}
	t.Run("done", createAccountDone)
	t.Run("repeated", createAccountRepeated)
	t.Run("unauthenticated", notSignedIn(toCreateAccount, bad))
	t.Run("forbidden", func(t *testing.T) { createAccountForbidden(t, bad) })
	t.Run("invalid", createAccountInvalid)
}

// createAccountDone: there is no owner until somebody accepts, and the master key has no secret yet.
func createAccountDone(t *testing.T) {
	t.Parallel()
	o := operator(t, graph.ScopeAdmin)
	email := address()
	a := o.done(t, toCreateAccount, input{"name": "Globex", "currency": "CHF", "primaryEmail": strings.ToUpper(email)})
	got := func(field string) string { return fmt.Sprint(a.at(t, "createAccount."+field)) }
	all, _ := json.Marshal(graph.AllCapabilities.List())
	a.is(t, fmt.Sprintf(`{"data":{"createAccount":{"userErrors":[],"link":%q,
		"account":{"id":%q,"name":"Globex","status":"ACTIVE","currency":"CHF","createdAt":%q,"limits":{"maxUsers":100,"maxApiKeys":100},"primaryUser":null,
			"masterKey":{"id":%q},"apiKeys":{"nodes":[{"name":"Master key","isMaster":true,"status":"ENABLED","secretHint":null}]}},
		"invitation":{"id":%q,"email":%q,"role":"PRIMARY","capabilities":%s,"keys":[],"status":"PENDING","invitedBy":null,"sentAt":%q,"expiresAt":%q}}}}`,
		got("link"), got("account.id"), got("account.createdAt"), got("account.masterKey.id"), got("invitation.id"), email, all,
		got("invitation.sentAt"), got("invitation.expiresAt")))
	valid := instant(t, got("invitation.expiresAt")).Sub(instant(t, got("invitation.sentAt")))
	if !linkForm.MatchString(got("link")) || valid != 7*24*time.Hour {
		t.Errorf("link %s, valid for %v", got("link"), valid)
	}
	owner := join(t, got("link"), email)
	owner.expect(t, `{ account { primaryUser { id } } viewer { user { role isPrimary } } }`, nil,
		`{"data":{"account":{"primaryUser":{"id":"`+owner.id+`"}},"viewer":{"user":{"role":"PRIMARY","isPrimary":true}}}}`)
	w := &world{account: got("account.id"), owner: owner}
	by := event{Actor: "Test provider", ActorLabel: "Test provider"}
	created, key, invited := by, by, by
	created.Action, created.Summary = "ACCOUNT_CREATED", "Created the account Globex."
	key.Action, key.Key, key.Summary = "KEY_CREATED", got("account.masterKey.id"), "Created the key Master key."
	invited.Action, invited.Summary = "USER_INVITED", "Invited "+email+"."
	w.tells(t, a, created, key, invited)
}

// createAccountRepeated: the same person may own any number of accounts; each call makes one.
func createAccountRepeated(t *testing.T) {
	t.Parallel()
	o := operator(t, graph.ScopeAdmin)
	in := input{"name": "Globex", "currency": "EUR", "primaryEmail": address()}
	first, second := o.done(t, toCreateAccount, in), o.done(t, toCreateAccount, in)
	for _, field := range []string{"account.id", "account.masterKey.id", "invitation.id", "link"} {
		if first.at(t, "createAccount."+field) == second.at(t, "createAccount."+field) {
			t.Errorf("two accounts have one %s", field)
		}
	}
}

// createAccountForbidden: for operators with ADMIN and nobody else.
func createAccountForbidden(t *testing.T, bad input) {
	t.Parallel()
	w := newWorld(t)
	before := countOf(t, "accounts WHERE name = 'Forbidden'")
	for _, c := range []client{w.owner.client, w.user(t, invitee{role: graph.RoleAdministrator}).client,
		operator(t, graph.ScopeSupport, graph.ScopeIngest, graph.ScopeVerify)} {
		for _, in := range []input{bad, {"name": "Forbidden", "currency": "EUR", "primaryEmail": "a@test.example"}} {
			c.fails(t, toCreateAccount, in, toCreateAccount.denied(graph.Forbidden))
		}
	}
	if after := countOf(t, "accounts WHERE name = 'Forbidden'"); after != before {
		t.Errorf("%s accounts, before %s", after, before)
	}
}

// countOf counts the rows of a table that meet a condition.
func countOf(t testing.TB, tableWhere string) string {
	t.Helper()
	return texts(t, "SELECT count(*)::text FROM "+tableWhere)[0]
}

func createAccountInvalid(t *testing.T) {
	t.Parallel()
	o := operator(t, graph.ScopeAdmin)
	good := input{"name": "Invalid", "currency": "EUR", "primaryEmail": "a@test.example"}
	o.fails(t, toCreateAccount, with(good, "name", "", "primaryEmail", "nobody"),
		toCreateAccount.refused(violation("input.name", "min=1"), violation("input.primaryEmail", "email")))
	o.fails(t, toCreateAccount, with(good, "name", strings.Repeat("é", 101), "primaryEmail", tooLong),
		toCreateAccount.refused(violation("input.name", "max=100"), violation("input.primaryEmail", "max=254")))
	for _, code := range []any{"EURO", "eur", "ZZQ", "", 978} {
		o.fails(t, toCreateAccount, with(good, "currency", code),
			`{"data":{"createAccount":null},"errors":[{"path":["createAccount"],"extensions":{"code":"BAD_USER_INPUT","argument":["input","currency"]}}]}`)
	}
	if n := countOf(t, "accounts WHERE name = 'Invalid'"); n != "0" {
		t.Errorf("%s accounts were made", n)
	}
}
