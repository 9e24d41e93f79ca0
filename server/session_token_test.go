package server_test

import (
	"strings"
	"testing"

	"grantwood/graph"
)

// TestTokenThatOpensNothing: only the whole token of a session that lasts says who is calling.
func TestTokenThatOpensNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.owner.token
	_, rest, _ := strings.Cut(good, "_")
	for name, token := range map[string]string{
		"wrong account": flip(good, 4+5), "wrong row": flip(good, 4+40), "wrong secret": flip(good, 4+80), "last character": flip(good, len(good)-1),
		"account of others": splice(t, good, otherWorld(t).account),
		"no account":        "gws_" + tokenText.EncodeToString(append(make([]byte, 16), bytesOf(t, good)[16:]...)),
		"as operator":       "gwo_" + rest, "as invitation": "gwi_" + rest,
		"capitals": strings.ToUpper(good), "shortened": good[:len(good)-1], "lengthened": good + "0",
		"nonsense": "nonsense", "prefix": "gws_", "two tokens": good + " " + good, "quoted": `"` + good + `"`,
		"invitation": w.send(t, address()),
	} {
		t.Run(name, func(t *testing.T) {
			c := client{w.owner.api, token}
			c.isNobody(t)
			c.fails(t, toCreateAPIKey, input{"name": "No", "kind": "OTHER"}, toCreateAPIKey.denied(graph.Unauthenticated))
		})
	}
	w.owner.is(t, w.owner.id, w.account)
}

// TestSessionEnds: at its time; of a disabled user at once; with what the user may do as it is now.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.user(t, invitee{role: graph.RoleAdministrator})
	w.edit(t, `UPDATE sessions SET expires_at = now(), created_at = now() - interval '8 days' WHERE account_id = $1 AND session_id = $2`,
		graph.UUID(bytesOf(t, u.token)[16:32]))
	u.isNobody(t)
	second := enter(t, u.email, "")
	second.is(t, u.id, w.account)
	if n := count(t, w, "sessions WHERE true"); n != "2" { // the next sign-in has swept the one that had ended
		t.Errorf("%s sessions, want those of two people", n)
	}
	second.ask(t, `{ account { auditEvents { nodes { id } } } }`, nil, "account")
	w.edit(t, `UPDATE users SET granted = '{VIEW_USAGE,MANAGE_USERS}' WHERE account_id = $1 AND user_id = $2`, rowOf(u.id))
	second.expect(t, `{ viewer { capabilities user { role } account { auditEvents { nodes { id } } } } }`, nil,
		`{"data":{"viewer":{"capabilities":["VIEW_USAGE","MANAGE_USERS"],"user":{"role":"CUSTOM"},"account":{"auditEvents":null}}},
			"errors":[{"path":["viewer","account","auditEvents"],"extensions":{"code":"FORBIDDEN"}}]}`)
	second.fails(t, toSetGrant, input{"userId": w.owner.id, "keyId": w.master, "state": "ENABLED"}, toSetGrant.denied(graph.Forbidden))
	w.disable(t, u.id)
	second.isNobody(t)
	second.fails(t, toInviteUser, input{"email": "a@test.example", "access": input{"role": "REPORTING"}}, toInviteUser.denied(graph.Unauthenticated))
	// Their place and their grants are kept.
	w.owner.expect(t, `query($u: ID!) { node(id: $u) { ... on User { status grants { totalCount } } } }`, map[string]any{"u": u.id},
		`{"data":{"node":{"status":"DISABLED","grants":{"totalCount":1}}}}`)
}

// TestRevokedOperator: the token is refused at the next request; others stay good.
func TestRevokedOperator(t *testing.T) {
	t.Parallel()
	a := sharedAPI()
	label := "Revoked " + address()
	_, first, err := a.db.CreateOperator(t.Context(), label, graph.ScopeList{graph.ScopeSupport})
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := a.db.CreateOperator(t.Context(), label+" not", graph.ScopeList{graph.ScopeSupport})
	if err != nil {
		t.Fatal(err)
	}
	const query = `{ viewer { kind operator { label scopes } user { id } account { id } capabilities } }`
	answerFor := func(label string) string {
		return `{"data":{"viewer":{"kind":"OPERATOR","operator":{"label":"` + label + `","scopes":["SUPPORT"]},"user":null,"account":null,"capabilities":[]}}}`
	}
	client{a, first}.expect(t, query, nil, answerFor(label))
	if n, err := a.db.RevokeOperators(t.Context(), label); n != 1 || err != nil {
		t.Fatalf("revoked %d: %v", n, err)
	}
	client{a, first}.isNobody(t)
	client{a, first}.fails(t, toCreateAccount, input{"name": "", "currency": "EUR", "primaryEmail": ""}, toCreateAccount.denied(graph.Unauthenticated))
	client{a, flip(second, len(second)-20)}.isNobody(t)
	client{a, second}.expect(t, query, nil, answerFor(label+" not"))
}
