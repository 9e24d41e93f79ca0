package db_test

import (
	"testing"
	"time"

	"grantwood/graph"
)

// TestAffectedByEndedGrant: a grant that has ended no longer keeps a key from what a move changes.
func TestAffectedByEndedGrant(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	u := a.user(t, graph.RoleReporting)
	from, to := a.unit(t, "From", nil), a.unit(t, "To", nil)
	moving := a.unit(t, "Moving", from)
	k, _, err := a.db.CreateApiKey(t.Context(), a.owner, graph.CreateApiKeyInput{Name: "Lent", Kind: graph.OtherKind, UnitID: ptr(moving.ID())})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.db.SetUnitGrant(t.Context(), a.owner, graph.SetUnitGrantInput{UserID: u.User.ID(), UnitID: to.ID(), State: graph.GrantEnabled}); err != nil {
		t.Fatal(err)
	}
	end := a.owner.Request.At.Add(time.Hour)
	_, err = a.db.SetGrant(t.Context(), a.owner, graph.SetGrantInput{UserID: u.User.ID(), KeyID: k.ID(), State: graph.GrantEnabled, ExpiresAt: &end})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		later time.Duration
		to    *graph.Unit
		want  int
	}{{time.Minute, to, 0}, {time.Minute, from, 0}, {time.Hour, to, 1}, {time.Hour, from, 1}} {
		if _, n, err := a.db.MoveUnit(t.Context(), at(a.owner, step.later), graph.MoveUnitInput{UnitID: moving.ID(), ParentID: ptr(step.to.ID())}); err != nil || n != step.want {
			t.Errorf("after %v to %s: %d grants, want %d (%v)", step.later, step.to.Name, n, step.want, err)
		}
	}
}
