package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"grantwood/graph"
)

// together sends requests at the same time, and gives their answers in the order of the requests.
func together(t *testing.T, requests ...*http.Request) []answer {
	t.Helper()
	answers, errs, start := make([]answer, len(requests)), make([]error, len(requests)), make(chan struct{})
	var wg sync.WaitGroup
	for i, r := range requests {
		wg.Go(func() {
			<-start
			answers[i], errs[i] = try(r)
		})
	}
	close(start)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return answers
}

// sending makes the request of a mutation.
func (c client) sending(t testing.TB, m mutation, in input) *http.Request {
	t.Helper()
	return c.newRequest(t, m.document(), variables(in))
}

// exactly checks that n of the answers succeeded, and that the others are refused as said.
func exactly(t *testing.T, n int, answers []answer, refused string) {
	t.Helper()
	succeeded := 0
	for _, a := range answers {
		if a.succeeded() {
			succeeded++
		} else {
			a.is(t, refused)
		}
	}
	if succeeded != n {
		t.Errorf("%d succeeded, want %d", succeeded, n)
	}
}

func count(t testing.TB, w *world, tableWhere string) string {
	t.Helper()
	return texts(t, "SELECT count(*)::text FROM "+tableWhere+" AND account_id = $1", graph.ParseID(w.account).Account)[0]
}

// TestInvitationAcceptedTwiceAtOnce makes one user, be the address new or known.
func TestInvitationAcceptedTwiceAtOnce(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), otherWorld(t)
	for _, email := range []string{address(), address(), other.user.email} {
		in := input{"token": w.send(t, email), "password": password}
		answers := together(t, nobody().sending(t, toAcceptInvitation, in), nobody().sending(t, toAcceptInvitation, in))
		exactly(t, 1, answers, badToken)
		if n := count(t, w, "users WHERE email = '"+email+"'"); n != "1" {
			t.Errorf("%s users with the address", n)
		}
	}
}

// TestNewPersonJoinsTwoAccountsAtOnce is one person afterwards, in both.
func TestNewPersonJoinsTwoAccountsAtOnce(t *testing.T) {
	t.Parallel()
	a, b := newWorld(t), newWorld(t)
	for range 2 {
		email := address()
		exactly(t, 2, together(t, nobody().sending(t, toAcceptInvitation, input{"token": a.send(t, email), "password": password}),
			nobody().sending(t, toAcceptInvitation, input{"token": b.send(t, email), "password": password})), "")
		if n := countOf(t, "persons WHERE email = '"+email+"'") + countOf(t, "logins WHERE email_key = '"+email+"'"); n != "11" {
			t.Errorf("persons and logins: %s", n)
		}
		if n := countOf(t, "memberships JOIN persons USING (person_id) WHERE email = '"+email+"'"); n != "2" {
			t.Errorf("%s memberships", n)
		}
	}
}

// TestTwoInvitationsOfOneAddressAtOnce leave one pending.
func TestTwoInvitationsOfOneAddressAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.user(t, invitee{role: graph.RoleAdministrator})
	for round := range 20 {
		email := fmt.Sprintf("round%d@test.example", round)
		in := input{"email": email, "access": input{"role": "REPORTING"}}
		exactly(t, 1, together(t, w.owner.sending(t, toInviteUser, in), admin.sending(t, toInviteUser, in), w.owner.sending(t, toInviteUser, in)),
			toInviteUser.refused(problem("CONFLICT", "input.email")))
		if n := count(t, w, "invitations WHERE email = '"+email+"'"); n != "1" {
			t.Errorf("%s invitations", n)
		}
	}
}

// TestUsersAtTheLimitAtOnce: users and invitations together never exceed it.
func TestUsersAtTheLimitAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for limit := 3; limit < 13; limit += 2 {
		w.edit(t, `UPDATE accounts SET max_users = $2 WHERE account_id = $1`, limit)
		var requests []*http.Request
		for range 5 {
			requests = append(requests, w.owner.sending(t, toInviteUser, input{"email": address(), "access": input{"role": "REPORTING"}}))
		}
		exactly(t, 2, together(t, requests...), toInviteUser.refused(limitReached(limit)))
	}
}

// limitReached is the user error for a limit.
func limitReached(limit int) string {
	return fmt.Sprintf(`{"__typename":"LimitError","code":"LIMIT_REACHED","path":[],"limit":%d}`, limit)
}

// TestKeysAtTheLimitAtOnce: the keys of an account never exceed it, whoever creates them.
func TestKeysAtTheLimitAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.user(t, invitee{role: graph.RoleAdministrator})
	for limit := 3; limit < 23; limit += 2 {
		w.edit(t, `UPDATE accounts SET max_api_keys = $2 WHERE account_id = $1`, limit)
		var requests []*http.Request
		for i := range 6 {
			c := []client{w.owner.client, admin.client}[i%2]
			requests = append(requests, c.sending(t, toCreateAPIKey, input{"name": "Key", "kind": "OTHER"}))
		}
		exactly(t, 2, together(t, requests...), toCreateAPIKey.refused(limitReached(limit)))
		if n := count(t, w, "api_keys WHERE deleted_at IS NULL"); n != fmt.Sprint(limit) {
			t.Errorf("%s keys, the limit is %d", n, limit)
		}
	}
}

// TestAdministratorsDisableEachOther: of two who take a key from each other at the same moment one keeps it, since the other
// has lost what it takes.
func TestAdministratorsDisableEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.key(t, "Contested")
	grants := []graph.Capability{graph.ManageGrants}
	a, b := w.user(t, invitee{capabilities: grants, keys: []string{k}}), w.user(t, invitee{capabilities: grants, keys: []string{k}})
	for range 5 {
		answers := together(t, a.sending(t, toSetGrant, input{"userId": b.id, "keyId": k, "state": "DISABLED"}),
			b.sending(t, toSetGrant, input{"userId": a.id, "keyId": k, "state": "DISABLED"}))
		exactly(t, 1, answers, toSetGrant.refused(problem("NOT_FOUND", "input.keyId")))
		if n := count(t, w, "grants WHERE enabled AND key_id = '"+rowOf(k).String()+"'"); n != "1" {
			t.Errorf("the key is enabled for %s of two", n)
		}
		w.grant(t, a.id, k, graph.GrantEnabled)
		w.grant(t, b.id, k, graph.GrantEnabled)
	}
}

// TestOneChangeManyTimesAtOnce changes once: one event, one time, one answer.
func TestOneChangeManyTimesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, u := w.key(t, "Europe"), w.user(t, invitee{role: graph.RoleReporting})
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{k}})
	for round, state := range []string{"ENABLED", "DISABLED", "ENABLED", "INHERIT", "DISABLED", "INHERIT", "ENABLED", "DISABLED", "ENABLED", "INHERIT"} {
		in := input{"userId": u.id, "keyId": k, "state": state}
		answers := together(t, w.owner.sending(t, toSetGrant, in), admin.sending(t, toSetGrant, in), w.owner.sending(t, toSetGrant, in),
			admin.sending(t, toSetGrant, in))
		exactly(t, len(answers), answers, "")
		for _, a := range answers {
			if !bytes.Equal(a.Body, answers[0].Body) {
				t.Errorf("%s: one says %s\nanother %s", state, answers[0].Body, a.Body)
			}
		}
		if n := count(t, w, "audit_events WHERE action LIKE 'GRANT_%' AND user_id = '"+rowOf(u.id).String()+"'"); n != fmt.Sprint(round+1) {
			t.Errorf("%s events after %d changes of the grant", n, round+1)
		}
		in = input{"keyId": k, "enabled": round%2 == 1}
		answers = together(t, w.owner.sending(t, toSetAPIKeyEnabled, in), admin.sending(t, toSetAPIKeyEnabled, in),
			w.owner.sending(t, toSetAPIKeyEnabled, in))
		exactly(t, len(answers), answers, "")
		if n := count(t, w, "audit_events WHERE action IN ('KEY_ENABLED', 'KEY_DISABLED')"); n != fmt.Sprint(round+1) {
			t.Errorf("%s events after %d changes of the key", n, round+1)
		}
	}
}
