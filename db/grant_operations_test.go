package db_test

import (
	"testing"

	"grantwood/graph"
)

// BenchmarkSetAccess enables and resets a thousand keys for a thousand users: a million grants.
func BenchmarkSetAccess(b *testing.B) {
	c := newCrowd(b, 1000, 1000)
	c.settle(b)
	in := graph.SetAccessInput{UserIds: c.userIDs(c.users), KeyIds: c.keyIDs(c.keys)}
	for b.Loop() {
		for _, state := range []graph.GrantState{graph.GrantEnabled, graph.GrantEnabled, graph.GrantDisabled, graph.GrantInherit} {
			in.State = state
			c.owner.Request = now()
			start := c.owner.Request.At
			done, err := c.db.SetAccess(b.Context(), c.owner, in)
			if err != nil {
				b.Fatal(err)
			}
			b.Logf("%s: %s, %d enabled, %d disabled", state, now().At.Sub(start), done.Enabled, done.Disabled)
		}
	}
}
