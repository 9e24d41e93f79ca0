package server_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

// TestInvitationSaysNothingAboutOtherAccounts: an address that is known in another account, or invited there, is invited
// like any other.
func TestInvitationSaysNothingAboutOtherAccounts(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	other.send(t, "invited-there@test.example")
	var bodies [][]byte
	for _, email := range []string{"unknown@test.example", other.owner.email, "invited-there@test.example"} {
		a := w.owner.done(t, toInviteUser, input{"email": email, "access": input{"role": "REPORTING"}})
		body := a.Body
		for _, own := range []string{"invitation.id", "invitation.sentAt", "invitation.expiresAt", "link"} {
			body = bytes.Replace(body, []byte(fmt.Sprint(a.at(t, "inviteUser."+own))), []byte(own), 1)
		}
		bodies = append(bodies, bytes.ReplaceAll(body, []byte(email), []byte("address")))
	}
	for _, body := range bodies[1:] {
		if diff := cmp.Diff(string(bodies[0]), string(body)); diff != "" {
			t.Errorf("answer (-unknown +known):\n%s", diff)
		}
	}
}

// TestMasterKeyIsNotHandedOnUnseen: who does not see the master key invites without it, whatever they say, and who sees it
// may leave it out.
func TestMasterKeyIsNotHandedOnUnseen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	blind := w.user(t, invitee{role: graph.RoleAdministrator, withoutMaster: true})
	for name, c := range map[string]struct {
		inviter member
		without any
		want    []string
	}{
		"unseen":             {blind, false, []string{}},
		"seen":               {w.owner, false, []string{"Master key"}},
		"seen, but left out": {w.owner, true, []string{}},
	} {
		email := address()
		a := c.inviter.done(t, toInviteUser, input{"email": email, "access": input{"role": "REPORTING"}, "withoutMasterKey": c.without})
		u := join(t, fmt.Sprint(a.at(t, "inviteUser.link")), email)
		if diff := cmp.Diff(c.want, u.names(t)); diff != "" {
			t.Errorf("%s: keys (-want +got):\n%s", name, diff)
		}
	}
}

// TestInvitationAfterItsTime: an invitation whose time is over reads as expired, opens nothing, and makes room for another.
func TestInvitationAfterItsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	email := address()
	old := w.send(t, email)
	w.expire(t, email)
	const list = `query($s: InvitationStatus) { account { invitations(status: $s) { totalCount nodes { email status } } } }`
	w.owner.expect(t, list, map[string]any{"s": "PENDING"}, `{"data":{"account":{"invitations":{"totalCount":0,"nodes":[]}}}}`)
	w.owner.expect(t, list, map[string]any{"s": "EXPIRED"},
		`{"data":{"account":{"invitations":{"totalCount":1,"nodes":[{"email":"`+email+`","status":"EXPIRED"}]}}}}`)
	again := w.send(t, email)
	w.unchanged(t, func() { nobody().fails(t, toAcceptInvitation, input{"token": old, "password": password}, badToken) })
	nobody().done(t, toAcceptInvitation, input{"token": again, "password": password})
	w.owner.expect(t, list, nil, `{"data":{"account":{"invitations":{"totalCount":3,"nodes":[{"email":"`+email+`","status":"ACCEPTED"},
		{"email":"`+email+`","status":"EXPIRED"},{"email":"`+w.owner.email+`","status":"ACCEPTED"}]}}}}`)
}

// TestInvitationShowsVisibleKeys: whoever manages users sees invitations, of their keys those that they see themselves.
func TestInvitationShowsVisibleKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hidden, seen := w.key(t, "Hidden"), w.key(t, "Seen")
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{seen}})
	w.send(t, "someone@test.example", hidden, seen)
	const list = `{ account { invitations(first: 1) { nodes { keys { id } } } } }`
	w.owner.expect(t, list, nil, `{"data":{"account":{"invitations":{"nodes":[{"keys":[{"id":"`+hidden+`"},{"id":"`+seen+`"}]}]}}}}`)
	admin.expect(t, list, nil, `{"data":{"account":{"invitations":{"nodes":[{"keys":[{"id":"`+seen+`"}]}]}}}}`)
}

// TestKeyDeletedBeforeJoining: what was promised is given as far as it is still there.
func TestKeyDeletedBeforeJoining(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone, stays := w.key(t, "Gone"), w.key(t, "Stays")
	email := address()
	token := w.send(t, email, gone, stays)
	w.remove(t, gone)
	a := nobody().done(t, toAcceptInvitation, input{"token": token, "password": password})
	u := started(t, a, "acceptInvitation")
	u.expect(t, `{ account { apiKeys(filter: {statuses: [ENABLED, DISABLED, DELETED]}) { totalCount nodes { name } } } }`, nil,
		`{"data":{"account":{"apiKeys":{"totalCount":2,"nodes":[{"name":"Master key"},{"name":"Stays"}]}}}}`)
}
