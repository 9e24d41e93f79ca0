package db_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"grantwood/db"
	"grantwood/graph"
)

// forest is what was said about the tree of an account, to be held against what the database and the domain make of it.
type forest struct {
	account
	users  []*graph.Viewer
	keys   []*graph.ApiKey // the master key first
	parent map[graph.UUID]graph.UUID
	place  map[graph.UUID]graph.UUID // unit of each key that is in one
	rules  map[[2]graph.UUID]bool    // by user and unit
	grants map[[2]graph.UUID]graph.GrantState
	gone   map[graph.UUID]bool // deleted keys
}

// holders are a unit and those above it, the nearest first.
func (f *forest) holders(unit graph.UUID) []graph.UUID {
	var list []graph.UUID
	for !unit.IsZero() {
		list = append(list, unit)
		unit = f.parent[unit]
	}
	return list
}

// sees says whether the key is enabled for the user, in the words of the product.
func (f *forest) sees(user graph.UUID, k *graph.ApiKey) bool {
	switch f.grants[[2]graph.UUID{user, k.KeyID}] {
	case graph.GrantEnabled:
		return true
	case graph.GrantDisabled:
		return false
	}
	for _, unit := range f.holders(f.place[k.KeyID]) {
		if enabled, said := f.rules[[2]graph.UUID{user, unit}]; said {
			return enabled
		}
	}
	return k.IsMaster
}

// seesUnit says whether the unit is visible, in the words of the product.
func (f *forest) seesUnit(v *graph.Viewer, unit graph.UUID) bool {
	holds := false
	for _, k := range f.keys {
		if slices.Contains(f.holders(f.place[k.KeyID]), unit) {
			holds = true
			if f.sees(v.UserID(), k) {
				return true
			}
		}
	}
	parent := f.parent[unit]
	return !holds && v.May(graph.ManageKeys) && (parent.IsZero() || f.seesUnit(v, parent))
}

// enabled is the number of grants for keys that are not deleted, by user and key.
func (f *forest) enabled() map[[2]graph.UUID]bool {
	all := map[[2]graph.UUID]bool{}
	for _, u := range f.users {
		for _, k := range f.keys {
			if !f.gone[k.KeyID] {
				all[[2]graph.UUID{u.UserID(), k.KeyID}] = f.sees(u.UserID(), k)
			}
		}
	}
	return all
}

func newForest(t *testing.T) *forest {
	t.Helper()
	a := newAccount(t)
	f := &forest{account: a, users: []*graph.Viewer{a.user(t, graph.RoleReporting), a.user(t, graph.RoleAdministrator)},
		keys:   []*graph.ApiKey{must(a.db.MasterKey(t.Context(), a.owner, a.id))},
		parent: map[graph.UUID]graph.UUID{}, place: map[graph.UUID]graph.UUID{}, rules: map[[2]graph.UUID]bool{},
		grants: map[[2]graph.UUID]graph.GrantState{}, gone: map[graph.UUID]bool{}}
	for i := range 6 {
		k, _, err := a.db.CreateApiKey(t.Context(), a.owner, graph.CreateApiKeyInput{Name: fmt.Sprint("Key ", i), Kind: graph.OtherKind})
		if err != nil {
			t.Fatal(err)
		}
		f.keys = append(f.keys, k)
	}
	f.gone[f.keys[6].KeyID] = true
	if err := remove(t, a, a.owner, f.keys[6]); err != nil {
		t.Fatal(err)
	}
	for _, k := range f.keys[1:] {
		u := a.unit(t, "Unit", nil)
		if _, err := a.db.MoveApiKey(t.Context(), a.owner, graph.MoveApiKeyInput{KeyID: k.ID(), UnitID: ptr(u.ID())}); err != nil {
			t.Fatal(err)
		}
		f.parent[u.UnitID], f.place[k.KeyID] = graph.UUID{}, u.UnitID
	}
	return f
}

func (f *forest) draw(r *rapid.T) graph.UUID {
	units := slices.SortedFunc(maps.Keys(f.parent), func(a, b graph.UUID) int { return slices.Compare(a[:], b[:]) })
	return rapid.SampledFrom(units).Draw(r, "unit")
}

// drawPlace draws a unit, or the top of the tree.
func (f *forest) drawPlace(r *rapid.T) (graph.UUID, *graph.ID) {
	if rapid.IntRange(0, 5).Draw(r, "top") == 5 {
		return graph.UUID{}, nil
	}
	unit := f.draw(r)
	return unit, ptr(f.unitID(unit))
}

// TestTreesAgree changes a tree and what is set for it at random, and compares what is visible then: by the predicates of SQL, by
// the sets that @visible uses, and in the words of the product, written down here once more. A move tells how many grants it
// changed.
func TestTreesAgree(t *testing.T) {
	t.Parallel()
	f := newForest(t)
	moved := 0
	rapid.Check(t, func(r *rapid.T) {
		for range rapid.IntRange(3, 8).Draw(r, "changes") {
			moved += f.change(t, r)
		}
		for i := range f.users {
			f.users[i] = f.again(t, f.users[i])
			f.compare(t, r, f.users[i])
		}
		if wrong, lost := f.wrongPaths(t); wrong != 0 || lost != 0 {
			r.Fatalf("%d wrong paths, %d lost units", wrong, lost)
		}
	})
	if moved < 3 {
		t.Errorf("moves changed %d grants: these are few", moved)
	}
}

// change makes a change and gives how many grants it changed, when it is a move.
func (f *forest) change(t *testing.T, r *rapid.T) int {
	ctx := t.Context()
	user := f.users[rapid.IntRange(0, len(f.users)-1).Draw(r, "user")].User
	key := f.keys[rapid.IntRange(1, len(f.keys)-1).Draw(r, "key")]
	check := func(err error) {
		if err != nil {
			r.Fatal(err)
		}
	}
	switch what := rapid.SampledFrom([]string{"move", "rule", "move", "rule", "key", "create", "delete", "move", "grant"}).Draw(r, "what"); what {
	case "move":
		return f.move(t, r)
	case "create":
		parent, id := f.drawPlace(r)
		if len(f.parent) < 10 {
			u, err := f.db.CreateUnit(ctx, f.owner, graph.CreateUnitInput{Name: "Unit", Kind: graph.OtherKind, ParentID: id})
			check(err)
			f.parent[u.UnitID] = parent
		}
	case "delete":
		f.delete(t, r)
	case "key":
		unit, id := f.drawPlace(r)
		_, err := f.db.MoveApiKey(ctx, f.owner, graph.MoveApiKeyInput{KeyID: key.ID(), UnitID: id})
		check(err)
		f.place[key.KeyID] = unit
	case "rule":
		unit, said := f.draw(r), rapid.SampledFrom([]graph.GrantState{graph.GrantEnabled, graph.GrantInherit, graph.GrantDisabled, graph.GrantInherit}).Draw(r, "said")
		pair := [2]graph.UUID{user.UserID, unit}
		if delete(f.rules, pair); said != graph.GrantInherit {
			f.rules[pair] = said == graph.GrantEnabled
		}
		check(f.setRule(t, user, unit, said))
	case "grant":
		if !f.gone[key.KeyID] {
			s := rapid.SampledFrom([]graph.GrantState{graph.GrantEnabled, graph.GrantDisabled, graph.GrantInherit, graph.GrantInherit}).Draw(r, "state")
			_, err := f.db.SetGrant(ctx, f.owner, graph.SetGrantInput{UserID: user.ID(), KeyID: key.ID(), State: s})
			check(err)
			f.grants[[2]graph.UUID{user.UserID, key.KeyID}] = s
		}
	}
	return 0
}

// setRule sets what a unit says about a user, nothing when it inherits.
func (a account) setRule(t testing.TB, u *graph.User, unit graph.UUID, said graph.GrantState) error {
	_, err := db.Pool(a.db).ExecContext(t.Context(), `
		WITH raised AS (UPDATE users SET rules_version = rules_version + 1 WHERE account_id = $1 AND user_id = $2),
			gone AS (DELETE FROM unit_grants WHERE account_id = $1 AND user_id = $2 AND unit_id = $3 AND $4 = 'INHERIT')
		INSERT INTO unit_grants (account_id, user_id, unit_id, enabled, updated_at)
		SELECT $1, $2, $3, $4 = 'ENABLED', now() WHERE $4 <> 'INHERIT'
		ON CONFLICT (account_id, user_id, unit_id) DO UPDATE SET enabled = excluded.enabled`, a.id, u.UserID, unit, string(said))
	return err
}

func (f *forest) move(t *testing.T, r *rapid.T) int {
	unit := f.draw(r)
	parent, id := f.drawPlace(r)
	before := f.enabled()
	u, affected, err := f.db.MoveUnit(t.Context(), f.owner, graph.MoveUnitInput{UnitID: f.unitID(unit), ParentID: id})
	if slices.Contains(f.holders(parent), unit) {
		if code(err) != "CONFLICT input.parentId" {
			r.Fatalf("a unit moves below itself: %v", err)
		}
		return 0
	}
	if err != nil {
		r.Fatal(err)
	}
	f.parent[unit] = parent
	want := 0
	for pair, enabled := range f.enabled() {
		if before[pair] != enabled {
			want++
		}
	}
	if affected != want || u.Depth != len(f.holders(unit)) {
		r.Fatalf("the move affects %d grants, want %d; the unit is at level %d, want %d", affected, want, u.Depth, len(f.holders(unit)))
	}
	return affected
}

func (f *forest) delete(t *testing.T, r *rapid.T) {
	unit := f.draw(r)
	_, err := f.db.DeleteUnit(t.Context(), f.owner, f.unitID(unit))
	if slices.Contains(slices.Collect(maps.Values(f.parent)), unit) || slices.Contains(slices.Collect(maps.Values(f.place)), unit) {
		if code(err) != "INVALID_STATE input.unitId" {
			r.Fatalf("a unit that holds something is deleted: %v", err)
		}
		return
	}
	if err != nil {
		r.Fatal(err)
	}
	delete(f.parent, unit)
	maps.DeleteFunc(f.rules, func(pair [2]graph.UUID, _ bool) bool { return pair[1] == unit })
	if len(f.parent) == 0 {
		f.parent[f.unit(t, "Unit", nil).UnitID] = graph.UUID{}
	}
}

// compare reports where the answers about what v sees differ.
func (f *forest) compare(t *testing.T, r *rapid.T, v *graph.Viewer) {
	var wantKeys, wantUnits, sqlUnits, setUnits, setKeys, sqlKeys []graph.UUID
	for _, k := range f.keys {
		if f.sees(v.UserID(), k) {
			wantKeys = append(wantKeys, k.KeyID)
		}
		if v.SeesKey(f.id, k.KeyID) {
			setKeys = append(setKeys, k.KeyID)
		}
	}
	for unit := range f.parent {
		if f.seesUnit(v, unit) {
			wantUnits = append(wantUnits, unit)
		}
		if v.SeesUnit(f.id, unit) {
			setUnits = append(setUnits, unit)
		}
	}
	for _, k := range must(f.db.Keys(t.Context(), v, f.id, ids(f.keys, func(k *graph.ApiKey) graph.UUID { return k.KeyID }))) {
		sqlKeys = append(sqlKeys, k.KeyID)
	}
	for _, u := range must(f.db.Units(t.Context(), v, f.id, slices.Collect(maps.Keys(f.parent)))) {
		sqlUnits = append(sqlUnits, u.UnitID)
	}
	for what, pair := range map[string][2][]graph.UUID{"keys by SQL": {wantKeys, sqlKeys}, "keys by the set": {wantKeys, setKeys},
		"units by SQL": {wantUnits, sqlUnits}, "units by the set": {wantUnits, setUnits}, "units by lists": {wantUnits, f.listed(t, v)}} {
		for _, list := range pair {
			slices.SortFunc(list, func(a, b graph.UUID) int { return slices.Compare(a[:], b[:]) })
		}
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			r.Fatalf("%s (-want +got):\n%s", what, diff)
		}
	}
}

// listed walks down the lists of units.
func (f *forest) listed(t *testing.T, v *graph.Viewer) []graph.UUID {
	var list []graph.UUID
	page := must(f.db.UnitsOf(t.Context(), v, f.id, window(graph.ByName), nil, db.Ask{Total: true}))
	for level := page.Nodes; len(level) > 0; {
		below := must(f.db.ChildrenOf(t.Context(), v, level, window(graph.ByName), db.Ask{}))
		var next []*graph.Unit
		for _, u := range level {
			list = append(list, u.UnitID)
			next = append(next, below[u.UnitID].Nodes...)
		}
		level = next
	}
	return list
}

func ids[T any](list []*T, id func(*T) graph.UUID) []graph.UUID {
	var all []graph.UUID
	for _, x := range list {
		all = append(all, id(x))
	}
	return all
}

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
	if err := a.setRule(t, u.User, to.UnitID, graph.GrantEnabled); err != nil {
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
