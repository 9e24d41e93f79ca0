package db_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// TestTreesAgree: in two thousand random trees with random rules, grants that end and changes, four answers about every user,
// key and unit are the same: the predicates of SQL, the second source that @visible uses, the last step of the explanation,
// and a plain recursive model.
func TestTreesAgree(t *testing.T) {
	t.Parallel()
	for part := range 20 {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(r *rapid.T) {
				p, err := plant(t.Context(), dbtest.Open(t), drawModel(r))
				if err != nil {
					r.Fatal(err)
				}
				at := modelStart.Add(30 * time.Minute)
				for range rapid.IntRange(0, 4).Draw(r, "changes") {
					p.change(r, t, at)
				}
				p.compare(r, t, at.Add(time.Duration(rapid.IntRange(0, 3).Draw(r, "hours later"))*time.Hour))
			})
		})
	}
}

// change makes a random change in the database and in the model.
func (p *planted) change(r *rapid.T, t *testing.T, at time.Time) {
	owner := p.viewer(r, t, modelOwner, at)
	user := rapid.IntRange(modelAdmin, modelReader).Draw(r, "of user")
	changes := []func(){func() { p.setGrant(r, t, owner, user) }}
	if len(p.units) > 0 {
		changes = append(changes, func() { p.setUnitGrant(r, t, owner, user) }, func() { p.moveUnit(r, t, owner) }, func() { p.moveKey(r, t, owner) })
	}
	changes[rapid.IntRange(0, len(changes)-1).Draw(r, "change")]()
}

var states = []graph.GrantState{graph.GrantEnabled, graph.GrantDisabled, graph.GrantInherit}

func (p *planted) setGrant(r *rapid.T, t *testing.T, v *graph.Viewer, user int) {
	key, state := rapid.IntRange(0, len(p.keys)-1).Draw(r, "key"), rapid.SampledFrom(states).Draw(r, "state")
	rule := graph.Rule{Enabled: state == graph.GrantEnabled}
	if rule.Enabled && rapid.Bool().Draw(r, "ends") {
		end := modelStart.Add(time.Duration(rapid.IntRange(1, 3).Draw(r, "end")) * time.Hour)
		rule.ExpiresAt = &end
	}
	_, err := p.db.SetGrant(t.Context(), v, graph.SetGrantInput{UserID: p.global(graph.KindUser, p.users[user]),
		KeyID: p.global(graph.KindKey, p.keys[key]), State: state, ExpiresAt: rule.ExpiresAt})
	if err != nil {
		r.Fatal(err)
	}
	p.explicit[pairAt{user, key}] = rule
	if state == graph.GrantInherit {
		delete(p.explicit, pairAt{user, key})
	}
}

func (p *planted) setUnitGrant(r *rapid.T, t *testing.T, v *graph.Viewer, user int) {
	unit, state := rapid.IntRange(0, len(p.units)-1).Draw(r, "unit"), rapid.SampledFrom(states).Draw(r, "state")
	before := p.enabled(user, v.Request.At)
	made, err := p.db.SetUnitGrant(t.Context(), v, graph.SetUnitGrantInput{UserID: p.global(graph.KindUser, p.users[user]),
		UnitID: p.global(graph.KindUnit, p.units[unit]), State: state})
	if err != nil {
		r.Fatal(err)
	}
	p.rules[pairAt{user, unit}] = state == graph.GrantEnabled
	if state == graph.GrantInherit {
		delete(p.rules, pairAt{user, unit})
	}
	if want := differences(before, p.enabled(user, v.Request.At)); made.Affected != want {
		r.Fatalf("%d keys were affected, want %d", made.Affected, want)
	}
}

// moveUnit moves a unit anywhere; where that is itself or below it, the move must be refused.
func (p *planted) moveUnit(r *rapid.T, t *testing.T, v *graph.Viewer) {
	unit, parent := rapid.IntRange(0, len(p.units)-1).Draw(r, "unit"), rapid.IntRange(-1, len(p.units)-1).Draw(r, "below")
	var before [modelUsers][]bool
	for user := range before {
		before[user] = p.enabled(user, v.Request.At)
	}
	_, affected, err := p.db.MoveUnit(t.Context(), v, graph.MoveUnitInput{UnitID: p.global(graph.KindUnit, p.units[unit]), ParentID: p.globalUnit(parent)})
	if p.within(parent, unit) {
		if e, ok := errors.AsType[*graph.Error](err); !ok || e.Code != graph.Conflict {
			r.Fatalf("moved below itself: %v", err)
		}
		return
	}
	if err != nil {
		r.Fatal(err)
	}
	p.parent[unit] = parent
	want := 0
	for user := modelAdmin; user < modelUsers; user++ {
		want += differences(before[user], p.enabled(user, v.Request.At))
	}
	if affected != want {
		r.Fatalf("the move changed %d grants, want %d", affected, want)
	}
}

// moveKey moves a key anywhere; the master key stays.
func (p *planted) moveKey(r *rapid.T, t *testing.T, v *graph.Viewer) {
	key, unit := rapid.IntRange(1, len(p.keys)-1).Draw(r, "key"), rapid.IntRange(-1, len(p.units)-1).Draw(r, "unit")
	if _, err := p.db.MoveApiKey(t.Context(), v, graph.MoveApiKeyInput{KeyID: p.global(graph.KindKey, p.keys[key]), UnitID: p.globalUnit(unit)}); err != nil {
		r.Fatal(err)
	}
	p.unitOf[key] = unit
}

func (p *planted) globalUnit(unit int) *graph.ID {
	if unit == -1 {
		return nil
	}
	id := p.global(graph.KindUnit, p.units[unit])
	return &id
}

func (p *planted) global(k graph.Kind, object graph.UUID) graph.ID {
	return graph.ID{Kind: k, Account: p.account, Object: object}
}

// enabled says of every key whether it is enabled for an additional user.
func (p *planted) enabled(user int, at time.Time) []bool {
	list := make([]bool, len(p.keys))
	for key := range list {
		list[key] = p.effective(user, key, at).Enabled
	}
	return list
}

func differences(a, b []bool) int {
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// compare asks about everything as every user.
func (p *planted) compare(r *rapid.T, t *testing.T, at time.Time) {
	for user := range modelUsers {
		v := p.viewer(r, t, user, at)
		p.compareKeys(r, t, v, user)
		p.compareUnits(r, t, v, user)
		p.compareWhole(r, t, v, user)
		p.compareGrants(r, t, v, user)
	}
}

func (p *planted) compareKeys(r *rapid.T, t *testing.T, v *graph.Viewer, user int) {
	found := map[graph.UUID]bool{}
	for _, k := range must(p.db.Keys(t.Context(), v, p.account, p.keys)) {
		found[k.KeyID] = true
	}
	for i, key := range p.keys {
		want := p.seesKey(user, i, v.Request.At)
		if got := v.SeesKey(p.account, key); found[key] != want || got != want {
			r.Fatalf("user %d sees key %d: SQL %v, second source %v, want %v", user, i, found[key], got, want)
		}
	}
}

func (p *planted) compareUnits(r *rapid.T, t *testing.T, v *graph.Viewer, user int) {
	found := map[graph.UUID]bool{}
	for _, u := range must(p.db.Units(t.Context(), v, p.account, p.units)) {
		found[u.UnitID] = true
	}
	for i, unit := range p.units {
		want := p.seesUnit(user, i, v.Request.At)
		if got := v.SeesUnit(p.account, unit); found[unit] != want || got != want {
			r.Fatalf("user %d sees unit %d: SQL %v, second source %v, want %v", user, i, found[unit], got, want)
		}
	}
}

// compareGrants asks for the grants of all users that are visible: of everybody to the owner and the administrator, of
// themselves to others.
func (p *planted) compareGrants(r *rapid.T, t *testing.T, v *graph.Viewer, user int) {
	pairs, want := map[db.Pair]pairAt{}, map[pairAt]answer{}
	for u := range modelUsers {
		for k := range p.keys {
			pairs[db.Pair{User: p.users[u], Key: p.keys[k]}] = pairAt{u, k}
			if u != modelOwner && (u == user || user != modelReader) && p.seesKey(user, k, v.Request.At) {
				want[pairAt{u, k}] = p.effective(u, k, v.Request.At)
			}
		}
	}
	grants := must(p.db.Grants(t.Context(), v, p.account, slices.Collect(maps.Keys(pairs))))
	got := map[pairAt]answer{}
	for _, g := range grants {
		got[pairs[db.Pair{User: g.User.UserID, Key: g.Key.KeyID}]] = answer{g.Enabled, g.Source, p.place(g.UnitID)}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.Fatalf("grants that user %d sees (-want +got):\n%s", user, diff)
	}
	if len(grants) == 0 {
		return
	}
	for pair, steps := range must(p.db.Explanations(t.Context(), v, grants)) {
		last := steps[len(steps)-1]
		said := answer{*last.Enabled, last.Source, -1}
		if last.Unit != nil {
			said.Unit = p.place(&last.Unit.UnitID)
		}
		if said != want[pairs[pair]] {
			r.Fatalf("to user %d the grant %v is explained by %v, want %v", user, pairs[pair], said, want[pairs[pair]])
		}
	}
}

func (p *planted) place(unit *graph.UUID) int {
	if unit == nil {
		return -1
	}
	return slices.Index(p.units, *unit)
}
