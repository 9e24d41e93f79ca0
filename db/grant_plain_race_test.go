package db_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"grantwood/db"
	"grantwood/graph"
)

// TestManyChangesAtOnce: several callers set grants of one user, who signs in all the while, singly and as a block. Whatever the order,
// the trail tells an unbroken story of each grant from nothing to what is set, and the version of the user's rules is raised once for
// each of its events.
func TestManyChangesAtOnce(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 1, 2)
	user, pool := c.userIDs(c.users)[0], db.Pool(c.db)
	version := func() (n int) {
		t.Helper()
		if err := pool.GetContext(t.Context(), &n, `SELECT rules_version FROM users WHERE account_id = $1 AND user_id = $2`, c.id, user.Object); err != nil {
			t.Fatal(err)
		}
		return n
	}
	first := version()
	ctx, done := context.WithCancel(t.Context())
	var signing, changing sync.WaitGroup
	signing.Go(func() {
		for ctx.Err() == nil {
			_, _ = pool.ExecContext(ctx, `UPDATE users SET last_sign_in_at = now() WHERE account_id = $1 AND user_id = $2`, c.id, user.Object)
		}
	})
	for caller := range 4 {
		changing.Go(func() {
			v := *c.owner
			for i := range 40 {
				v.Request = now()
				state := []graph.GrantState{graph.GrantEnabled, graph.GrantDisabled, graph.GrantInherit}[(caller+i)%3]
				_, err := c.db.SetGrant(t.Context(), &v, graph.SetGrantInput{UserID: user, KeyID: c.keyIDs(c.keys)[i%2], State: state})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	changing.Wait()
	done()
	signing.Wait()
	set := c.states(t)
	var events int
	for _, key := range c.keys {
		var changes []struct{ Before, After graph.GrantState }
		err := pool.SelectContext(t.Context(), &changes, `
			SELECT changes->0->>'before' AS before, changes->0->>'after' AS after
			FROM audit_events
			WHERE account_id = $1 AND user_id = $2 AND key_id = $3`, c.id, user.Object, key)
		if err != nil {
			t.Fatal(err)
		}
		// As often as a state is reached it is left, but for the first and the last.
		balance := map[graph.GrantState]int{graph.GrantInherit: 1}
		for _, change := range changes {
			balance[change.Before]--
			balance[change.After]++
		}
		last, ok := set[fmt.Sprint(user.Object, " ", key)]
		if !ok {
			last = graph.GrantInherit
		}
		balance[last]--
		for state, n := range balance {
			if n != 0 {
				t.Errorf("%s was reached %d times more than left, in %d changes", state, n, len(changes))
			}
		}
		events += len(changes)
	}
	if raised := version() - first; raised != events {
		t.Errorf("the version was raised by %d in %d changes", raised, events)
	}
}
