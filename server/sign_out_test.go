package server_test

import (
	"testing"

	"grantwood/graph"
)

var toSignOut = mutation{field: "signOut", results: []string{"endedSessions"}, selection: "endedSessions"}

const signedOut = `{"data":{"signOut":{"userErrors":[],"endedSessions":1}}}`

func TestSignOutOfOneSession(t *testing.T) {
	t.Parallel()
	t.Run("done", signOutDone)
	t.Run("repeated", signOutRepeated)
	t.Run("unauthenticated", notSignedIn(toSignOut, nil))
	t.Run("forbidden", signOutForbidden)
}

// signOutDone: the session ends at the next request, and no other session does.
func signOutDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	second := enter(t, w.owner.email, "")
	a := second.fails(t, toSignOut, nil, signedOut)
	second.isNobody(t)
	w.owner.is(t, w.owner.id, w.account)
	w.tells(t, a, event{Action: "SIGNED_OUT", Actor: w.owner.id, ActorLabel: w.owner.display(), User: w.owner.id,
		Summary: w.owner.display() + " signed out.", IPAddress: "127.0.0.1"})
}

func signOutRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	second := enter(t, w.owner.email, "")
	second.done(t, toSignOut, nil)
	w.unchanged(t, func() { second.fails(t, toSignOut, nil, toSignOut.denied(graph.Unauthenticated)) })
	third := enter(t, w.owner.email, "")
	a := third.expect(t, `mutation { a: signOut { endedSessions } b: signOut { endedSessions } }`, nil,
		`{"data":{"a":{"endedSessions":1},"b":null},"errors":[{"path":["b"],"extensions":{"code":"UNAUTHENTICATED"}}]}`)
	if n := len(w.owner.entries(t, w.account, a)); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

// signOutForbidden: a token of an operator is no session.
func signOutForbidden(t *testing.T) {
	t.Parallel()
	o := operator(t, graph.ScopeAdmin)
	o.fails(t, toSignOut, nil, toSignOut.denied(graph.Forbidden))
	o.expect(t, `{ viewer { kind } }`, nil, `{"data":{"viewer":{"kind":"OPERATOR"}}}`)
}
