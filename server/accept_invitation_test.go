package server_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

var toAcceptInvitation = mutation{
	field: "acceptInvitation", inputType: "AcceptInvitationInput", results: []string{"sessionToken", "expiresAt", "viewer"},
	selection: "sessionToken expiresAt viewer { kind user { id displayName } account { id } }",
}

func TestAcceptInvitation(t *testing.T) {
	t.Parallel()
	t.Run("done", acceptDone)
	t.Run("done by somebody who is known", acceptKnown)
	w := newWorld(t) // the rest changes nothing in it
	good, used, waiting := w.send(t, address()), w.send(t, address()), w.send(t, "waiting@test.example")
	expired, revoked := w.send(t, "expired@test.example"), w.send(t, "revoked@test.example")
	nobody().done(t, toAcceptInvitation, input{"token": used, "password": password})
	w.expire(t, "expired@test.example")
	w.edit(t, `UPDATE invitations SET status = 'REVOKED' WHERE account_id = $1 AND email = 'revoked@test.example'`)
	w.edit(t, `UPDATE invitations SET email = $2 WHERE account_id = $1 AND email = 'waiting@test.example'`, w.owner.email)
	t.Run("repeated", func(t *testing.T) { acceptRepeated(t, w, used) })
	t.Run("missing", func(t *testing.T) { acceptMissing(t, w, good, expired, revoked) })
	t.Run("a user already", func(t *testing.T) { acceptByUser(t, w, waiting) })
	t.Run("invalid", func(t *testing.T) { acceptInvalid(t, w, good) })
}

// invite makes an invitation as the owner and gives the token of its link.
func (w *world) send(t testing.TB, email string, keys ...string) string {
	t.Helper()
	a := w.owner.done(t, toInviteUser, input{"email": email, "access": input{"role": "REPORTING"}, "keyIds": append([]string{}, keys...)})
	return tokenOfLink(t, a.at(t, "inviteUser.link"))
}

// tokenOfLink gives the token in the link of an invitation.
func tokenOfLink(t testing.TB, link any) string {
	t.Helper()
	text, _ := link.(string)
	_, token, ok := strings.Cut(text, "#")
	if !ok {
		t.Fatalf("no token in %q", text)
	}
	return token
}

func acceptDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.key(t, "Europe")
	email := address()
	a := nobody().done(t, toAcceptInvitation, input{"token": w.send(t, email, k), "displayName": "Anna", "password": password})
	u := started(t, a, "acceptInvitation")
	id := fmt.Sprint(a.at(t, "acceptInvitation.viewer.user.id"))
	u.is(t, id, w.account)
	u.expect(t, `{ viewer { user { displayName email role isPrimary status }
		account { apiKeys { totalCount nodes { name viewerGrant { enabled source expiresAt } } } } } }`, nil,
		`{"data":{"viewer":{"user":{"displayName":"Anna","email":"`+email+`","role":"REPORTING","isPrimary":false,"status":"ACTIVE"},
			"account":{"apiKeys":{"totalCount":2,"nodes":[
				{"name":"Europe","viewerGrant":{"enabled":true,"source":"EXPLICIT","expiresAt":null}},
				{"name":"Master key","viewerGrant":{"enabled":true,"source":"DEFAULT","expiresAt":null}}]}}}}}`)
	w.owner.expect(t, `{ account { invitations(first: 1) { nodes { email status } } } }`, nil,
		`{"data":{"account":{"invitations":{"nodes":[{"email":"`+email+`","status":"ACCEPTED"}]}}}}`)
	w.tells(t, a, event{Action: "USER_JOINED", Actor: id, ActorLabel: "Anna", User: id, Summary: "Anna joined.", IPAddress: "127.0.0.1"})
}

// acceptKnown: somebody who is known by the address proves it with the password they have, keeps their name, and is in two
// accounts from then on.
func acceptKnown(t *testing.T) {
	t.Parallel()
	first, second := newWorld(t), newWorld(t)
	in := input{"token": second.send(t, strings.ToUpper(first.owner.email)), "displayName": "Another name", "password": password}
	both := func(do func()) { first.unchanged(t, func() { second.unchanged(t, do) }) }
	both(func() {
		nobody().fails(t, toAcceptInvitation, with(in, "password", "another password"),
			toAcceptInvitation.refused(problem("INVALID_CREDENTIALS", "input.password")))
	})
	a := nobody().done(t, toAcceptInvitation, in)
	there := started(t, a, "acceptInvitation")
	id := fmt.Sprint(a.at(t, "acceptInvitation.viewer.user.id"))
	if name := a.at(t, "acceptInvitation.viewer.user.displayName"); name != first.owner.display() {
		t.Errorf("the name is %v", name)
	}
	// A session is bound to one account.
	there.is(t, id, second.account)
	there.expect(t, `query($a: ID!, $u: ID!, $k: ID!) { account(id: $a) { id } nodes(ids: [$a, $u, $k]) { id } }`,
		map[string]any{"a": first.account, "u": first.owner.id, "k": first.master}, `{"data":{"account":null,"nodes":[null,null,null]}}`)
	first.owner.is(t, first.owner.id, first.account)
	// The account entered last is entered, unless another one is named.
	enter(t, first.owner.email, "").is(t, id, second.account)
	enter(t, first.owner.email, first.account).is(t, first.owner.id, first.account)
	enter(t, first.owner.email, "").is(t, first.owner.id, first.account)
}

var badToken = toAcceptInvitation.refused(problem("INVALID_CREDENTIALS", "input.token"))

func acceptRepeated(t *testing.T, w *world, used string) {
	t.Parallel()
	w.unchanged(t, func() { nobody().fails(t, toAcceptInvitation, input{"token": used, "password": password}, badToken) })
}

// acceptMissing: a token that opens nothing gets one answer, whatever is wrong with it.
func acceptMissing(t *testing.T, w *world, good, expired, revoked string) {
	t.Parallel()
	foreign := otherWorld(t)
	w.alike(t, nobody(), toAcceptInvitation, func(token string) input { return input{"token": token, "password": password} }, map[string]string{
		"expired": expired, "revoked": revoked, "malformed": strings.Repeat("x", 30), "shortened": good[:len(good)-1], "capitals": strings.ToUpper(good),
		"wrong secret": flip(good, len(good)-10), "wrong row": flip(good, 40), "account of others": splice(t, good, foreign.account),
		"session": w.owner.token, "session as invitation": "gwi" + w.owner.token[3:],
	}, badToken)
}

// expire makes a pending invitation so old that its time is over.
func (w *world) expire(t testing.TB, email string) {
	t.Helper()
	w.edit(t, `UPDATE invitations SET sent_at = sent_at - interval '40 days', expires_at = expires_at - interval '40 days'
		WHERE account_id = $1 AND email = $2 AND status = 'PENDING'`, email)
}

// acceptByUser: somebody may have become a user of the account by another way while their invitation was waiting.
func acceptByUser(t *testing.T, w *world, token string) {
	t.Parallel()
	w.unchanged(t, func() {
		a := nobody().fails(t, toAcceptInvitation, input{"token": token, "password": password},
			toAcceptInvitation.refused(problem("CONFLICT", "input.token")))
		if bytes.Contains(a.Body, []byte(w.owner.email)) {
			t.Errorf("the answer names the address: %s", a.Body)
		}
	})
}

func acceptInvalid(t *testing.T, w *world, good string) {
	t.Parallel()
	w.unchanged(t, func() {
		for _, c := range []struct {
			token, name, password string
			want                  []string
		}{
			{"short", "", "12345678901",
				[]string{violation("input.token", "min=20"), violation("input.displayName", "min=1"), violation("input.password", "min=12")}},
			{strings.Repeat("x", 201), strings.Repeat("é", 101), strings.Repeat("x", 201),
				[]string{violation("input.token", "max=200"), violation("input.displayName", "max=100"), violation("input.password", "max=200")}},
			{good, strings.Repeat("é", 100), "12345678901", []string{violation("input.password", "min=12")}},
		} {
			in := input{"token": c.token, "displayName": c.name, "password": c.password}
			nobody().fails(t, toAcceptInvitation, in, toAcceptInvitation.refused(c.want...))
		}
	})
}
