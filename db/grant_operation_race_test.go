package db_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"grantwood/db"
	"grantwood/graph"
)

// racer is one of the changes that run at the same time: the cells that it sets, and what its event says that it changed.
type racer struct {
	name  string
	cells []string // user and key
	to    graph.GrantState
	do    func() error
	event func() map[string]string // "before -> after" by cell
}

// TestOperationsAtOnce: two administrators set overlapping blocks, each with the other among the users, while the owner sets one
// grant. All of it comes to an end, in a state that some order explains, and each event says what it changed in that order.
func TestOperationsAtOnce(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 3, 3)
	x, y := c.seesAll(t), c.seesAll(t)
	for round := range 15 {
		before := c.states(t)
		racers := []racer{
			c.blockRacer(t, x, append([]graph.UUID{y.UserID()}, c.users...), c.keys[:2], graph.GrantEnabled),
			c.blockRacer(t, y, append(slices.Clone(c.users[1:]), x.UserID()), c.keys[1:], []graph.GrantState{graph.GrantInherit, graph.GrantEnabled}[round%2]),
			c.grantRacer(t, c.users[1], c.keys[1], graph.GrantDisabled),
		}
		var all sync.WaitGroup
		errs := make([]error, len(racers))
		for i, r := range racers {
			all.Go(func() { errs[i] = r.do() })
		}
		all.Wait()
		for i, err := range errs {
			if err != nil {
				t.Fatalf("%s: %v", racers[i].name, err)
			}
		}
		explained(t, before, c.states(t), racers)
	}
}

func (c crowd) blockRacer(t *testing.T, v *graph.Viewer, users, keys []graph.UUID, to graph.GrantState) racer {
	var done db.GrantOperation
	r := racer{name: "block of " + v.User.Email, to: to}
	for _, u := range users {
		for _, k := range keys {
			r.cells = append(r.cells, fmt.Sprint(u, " ", k))
		}
	}
	r.do = func() (err error) {
		v = c.again(t, v)
		done, err = c.db.SetAccess(t.Context(), v, graph.SetAccessInput{UserIds: c.userIDs(users), KeyIds: c.keyIDs(keys), State: to})
		return err
	}
	r.event = func() map[string]string {
		said := map[string]string{}
		if done.ID == nil {
			return said
		}
		events := must(c.db.AuditEvents(t.Context(), c.owner, c.id, []graph.UUID{done.ID.Object}))
		for _, g := range must(c.db.GrantChangesOf(t.Context(), c.owner, events, window(graph.ByKeyAndPlace), db.Ask{}))[done.ID.Object].Nodes {
			said[fmt.Sprint(g.UserID, " ", g.KeyID)] = fmt.Sprint(g.StateBefore(), " -> ", g.StateAfter())
		}
		return said
	}
	return r
}

func (c crowd) grantRacer(t *testing.T, user, key graph.UUID, to graph.GrantState) racer {
	owner := *c.owner
	owner.Request = now()
	owner.Request.ID = newIDs(1)[0].String()
	r := racer{name: "one grant", cells: []string{fmt.Sprint(user, " ", key)}, to: to}
	r.do = func() error {
		_, err := c.db.SetGrant(t.Context(), &owner, graph.SetGrantInput{UserID: c.userIDs([]graph.UUID{user})[0], KeyID: c.keyIDs([]graph.UUID{key})[0], State: to})
		return err
	}
	r.event = func() map[string]string {
		said := map[string]string{}
		page := must(c.db.AuditEventsOf(t.Context(), c.owner, c.id, window(graph.ByCreationDes), graph.AuditEventFilter{}, db.Ask{}))
		for _, e := range page.Nodes {
			if e.RequestID == owner.Request.ID {
				said[r.cells[0]] = *e.Changes[0].Before + " -> " + *e.Changes[0].After
			}
		}
		return said
	}
	return r
}

// states gives what is set, by user and key.
func (c crowd) states(t *testing.T) map[string]graph.GrantState {
	t.Helper()
	var rows []struct {
		UserID, KeyID graph.UUID
		Enabled       bool
	}
	if err := db.Pool(c.db).SelectContext(t.Context(), &rows, `SELECT user_id, key_id, enabled FROM grants WHERE account_id = $1`, c.id); err != nil {
		t.Fatal(err)
	}
	found := map[string]graph.GrantState{}
	for _, r := range rows {
		found[fmt.Sprint(r.UserID, " ", r.KeyID)] = (&graph.Rule{Enabled: r.Enabled}).State()
	}
	return found
}

// explained looks for an order of the changes that leads from one state to the other, with the events saying what they say.
func explained(t *testing.T, before, after map[string]graph.GrantState, racers []racer) {
	t.Helper()
	var events []map[string]string
	for _, r := range racers {
		events = append(events, r.event())
	}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		state, fits := maps.Clone(before), true
		for _, i := range order {
			fits = fits && maps.Equal(racers[i].play(state), events[i])
		}
		if fits && maps.Equal(state, after) {
			return
		}
	}
	t.Fatalf("no order leads from %v\nto %v\nwith %v", before, after, events)
}

// play sets the cells and gives what that changes.
func (r racer) play(state map[string]graph.GrantState) map[string]string {
	changed := map[string]string{}
	for _, c := range r.cells {
		was, set := state[c]
		if !set {
			was = graph.GrantInherit
		}
		if was == r.to {
			continue
		}
		changed[c] = fmt.Sprint(was, " -> ", r.to)
		state[c] = r.to
		if r.to == graph.GrantInherit {
			delete(state, c)
		}
	}
	return changed
}
