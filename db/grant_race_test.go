package db_test

import (
	"fmt"
	"sync"
	"testing"

	"grantwood/db"
	"grantwood/graph"
)

// TestTrailOfChangesAtOnce: of two changes that are the first of a grant, at once, one follows the other, and the trail says so.
func TestTrailOfChangesAtOnce(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	u := a.user(t, graph.RoleReporting)
	for round := range 30 {
		k, _, err := a.db.CreateApiKey(t.Context(), a.owner, graph.CreateApiKeyInput{Name: fmt.Sprint("Key ", round), Kind: graph.OtherKind})
		if err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		for _, state := range []graph.GrantState{graph.GrantEnabled, graph.GrantDisabled} {
			both.Go(func() {
				if _, err := a.db.SetGrant(t.Context(), a.owner, graph.SetGrantInput{UserID: u.User.ID(), KeyID: k.ID(), State: state}); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		id := k.ID()
		page, err := a.db.AuditEventsOf(t.Context(), a.owner, a.id, window(graph.ByCreationDes), graph.AuditEventFilter{KeyID: &id,
			Actions: []graph.AuditAction{graph.GrantWasOn, graph.GrantWasOff}}, db.Ask{})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Nodes) != 2 {
			t.Fatalf("%d events, want 2", len(page.Nodes))
		}
		x, y := page.Nodes[0].Changes[0], page.Nodes[1].Changes[0]
		if first := string(graph.GrantInherit); !(*x.Before == first && *y.Before == *x.After || *y.Before == first && *x.Before == *y.After) {
			t.Fatalf("the trail says %s to %s and %s to %s", *x.Before, *x.After, *y.Before, *y.After)
		}
	}
}
