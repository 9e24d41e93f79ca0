package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/db/dbtest"
	"grantwood/graph"
)

const (
	resend = `mutation($i: ID!) { resendInvitation(input: {invitationId: $i}) { userErrors { code path } invitation { id status } link } }`
	revoke = `mutation($i: ID!) { revokeInvitation(input: {invitationId: $i}) { userErrors { code path } invitation { id status } } }`
	accept = `mutation($t: String!, $p: String!) { acceptInvitation(input: {token: $t, password: $p}) { userErrors { code path } sessionToken } }`
	look   = `query($t: String!) { invitationPreview(token: $t) { accountName invitedByName maskedEmail expiresAt } }`
)

// change runs a statement on the shared database, for what no function of the product does, such as letting time pass.
func change(t testing.TB, statement string, args ...any) {
	t.Helper()
	if _, err := sql(t, dbtest.SharedName()).ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

func accountOf(id string) string { return graph.ParseID(id).Account.String() }

// request is one that comes now, for what is done below HTTP.
func request() graph.Request {
	return graph.Request{ID: "test", At: time.Now().UTC().Truncate(time.Microsecond)}
}

func suspend(t testing.TB, w *world) {
	t.Helper()
	change(t, `UPDATE accounts SET status = 'SUSPENDED' WHERE account_id = $1`, accountOf(w.account))
}

// expire lets the time of an invitation pass.
func expire(t testing.TB, invitation string) {
	t.Helper()
	change(t, `UPDATE invitations SET sent_at = sent_at - interval '8 days', expires_at = expires_at - interval '8 days'
		WHERE account_id = $1 AND invitation_id = $2`, accountOf(invitation), uuidOf(invitation))
}

// offer is a pending invitation.
type offer struct{ id, email, token string }

func (w *world) offer(t testing.TB, i invitee) offer {
	t.Helper()
	o := offer{email: address()}
	access := role(i.role)
	if i.capabilities != nil {
		access = only(i.capabilities...)
	}
	if i.keys == nil {
		i.keys = []string{}
	}
	a := w.owner.ask(t, `mutation($in: InviteUserInput!) { inviteUser(input: $in) { userErrors { code message path } link invitation { id } } }`,
		map[string]any{"in": map[string]any{"email": o.email, "access": access, "keyIds": i.keys, "withoutMasterKey": i.withoutMaster}},
		"inviteUser").(map[string]any)
	o.id, o.token = text(a["invitation"].(map[string]any), "id"), tokenIn(text(a, "link"))
	return o
}

func tokenIn(link string) string {
	_, token, _ := strings.Cut(link, "#")
	return token
}

func (o offer) vars() map[string]any { return map[string]any{"i": o.id} }

// accepted tries a token and gives the outcome.
func accepted(t testing.TB, token string) string {
	t.Helper()
	return outcome(t, nobody().post(t, accept, map[string]any{"t": token, "p": password}), "acceptInvitation")
}

func resent(o offer, link string) string {
	return fmt.Sprintf(`{"data": {"resendInvitation": {"userErrors": [], "invitation": {"id": %q, "status": "PENDING"}, "link": %q}}}`, o.id, link)
}

func notResent(code graph.Code) string {
	return fmt.Sprintf(`{"data": {"resendInvitation": {"userErrors": [{"code": %q, "path": ["input", "invitationId"]}], "invitation": null, "link": null}}}`, code)
}

func TestResendInvitation(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	admin, o := w.user(t, invitee{role: graph.RoleAdministrator}), w.offer(t, invitee{role: graph.RoleReporting})
	var tokens []string
	for range 2 { // every time a new link
		a := admin.post(t, resend, o.vars())
		link, _ := a.at(t, "resendInvitation.link").(string)
		if diff := cmp.Diff(normal(t, []byte(resent(o, link))), normal(t, a.Body)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		tokens = append(tokens, tokenIn(link))
	}
	for i, dead := range []string{o.token, tokens[0]} {
		if got := accepted(t, dead); got != "INVALID_CREDENTIALS" {
			t.Errorf("link %d: %s", i, got)
		}
	}
	if got := accepted(t, tokens[1]); got != "done" {
		t.Errorf("the last link: %s", got)
	}
	if n := w.noted(t, graph.InvitationResent); len(n) != 2 || !strings.HasPrefix(n[0], admin.name()+": Sent the invitation of "+o.email+" again. expiresAt 2") {
		t.Errorf("noted: %v", n)
	}
	admin.expect(t, resend, o.vars(), notResent(graph.InvalidState)) // accepted

	withdrawn := w.offer(t, invitee{role: graph.RoleReporting})
	admin.ask(t, revoke, withdrawn.vars(), "revokeInvitation")
	admin.expect(t, resend, withdrawn.vars(), notResent(graph.InvalidState))

	nobody().expect(t, resend, o.vars(), deniedTo("resendInvitation", graph.Unauthenticated, signInFirst))
	w.user(t, invitee{role: graph.RoleReporting}).expect(t, resend, o.vars(), deniedTo("resendInvitation", graph.Forbidden, "This needs the capability MANAGE_USERS."))
	operator(t, graph.ScopeSupport).expect(t, resend, o.vars(), deniedTo("resendInvitation", graph.Forbidden, "This needs the scope ADMIN."))
	foreign := other.offer(t, invitee{role: graph.RoleReporting})
	for _, missing := range []string{"nonsense", w.master, foreign.id, "inv_" + strings.Repeat("0", 52)} {
		admin.expect(t, resend, map[string]any{"i": missing}, notResent(graph.NotFound))
		if missing != foreign.id {
			operator(t, graph.ScopeAdmin).expect(t, resend, map[string]any{"i": missing}, notResent(graph.NotFound))
		}
	}
}

func TestExpiredInvitationIsSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.offer(t, invitee{role: graph.RoleReporting})
	expire(t, o.id)
	if got := accepted(t, o.token); got != "INVALID_CREDENTIALS" {
		t.Fatalf("an expired link: %s", got)
	}
	link := w.owner.text(t, resend, o.vars(), "resendInvitation.link")
	sent, err := time.Parse(time.RFC3339, w.owner.text(t, `query($i: ID!) { node(id: $i) { ... on Invitation { sentAt } } }`, o.vars(), "node.sentAt"))
	end, err2 := time.Parse(time.RFC3339, w.owner.text(t, `query($i: ID!) { node(id: $i) { ... on Invitation { expiresAt } } }`, o.vars(), "node.expiresAt"))
	if err != nil || err2 != nil || end.Sub(sent) != 7*24*time.Hour {
		t.Errorf("valid from %s to %s", sent, end)
	}
	expire(t, o.id)
	// Invited anew, the address has a pending invitation, and the old one cannot come back beside it.
	second := w.invite(t, o.email, graph.RoleDeveloper)
	w.owner.expect(t, resend, o.vars(), notResent(graph.Conflict))
	if got := accepted(t, tokenIn(link)); got != "INVALID_CREDENTIALS" {
		t.Errorf("an expired link: %s", got)
	}
	if got := accepted(t, tokenIn(second)); got != "done" {
		t.Errorf("invited anew after expiry: %s", got)
	}
	w.owner.expect(t, resend, o.vars(), notResent(graph.Conflict))
}

// TestNobodyResendsMoreThanTheyHold: the link is in the answer, and whoever has it joins.
func TestNobodyResendsMoreThanTheyHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen, hidden := w.key(t, "Seen"), w.key(t, "Hidden")
	part := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageUsers, graph.ViewUsage}, keys: []string{seen}})
	full := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{seen}, withoutMaster: true})
	more := w.offer(t, invitee{role: graph.RoleAdministrator})
	withKeys := w.offer(t, invitee{role: graph.RoleReporting, keys: []string{seen, hidden}})
	onlyHidden := w.offer(t, invitee{role: graph.RoleReporting, keys: []string{hidden}})
	for _, o := range []offer{more, withKeys} {
		part.expect(t, resend, o.vars(), notResent(graph.NotAllowed))
		if got := w.owner.text(t, `query($i: ID!) { node(id: $i) { ... on Invitation { status } } }`, o.vars(), "node.status"); got != "PENDING" {
			t.Errorf("refused, and then %s", got)
		}
	}
	// Keys that the sender does not see are left out, and so is a master key that is not theirs: refusing would betray them.
	link := part.text(t, resend, onlyHidden.vars(), "resendInvitation.link")
	if diff := cmp.Diff([]string{"Master key"}, join(t, link, onlyHidden.email).names(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	link = full.text(t, resend, withKeys.vars(), "resendInvitation.link")
	if diff := cmp.Diff([]string{"Seen"}, join(t, link, withKeys.email).names(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOperatorResendsInvitationOfPrimaryUser(t *testing.T) {
	t.Parallel()
	provider, email := operator(t, graph.ScopeAdmin), address()
	made := provider.ask(t, `mutation($e: String!) { createAccount(input: {name: "Lost mail", currency: "EUR", primaryEmail: $e}) {
		userErrors { code } account { id } invitation { id } link } }`, map[string]any{"e": email}, "createAccount").(map[string]any)
	o := offer{id: text(made["invitation"].(map[string]any), "id"), token: tokenIn(text(made, "link"))}
	expire(t, o.id)
	link := provider.text(t, resend, o.vars(), "resendInvitation.link")
	w := &world{account: text(made["account"].(map[string]any), "id"), owner: join(t, link, email)}
	w.expectNoted(t, graph.UserJoined, w.owner.name()+": "+w.owner.name()+" joined.")
	if n := w.noted(t, graph.InvitationResent); len(n) != 1 || !strings.HasPrefix(n[0], "Test provider: ") {
		t.Errorf("noted: %v", n)
	}
	provider.expect(t, resend, w.offer(t, invitee{role: graph.RoleReporting}).vars(), notResent(graph.NotAllowed))
}

func TestRevokeInvitation(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	admin, o := w.user(t, invitee{role: graph.RoleAdministrator}), w.offer(t, invitee{role: graph.RoleReporting})
	for range 2 {
		admin.expect(t, revoke, o.vars(), fmt.Sprintf(`{"data": {"revokeInvitation": {"userErrors": [], "invitation": {"id": %q, "status": "REVOKED"}}}}`, o.id))
	}
	w.expectNoted(t, graph.InvitationTaken, admin.name()+": Withdrew the invitation of "+o.email+". status PENDING→REVOKED;")
	if got := accepted(t, o.token); got != "INVALID_CREDENTIALS" {
		t.Errorf("a withdrawn link: %s", got)
	}
	if got := accepted(t, tokenIn(w.invite(t, o.email, graph.RoleReporting))); got != "done" {
		t.Errorf("invited anew after it was withdrawn: %s", got)
	}
	expired := w.offer(t, invitee{role: graph.RoleReporting})
	expire(t, expired.id)
	admin.ask(t, revoke, expired.vars(), "revokeInvitation")

	joined := w.offer(t, invitee{role: graph.RoleReporting})
	if got := accepted(t, joined.token); got != "done" {
		t.Fatal(got)
	}
	not := func(code graph.Code) string {
		return refusedAt("revokeInvitation", "invitation", code, "input.invitationId")
	}
	admin.expect(t, revoke, joined.vars(), not(graph.InvalidState))
	part := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageUsers}})
	part.expect(t, revoke, w.offer(t, invitee{role: graph.RoleReporting}).vars(), not(graph.NotAllowed))
	nobody().expect(t, revoke, o.vars(), deniedTo("revokeInvitation", graph.Unauthenticated, signInFirst))
	w.user(t, invitee{role: graph.RoleReporting}).expect(t, revoke, o.vars(), deniedTo("revokeInvitation", graph.Forbidden, "This needs the capability MANAGE_USERS."))
	for _, missing := range []string{"nonsense", w.master, other.offer(t, invitee{role: graph.RoleReporting}).id} {
		admin.expect(t, revoke, map[string]any{"i": missing}, not(graph.NotFound))
	}
}

func TestInvitationPreview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.offer(t, invitee{role: graph.RoleReporting})
	end := w.owner.text(t, `query($i: ID!) { node(id: $i) { ... on Invitation { expiresAt } } }`, o.vars(), "node.expiresAt")
	see := func(token string) map[string]any { return map[string]any{"t": token} }
	for _, c := range []client{nobody(), w.owner.client, operator(t, graph.ScopeSupport)} {
		c.expect(t, look, see(o.token), fmt.Sprintf(`{"data": {"invitationPreview": {"accountName": "Test", "invitedByName": %q, "maskedEmail": %q, "expiresAt": %q}}}`,
			w.owner.name(), "p…@test.example", end))
	}
	const nothing = `{"data": {"invitationPreview": null}}`
	last := "0"
	if strings.HasSuffix(o.token, "0") {
		last = "g"
	}
	for _, token := range []string{o.token[:len(o.token)-1] + last, o.token + "0", strings.Repeat("x", 30), "gwi_" + strings.Repeat("0", 103), "gws" + o.token[3:]} {
		nobody().expect(t, look, see(token), nothing)
	}
	if a := nobody().post(t, look, see("short")); !strings.Contains(string(a.Body), `"BAD_USER_INPUT"`) {
		t.Errorf("too short: %s", a.Body)
	}
	w.owner.ask(t, revoke, o.vars(), "revokeInvitation")
	nobody().expect(t, look, see(o.token), nothing)
	expired := w.offer(t, invitee{role: graph.RoleReporting})
	expire(t, expired.id)
	nobody().expect(t, look, see(expired.token), nothing)
}

// TestAcceptedOrRevoked lets an invitation be accepted and revoked at once: it is one or the other.
func TestAcceptedOrRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done := map[string]int{}
	// Accepting hashes a password; so does the sign-in of nobody, before half of the revocations.
	const late = `mutation($i: ID!, $e: String!) { signIn(input: {email: $e, password: "a wrong password"}) { userErrors { code } }
		revokeInvitation(input: {invitationId: $i}) { userErrors { code path } } }`
	for i := range 30 {
		o := w.offer(t, invitee{role: graph.RoleReporting})
		var taken answer
		var joined string
		atOnce(func() { joined = accepted(t, o.token) }, func() {
			if i%2 == 0 {
				taken = w.owner.post(t, revoke, o.vars())
			} else {
				taken = w.owner.post(t, late, map[string]any{"i": o.id, "e": address()})
			}
		})
		got := []string{joined, outcome(t, taken, "revokeInvitation")}
		done[strings.Join(got, " ")]++
		status := w.owner.text(t, `query($i: ID!) { node(id: $i) { ... on Invitation { status } } }`, o.vars(), "node.status")
		switch {
		case slices.Equal(got, []string{"done", "INVALID_STATE"}) && status == "ACCEPTED":
		case slices.Equal(got, []string{"INVALID_CREDENTIALS", "done"}) && status == "REVOKED":
		default:
			t.Fatalf("%v, and it is %s", got, status)
		}
	}
	t.Log(done)
}
