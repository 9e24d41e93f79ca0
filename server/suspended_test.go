package server_test

import (
	"fmt"
	"testing"

	"grantwood/graph"
)

// TestSuspendedAccountReads: reading works as before, signing in and out too; every other change by a user is refused.
func TestSuspendedAccountReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.key(t, "Europe")
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{k}})
	token := w.send(t, address())
	const query = `{ account { name users { totalCount nodes { id status } } apiKeys { totalCount nodes { id name viewerGrant { enabled } } }
		grants { totalCount } invitations { totalCount } auditEvents(first: 5) { nodes { action } } } }`
	reads := map[*member]string{&w.owner: "", &admin: ""}
	for m := range reads {
		reads[m] = string(m.post(t, query, nil).Body)
	}
	w.suspend(t)
	w.unchanged(t, func() {
		for m, want := range reads {
			m.expect(t, query, nil, want)
			m.expect(t, `query($k: ID!) { account { status } node(id: $k) { ... on ApiKey { viewerCanManage } } }`, map[string]any{"k": k},
				`{"data":{"account":{"status":"SUSPENDED"},"node":{"viewerCanManage":false}}}`)
		}
		for _, c := range []struct {
			m  mutation
			in input
		}{
			{toInviteUser, input{"email": "someone@test.example", "access": input{"role": "REPORTING"}}},
			{toSetGrant, input{"userId": admin.id, "keyId": k, "state": "DISABLED"}},
			{toSetGrant, input{"userId": admin.id, "keyId": k, "state": "ENABLED"}}, // would change nothing
			{toCreateAPIKey, input{"name": "More", "kind": "OTHER"}},
			{toSetAPIKeyEnabled, input{"keyId": k, "enabled": false}},
			{toSetAPIKeyEnabled, input{"keyId": "key_x", "enabled": false}},
		} {
			w.owner.fails(t, c.m, c.in, c.m.denied(graph.AccountSuspended))
			admin.fails(t, c.m, c.in, c.m.denied(graph.AccountSuspended))
		}
		nobody().fails(t, toAcceptInvitation, input{"token": token, "password": password}, toAcceptInvitation.denied(graph.AccountSuspended))
	})
	session := enter(t, admin.email, "")
	session.is(t, admin.id, w.account)
	session.fails(t, toSignOut, nil, signedOut)
	session.isNobody(t)
	w.edit(t, `UPDATE accounts SET status = 'ACTIVE' WHERE account_id = $1`)
	a := nobody().done(t, toAcceptInvitation, input{"token": token, "password": password})
	started(t, a, "acceptInvitation").is(t, fmt.Sprint(a.at(t, "acceptInvitation.viewer.user.id")), w.account)
}
