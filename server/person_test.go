package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

const (
	transfer = `mutation($u: ID!, $p: String!, $a: AccessInput!) { transferOwnership(input: {userId: $u, currentPassword: $p, formerOwnerAccess: $a}) {
		userErrors { code path } account { primaryUser { id } } } }`
	switchTo = `mutation($a: ID!) { switchAccount(input: {accountId: $a}) { userErrors { code path } sessionToken viewer { account { id } } } }`
	signOut  = `mutation($e: Boolean!) { signOut(input: {everywhere: $e}) { userErrors { code } endedSessions } }`
	end      = `mutation($s: ID!) { revokeSession(input: {sessionId: $s}) { userErrors { code path } revokedSessionId } }`
	rename   = `mutation($n: String!) { updateProfile(input: {displayName: $n}) { userErrors { code path } user { displayName } } }`
	rekey    = `mutation($o: String!, $n: String!) { changePassword(input: {currentPassword: $o, newPassword: $n}) { userErrors { code path } endedSessions } }`
	alive    = `{ viewer { kind } }`
)

// again starts another session of somebody.
func (m member) again(t testing.TB) member {
	t.Helper()
	m.token = nobody().text(t, signInQuery, map[string]any{"e": m.email, "p": password}, "signIn.sessionToken")
	return m
}

// guest makes somebody who is a user of w a user of another world too, with a session there.
func (w *world) guest(t testing.TB, m member, r graph.Role) member {
	return join(t, w.invite(t, m.email, r), m.email)
}

func (c client) expectEnded(t testing.TB) {
	t.Helper()
	c.expect(t, alive, nil, deniedTo("viewer", graph.Unauthenticated, signInFirst))
}

func (c client) expectAlive(t testing.TB) {
	t.Helper()
	c.expect(t, alive, nil, `{"data": {"viewer": {"kind": "USER"}}}`)
}

func settle(t testing.TB) {
	t.Helper()
	if err := sharedAPI().db.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestTransferOwnership(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	key := w.key(t, "Europe")
	heir, admin := w.user(t, invitee{role: graph.RoleReporting}), w.user(t, invitee{role: graph.RoleAdministrator})
	asleep := w.user(t, invitee{role: graph.RoleReporting})
	w.owner.ask(t, setStatus, map[string]any{"u": asleep.id, "s": graph.UserDisabled}, "setUserStatus")
	in := func(user, pass string, a map[string]any) map[string]any {
		return map[string]any{"u": user, "p": pass, "a": a}
	}
	not := func(code graph.Code, path string) string {
		return refusedAt("transferOwnership", "account", code, path)
	}

	nobody().expect(t, transfer, in(heir.id, password, only()), deniedTo("transferOwnership", graph.Unauthenticated, signInFirst))
	operator(t, graph.ScopeAdmin).expect(t, transfer, in(heir.id, password, only()), deniedTo("transferOwnership", graph.Forbidden, "This is not for callers of the kind OPERATOR."))
	admin.expect(t, transfer, in(admin.id, password, only()), not(graph.NotAllowed, ""))
	heir.expect(t, transfer, in(heir.id, password, only()), not(graph.NotAllowed, ""))
	w.owner.expect(t, transfer, in(heir.id, "a wrong password", only()), not(graph.InvalidCredentials, "input.currentPassword"))
	w.owner.expect(t, transfer, in(w.owner.id, password, only()), not(graph.NotAllowed, "input.userId"))
	w.owner.expect(t, transfer, in(asleep.id, password, only()), not(graph.InvalidState, "input.userId"))
	w.owner.expect(t, transfer, in(heir.id, password, role(graph.RolePrimary)), not(graph.Invalid, "input.formerOwnerAccess.role"))
	for _, missing := range []string{"nonsense", key, other.owner.id} {
		w.owner.expect(t, transfer, in(missing, password, only()), not(graph.NotFound, "input.userId"))
	}

	w.owner.expect(t, transfer, in(heir.id, password, role(graph.RoleDeveloper)), fmt.Sprintf(`{"data": {"transferOwnership": {"userErrors": [], "account": {"primaryUser": {"id": %q}}}}}`, heir.id))
	w.owner.expect(t, transfer, in(heir.id, password, role(graph.RoleDeveloper)), not(graph.NotAllowed, ""))
	former := w.owner
	w.owner = heir
	if diff := cmp.Diff([]string{"Master key"}, former.names(t)); diff != "" {
		t.Errorf("the former owner sees (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Europe", "Master key"}, heir.names(t)); diff != "" {
		t.Errorf("the new owner sees (-want +got):\n%s", diff)
	}
	former.expect(t, `{ viewer { user { role isPrimary } } }`, nil, `{"data": {"viewer": {"user": {"role": "DEVELOPER", "isPrimary": false}}}}`)
	heir.expect(t, `{ viewer { user { role isPrimary } } }`, nil, `{"data": {"viewer": {"user": {"role": "PRIMARY", "isPrimary": true}}}}`)
	all := "VIEW_USAGE, ROTATE_SECRETS, MANAGE_KEYS, MANAGE_USERS, MANAGE_GRANTS, MANAGE_TOKENS, VIEW_BILLING, MANAGE_PAYMENTS, MANAGE_NUMBERS, VIEW_AUDIT"
	w.expectNoted(t, graph.OwnershipPassed, former.name()+": "+heir.name()+" is the owner now. role REPORTING→PRIMARY; capabilities VIEW_USAGE→"+all+";")
	w.expectNoted(t, graph.UserAllowed, former.name()+": "+former.name()+" is no longer the owner. role PRIMARY→DEVELOPER; capabilities "+all+"→VIEW_USAGE, ROTATE_SECRETS;")
	settle(t)
	w.expectNoted(t, graph.SignInRefused, "nobody: A wrong password was given for "+former.name()+".")
}

// TestOwnershipUnderConcurrency hands over to two at once, and to somebody who is removed or disabled at that moment: there
// is exactly one owner, who is active.
func TestOwnershipUnderConcurrency(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.user(t, invitee{role: graph.RoleAdministrator}), w.user(t, invitee{role: graph.RoleAdministrator})
	give := func(from client, to member) func() string {
		return func() string {
			return outcome(t, from.post(t, transfer, map[string]any{"u": to.id, "p": password, "a": role(graph.RoleAdministrator)}), "transferOwnership")
		}
	}
	both := func(f, g func() string) []string {
		got := make([]string, 2)
		atOnce(func() { got[0] = f() }, func() { got[1] = g() })
		return got
	}
	for i := range 30 {
		owner := w.owner
		got := both(give(owner.client, a), give(owner.client, b))
		switch {
		case slices.Equal(got, []string{"done", "NOT_ALLOWED"}):
			w.owner, a = a, owner
		case slices.Equal(got, []string{"NOT_ALLOWED", "done"}):
			w.owner, b = b, owner
		default:
			t.Fatalf("two at once: %v", got)
		}
		// b may be disabled, or become the owner, not both.
		disable := func() string {
			// The password of nobody takes the time that the owner's takes.
			answer := a.post(t, `mutation($u: ID!, $e: String!) { signIn(input: {email: $e, password: "a wrong password"}) { userErrors { code } }
				setUserStatus(input: {userId: $u, status: DISABLED}) { userErrors { code } } }`, map[string]any{"u": b.id, "e": address()})
			return outcome(t, answer, "setUserStatus")
		}
		owner = w.owner
		switch got := both(give(owner.client, b), disable); {
		case slices.Equal(got, []string{"done", "NOT_ALLOWED"}):
			w.owner, b = b, owner
		case slices.Equal(got, []string{"INVALID_STATE", "done"}):
			owner.ask(t, setStatus, map[string]any{"u": b.id, "s": graph.UserActive}, "setUserStatus")
			b = b.again(t)
		default:
			t.Fatalf("disabled at once: %v", got)
		}
		owners := 0
		for _, m := range []member{w.owner, a, b} {
			if m.ask(t, `{ viewer { user { isPrimary } } }`, nil, "viewer.user.isPrimary") == true {
				owners++
			}
		}
		if owners != 1 {
			t.Fatalf("round %d: %d owners", i, owners)
		}
	}
	for range 30 {
		u := w.user(t, invitee{role: graph.RoleReporting})
		owner := w.owner
		got := both(give(owner.client, u), func() string {
			return outcome(t, a.post(t, `mutation($u: ID!, $e: String!) { signIn(input: {email: $e, password: "a wrong password"}) { userErrors { code } }
				removeUser(input: {userId: $u}) { userErrors { code } } }`, map[string]any{"u": u.id, "e": address()}), "removeUser")
		})
		switch {
		case slices.Equal(got, []string{"done", "NOT_ALLOWED"}):
			u.ask(t, transfer, map[string]any{"u": owner.id, "p": password, "a": only()}, "transferOwnership")
			owner.ask(t, remove, map[string]any{"u": u.id}, "removeUser")
		case slices.Equal(got, []string{"NOT_FOUND", "done"}):
		default:
			t.Fatalf("removed at once: %v", got)
		}
	}
}

func TestUpdateProfile(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	m := w.user(t, invitee{role: graph.RoleReporting})
	there := other.guest(t, m, graph.RoleReporting)
	for range 2 {
		m.expect(t, rename, map[string]any{"n": " Mia Musterfrau "}, `{"data": {"updateProfile": {"userErrors": [], "user": {"displayName": "Mia Musterfrau"}}}}`)
	}
	there.expect(t, `{ viewer { user { displayName } } }`, nil, `{"data": {"viewer": {"user": {"displayName": "Mia Musterfrau"}}}}`)
	for _, w := range []*world{w, other} {
		w.expectNoted(t, graph.ProfileChanged, m.name()+": "+m.name()+" changed their name to Mia Musterfrau. displayName "+m.name()+"→Mia Musterfrau;")
	}
	not := refusedAt("updateProfile", "user", graph.Invalid, "input.displayName")
	for _, bad := range []string{"", "  \n ", strings.Repeat("x", 101)} {
		m.expect(t, rename, map[string]any{"n": bad}, not)
	}
	nobody().expect(t, rename, map[string]any{"n": "X"}, deniedTo("updateProfile", graph.Unauthenticated, signInFirst))
	operator(t, graph.ScopeAdmin).expect(t, rename, map[string]any{"n": "X"}, deniedTo("updateProfile", graph.Forbidden, "This is not for callers of the kind OPERATOR."))
	suspend(t, w)
	m.expect(t, rename, map[string]any{"n": "X"}, deniedTo("updateProfile", graph.AccountSuspended, "The account is suspended by the provider: reading works, changes do not."))
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	const fresh = "a horse without battery"
	w, other := newWorld(t), newWorld(t)
	m := w.user(t, invitee{role: graph.RoleReporting})
	second, there := m.again(t), other.guest(t, m, graph.RoleReporting)
	in := func(o, n string) map[string]any { return map[string]any{"o": o, "n": n} }
	not := func(code graph.Code, path string) string {
		return refusedAt("changePassword", "endedSessions", code, path)
	}
	m.expect(t, rekey, in("a wrong password", fresh), not(graph.InvalidCredentials, "input.currentPassword"))
	m.expect(t, rekey, in(password, "short"), not(graph.Invalid, "input.newPassword"))
	second.expectAlive(t)
	m.expect(t, rekey, in(password, fresh), `{"data": {"changePassword": {"userErrors": [], "endedSessions": 2}}}`)
	m.expect(t, rekey, in(password, fresh), not(graph.InvalidCredentials, "input.currentPassword"))
	m.expectAlive(t)
	second.expectEnded(t)
	there.expectEnded(t)
	nobody().expect(t, signInQuery, map[string]any{"e": m.email, "p": password}, `{"data": {"signIn": {"userErrors": [{"code": "INVALID_CREDENTIALS", "path": ["input"]}], "sessionToken": null}}}`)
	nobody().text(t, signInQuery, map[string]any{"e": m.email, "p": fresh}, "signIn.sessionToken")
	settle(t)
	for _, w := range []*world{w, other} {
		w.expectNoted(t, graph.PasswordChanged, m.name()+": "+m.name()+" set a new password.")
		line := "nobody: A wrong password was given for " + m.name() + "."
		w.expectNoted(t, graph.SignInRefused, line, line, line)
	}
	nobody().expect(t, rekey, in(password, fresh), deniedTo("changePassword", graph.Unauthenticated, signInFirst))
	operator(t, graph.ScopeAdmin).expect(t, rekey, in(password, fresh), deniedTo("changePassword", graph.Forbidden, "This is not for callers of the kind OPERATOR."))
}

func TestRequestPasswordReset(t *testing.T) {
	t.Parallel()
	const ask = `mutation($e: String!) { requestPasswordReset(input: {email: $e}) { userErrors { code path } } }`
	w := newWorld(t)
	const done = `{"data": {"requestPasswordReset": {"userErrors": []}}}`
	for _, email := range []string{w.owner.email, address()} {
		nobody().expect(t, ask, map[string]any{"e": email}, done)
		later := request()
		later.At = later.At.Add(5 * time.Minute)
		for range graph.FreeResets - 1 {
			if _, err := sharedAPI().db.RequestPasswordReset(t.Context(), &graph.Viewer{Request: later}, email); err != nil {
				t.Fatal(err)
			}
		}
		nobody().expectSlow(t, "requestPasswordReset", ask, map[string]any{"e": email})
	}
	nobody().expect(t, ask, map[string]any{"e": "nonsense"}, `{"data": {"requestPasswordReset": {"userErrors": [{"code": "INVALID", "path": ["input", "email"]}]}}}`)
	w.owner.expectAlive(t)
}

// altered changes one character in the middle of a token's secret.
func altered(token string) string {
	i, other := len(token)-20, "0"
	if token[i] == '0' {
		other = "1"
	}
	return token[:i] + other + token[i+1:]
}

func TestResetPassword(t *testing.T) {
	t.Parallel()
	const (
		set   = `mutation($t: String!, $p: String!) { resetPassword(input: {token: $t, newPassword: $p}) { userErrors { code path } } }`
		fresh = "a horse without battery"
		done  = `{"data": {"resetPassword": {"userErrors": []}}}`
	)
	w, other := newWorld(t), newWorld(t)
	m := w.user(t, invitee{role: graph.RoleReporting})
	there := other.guest(t, m, graph.RoleReporting)
	link := func(email string) string {
		reset, err := sharedAPI().db.RequestPasswordReset(t.Context(), &graph.Viewer{Request: request()}, email)
		if err != nil {
			t.Fatal(err)
		}
		return reset.Token
	}
	in := func(token, pass string) map[string]any { return map[string]any{"t": token, "p": pass} }
	older, newer, nobodys := link(m.email), link(m.email), link(address())
	not := func(code graph.Code, path string) string {
		return fmt.Sprintf(`{"data": {"resetPassword": {"userErrors": [{"code": %q, "path": ["input", %q]}]}}}`, code, path)
	}
	for _, bad := range []string{older, nobodys, strings.Repeat("x", 30), "gws" + newer[3:], altered(newer)} {
		nobody().expect(t, set, in(bad, fresh), not(graph.InvalidCredentials, "token"))
	}
	nobody().expect(t, set, in(newer, "short"), not(graph.Invalid, "newPassword"))
	m.expectAlive(t)
	nobody().expect(t, set, in(newer, fresh), done)
	nobody().expect(t, set, in(newer, fresh), not(graph.InvalidCredentials, "token"))
	m.expectEnded(t)
	there.expectEnded(t)
	nobody().text(t, signInQuery, map[string]any{"e": m.email, "p": fresh}, "signIn.sessionToken")
	for _, w := range []*world{w, other} {
		w.expectNoted(t, graph.PasswordChanged, m.name()+": "+m.name()+" set a new password.")
	}
	late := link(m.email)
	change(t, `UPDATE password_resets SET expires_at = expires_at - interval '1 hour' WHERE person_id = (SELECT person_id FROM logins WHERE email_key = $1)`, m.email)
	nobody().expect(t, set, in(late, fresh), not(graph.InvalidCredentials, "token"))
}

// TestWrongPasswordsSlowDown fails some times in what is the future here, so that no wait is over before it is met.
func TestWrongPasswordsSlowDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	known := w.user(t, invitee{role: graph.RoleReporting})
	link := newWorld(t).invite(t, w.owner.email, graph.RoleReporting)
	later := request()
	later.At = later.At.Add(5 * time.Minute)
	for _, email := range []string{w.owner.email, address()} {
		for range graph.FreeOfPair {
			_, err := sharedAPI().db.SignIn(t.Context(), &graph.Viewer{Request: later}, graph.SignInInput{Email: email, Password: "a wrong password"})
			if graph.ErrorCode(err) != graph.InvalidCredentials {
				t.Fatal(err)
			}
		}
		nobody().expectSlow(t, "signIn", signInQuery, map[string]any{"e": strings.ToUpper(email), "p": password})
	}
	nobody().expectSlow(t, "acceptInvitation", accept, map[string]any{"t": tokenIn(link), "p": password})
	w.owner.expectSlow(t, "changePassword", rekey, map[string]any{"o": password, "n": "a password of twelve"})
	w.owner.expectSlow(t, "transferOwnership", transfer, map[string]any{"u": known.id, "p": password, "a": only()})
	w.owner.expectAlive(t)
	known.again(t)
	settle(t)
	if n := len(w.noted(t, graph.SignInRefused)); n != graph.FreeOfPair {
		t.Errorf("%d refusals noted", n)
	}
}

// expectSlow expects that a mutation is refused for some time.
func (c client) expectSlow(t testing.TB, field, query string, vars map[string]any) {
	t.Helper()
	a := c.post(t, query, vars)
	var wait int
	if _, err := fmt.Sscan(a.Header.Get("Retry-After"), &wait); err != nil || wait < 1 || wait > 600 {
		t.Errorf("%s: Retry-After is %q", field, a.Header.Get("Retry-After"))
	}
	want := fmt.Sprintf(`{"data": {%q: null}, "errors": [{"message": "Too many tries; wait a little before the next.", "path": [%q],
		"extensions": {"code": "RATE_LIMITED", "retryAfter": %d}}]}`, field, field, wait)
	if diff := cmp.Diff(normal(t, []byte(want)), normal(t, a.Body)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", field, diff)
	}
}
