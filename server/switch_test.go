package server_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/db/dbtest"
	"grantwood/graph"
)

// TestSwitchesOfAnotherProcess: what one server changes about who sees what holds for the next request to another one on the same
// database, whatever that remembers: grants, rules for units, moves of keys and units, and for an access token also what its creator loses.
func TestSwitchesOfAnotherProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := apiOn(t, dbtest.OpenNamed(t, dbtest.SharedName()))
	region := w.unit(t, "Region", "")
	team := w.unit(t, "Team", region)
	apart := w.unit(t, "Apart", "")
	k, inTeam := w.key(t, "Key"), w.keyIn(t, "In team", team)
	u := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{k}})
	secret := u.text(t, `mutation($in: CreateAccessTokenInput!) { createAccessToken(input: $in) { token } }`, map[string]any{"in": input{"name": "Reports",
		"capabilities": []string{"VIEW_USAGE"}, "keyIds": []string{k}, "expiresAt": time.Now().AddDate(0, 1, 0).Format(time.RFC3339)}}, "createAccessToken.token")
	user, machine := client{other, u.token}, client{other, secret}
	sees := func(what string, byToken []string, want ...string) {
		t.Helper()
		for range 2 { // the second time it is remembered
			if diff := cmp.Diff(want, user.names(t)); diff != "" {
				t.Errorf("%s, the user:\n%s", what, diff)
			}
			if diff := cmp.Diff(byToken, machine.names(t)); diff != "" {
				t.Errorf("%s, the token:\n%s", what, diff)
			}
		}
	}
	key, none := []string{"Key"}, []string{}
	sees("at first", key, "Key", "Master key")
	w.grant(t, u.id, k, graph.GrantDisabled)
	sees("disabled", none, "Master key")
	w.grant(t, u.id, k, graph.GrantEnabled)
	sees("enabled again", key, "Key", "Master key")
	w.owner.done(t, toSetUnitGrant, input{"userId": u.id, "unitId": region, "state": "ENABLED"})
	sees("with a rule", key, "In team", "Key", "Master key")
	w.grant(t, u.id, inTeam, graph.GrantDisabled)
	sees("with an exception", key, "Key", "Master key")
	w.grant(t, u.id, inTeam, graph.GrantInherit)
	sees("without the exception", key, "In team", "Key", "Master key")
	w.place(t, inTeam, apart)
	sees("when the key has moved", key, "Key", "Master key")
	w.place(t, inTeam, team)
	sees("when it has moved back", key, "In team", "Key", "Master key")
	w.owner.done(t, toMoveUnit, input{"unitId": team, "parentId": apart})
	sees("when its unit has moved", key, "Key", "Master key")
	w.disable(t, u.id)
	user.isNobody(t)
	machine.isNobody(t)
}
