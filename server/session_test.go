package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

func TestSwitchAccount(t *testing.T) {
	t.Parallel()
	w, other, foreign := newWorld(t), newWorld(t), newWorld(t)
	m := w.user(t, invitee{role: graph.RoleDeveloper})
	there := other.guest(t, m, graph.RoleReporting)
	m.expect(t, `{ viewer { memberships { accountId accountName role current } } }`, nil, memberships(w.account, other.account))
	nobody().expect(t, switchTo, map[string]any{"a": other.account}, deniedTo("switchAccount", graph.Unauthenticated, signInFirst))
	operator(t, graph.ScopeAdmin).expect(t, switchTo, map[string]any{"a": other.account}, deniedTo("switchAccount", graph.Forbidden, "This is not for callers of the kind OPERATOR."))
	not := `{"data": {"switchAccount": {"userErrors": [{"code": "NOT_FOUND", "path": ["input", "accountId"]}], "sessionToken": null, "viewer": null}}}`
	for _, missing := range []string{foreign.account, "nonsense", m.id, "acc_" + strings.Repeat("0", 26)} {
		m.expect(t, switchTo, map[string]any{"a": missing}, not)
	}
	other.owner.ask(t, setStatus, map[string]any{"u": there.id, "s": graph.UserDisabled}, "setUserStatus")
	m.expect(t, switchTo, map[string]any{"a": other.account}, not)
	m.expect(t, `{ viewer { memberships { accountId } } }`, nil, fmt.Sprintf(`{"data": {"viewer": {"memberships": [{"accountId": %q}]}}}`, w.account))
	other.owner.ask(t, setStatus, map[string]any{"u": there.id, "s": graph.UserActive}, "setUserStatus")

	a := m.post(t, switchTo, map[string]any{"a": other.account})
	if got := a.at(t, "switchAccount.viewer.account.id"); got != other.account {
		t.Fatalf("switched to %v: %s", got, a.Body)
	}
	m.expectEnded(t)
	m.expect(t, switchTo, map[string]any{"a": other.account}, deniedTo("switchAccount", graph.Unauthenticated, signInFirst))
	m.token, _ = a.at(t, "switchAccount.sessionToken").(string)
	m.expect(t, `{ viewer { user { id } account { id } } }`, nil, fmt.Sprintf(`{"data": {"viewer": {"user": {"id": %q}, "account": {"id": %q}}}}`, there.id, other.account))
	w.expectNoted(t, graph.SignedOut, m.name()+": "+m.name()+" left for another account.")
	other.expectNoted(t, graph.SignedIn, m.name()+": "+m.name()+" came from another account.")
	other.owner.ask(t, remove, map[string]any{"u": there.id}, "removeUser")
	m.expectEnded(t)
	back := member{client: client{sharedAPI(), nobody().text(t, signInQuery, map[string]any{"e": m.email, "p": password}, "signIn.sessionToken")}}
	back.expect(t, `{ viewer { account { id } } }`, nil, fmt.Sprintf(`{"data": {"viewer": {"account": {"id": %q}}}}`, w.account))
}

// memberships is the list of somebody who is a developer here and reads reports there.
func memberships(here, there string) string {
	list := []string{fmt.Sprintf(`{"accountId": %q, "accountName": "Test", "role": "DEVELOPER", "current": true}`, here),
		fmt.Sprintf(`{"accountId": %q, "accountName": "Test", "role": "REPORTING", "current": false}`, there)}
	if there < here {
		slices.Reverse(list)
	}
	return `{"data": {"viewer": {"memberships": [` + strings.Join(list, ", ") + `]}}}`
}

// sessions lists the IDs of somebody's sessions, the newest first.
func (c client) sessions(t testing.TB) []string {
	t.Helper()
	var list []string
	for _, s := range c.ask(t, `{ viewer { sessions { id } } }`, nil, "viewer.sessions").([]any) {
		list = append(list, text(s.(map[string]any), "id"))
	}
	return list
}

func TestSessions(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	m := w.user(t, invitee{role: graph.RoleReporting})
	second, there := m.again(t), other.guest(t, m, graph.RoleReporting)
	list := m.sessions(t) // there, second, first
	m.expect(t, `{ viewer { sessions { id current accountName ipAddress } } }`, nil, fmt.Sprintf(`{"data": {"viewer": {"sessions": [
		{"id": %q, "current": false, "accountName": "Test", "ipAddress": "127.0.0.1"}, {"id": %q, "current": false, "accountName": "Test", "ipAddress": "127.0.0.1"},
		{"id": %q, "current": true, "accountName": "Test", "ipAddress": "127.0.0.1"}]}}}`, list[0], list[1], list[2]))
	operator(t, graph.ScopeSupport).expect(t, `{ viewer { sessions { id } memberships { role } } }`, nil, `{"data": {"viewer": {"sessions": [], "memberships": []}}}`)

	not := refusedAt("revokeSession", "revokedSessionId", graph.NotFound, "input.sessionId")
	for _, missing := range []string{w.owner.sessions(t)[0], other.owner.sessions(t)[0], "nonsense", w.account, "ses_" + strings.Repeat("0", 52)} {
		m.expect(t, end, map[string]any{"s": missing}, not)
	}
	w.owner.expect(t, end, map[string]any{"s": list[0]}, not)
	nobody().expect(t, end, map[string]any{"s": list[0]}, deniedTo("revokeSession", graph.Unauthenticated, signInFirst))
	operator(t, graph.ScopeAdmin).expect(t, end, map[string]any{"s": list[0]}, deniedTo("revokeSession", graph.Forbidden, "This is not for callers of the kind OPERATOR."))

	m.expect(t, end, map[string]any{"s": list[0]}, fmt.Sprintf(`{"data": {"revokeSession": {"userErrors": [], "revokedSessionId": %q}}}`, list[0]))
	m.expect(t, end, map[string]any{"s": list[0]}, not)
	there.expectEnded(t)
	other.expectNoted(t, graph.SessionRevoked, m.name()+": "+m.name()+" ended a session.")
	second.expectAlive(t)
	m.ask(t, end, map[string]any{"s": list[2]}, "revokeSession") // its own
	m.expectEnded(t)
	if diff := cmp.Diff(list[1:2], second.sessions(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLastUseOfASession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	change(t, `UPDATE sessions SET created_at = created_at - interval '1 hour', expires_at = expires_at - interval '1 hour' WHERE account_id = $1`, accountOf(w.account))
	const asked = `{ viewer { sessions { createdAt lastUsedAt } } }`
	w.owner.expectAlive(t) // this use is noted
	settle(t)
	first := w.owner.text(t, asked, nil, "viewer.sessions.0.lastUsedAt")
	if created := w.owner.text(t, asked, nil, "viewer.sessions.0.createdAt"); first <= created {
		t.Errorf("used last at %s, started at %s", first, created)
	}
	settle(t)
	if again := w.owner.text(t, asked, nil, "viewer.sessions.0.lastUsedAt"); again != first {
		t.Errorf("noted again after less than five minutes: %s and %s", first, again)
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	m := w.user(t, invitee{role: graph.RoleReporting})
	second, third, there := m.again(t), m.again(t), other.guest(t, m, graph.RoleReporting)
	m.expect(t, `mutation { signOut { userErrors { code } endedSessions } }`, nil, `{"data": {"signOut": {"userErrors": [], "endedSessions": 1}}}`)
	m.expectEnded(t)
	third.expectAlive(t)
	second.expect(t, signOut, map[string]any{"e": true}, `{"data": {"signOut": {"userErrors": [], "endedSessions": 3}}}`)
	for _, c := range []member{second, third, there} {
		c.expectEnded(t)
	}
	w.expectNoted(t, graph.SignedOut, m.name()+": "+m.name()+" signed out everywhere.", m.name()+": "+m.name()+" signed out.")
	other.expectNoted(t, graph.SignedOut, m.name()+": "+m.name()+" signed out everywhere.")
	second.expect(t, signOut, map[string]any{"e": true}, deniedTo("signOut", graph.Unauthenticated, signInFirst))
	operator(t, graph.ScopeAdmin).expect(t, signOut, map[string]any{"e": true}, deniedTo("signOut", graph.Forbidden, "This is not for callers of the kind OPERATOR."))
	w.owner.expectAlive(t)
}
