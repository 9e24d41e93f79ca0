package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

var toMoveUnit = mutation{
	field: "moveUnit", inputType: "MoveUnitInput", results: []string{"unit", "affectedGrants"},
	selection: "unit { id name depth parent { id } ancestors { id } children { nodes { name depth } } } affectedGrants",
}

func TestMoveUnit(t *testing.T) {
	t.Parallel()
	bad := input{"unitId": "", "parentId": ""}
	t.Run("done", moveUnitDone)
	t.Run("unauthenticated", notSignedIn(toMoveUnit, bad))
	t.Run("forbidden", forbidden(toMoveUnit, graph.ManageKeys, bad))
	t.Run("deep", moveUnitDeep)
	w := newUnitWorld(t)
	unit := func(id string) input { return input{"unitId": id, "parentId": w.empty} }
	parent := func(id string) input { return input{"unitId": w.empty, "parentId": id} }
	noUnit, noParent := toMoveUnit.refused(problem("NOT_FOUND", "input.unitId")), toMoveUnit.refused(problem("NOT_FOUND", "input.parentId"))
	t.Run("hidden", func(t *testing.T) {
		t.Parallel()
		w.alike(t, w.blind.client, toMoveUnit, unit, w.hiddenFromBlind(), noUnit)
		w.alike(t, w.blind.client, toMoveUnit, parent, w.hiddenFromBlind(), noParent)
	})
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		w.alike(t, w.owner.client, toMoveUnit, unit, w.missing, noUnit)
		w.alike(t, w.owner.client, toMoveUnit, parent, w.missing, noParent)
	})
	t.Run("repeated", func(t *testing.T) {
		t.Parallel()
		w.unchanged(t, func() {
			for _, in := range []input{{"unitId": w.below, "parentId": w.hidden}, {"unitId": w.hidden, "parentId": nil}, {"unitId": w.hidden}} {
				if a := w.owner.done(t, toMoveUnit, in); a.at(t, "moveUnit.affectedGrants") != 0.0 {
					t.Errorf("%v: %s", in, a.Body)
				}
			}
		})
	})
	t.Run("not the owner", func(t *testing.T) { // whatever the place
		t.Parallel()
		refused := toMoveUnit.refused(problem("NOT_ALLOWED", "input.unitId"))
		w.unchanged(t, func() {
			for _, in := range []input{{"unitId": w.seen, "parentId": w.empty}, {"unitId": w.empty}, {"unitId": w.seen, "parentId": w.seen}} {
				w.sees.fails(t, toMoveUnit, in, refused)
			}
		})
	})
	t.Run("below itself", func(t *testing.T) {
		t.Parallel()
		refused := toMoveUnit.refused(problem("CONFLICT", "input.parentId"))
		w.unchanged(t, func() {
			w.owner.fails(t, toMoveUnit, input{"unitId": w.hidden, "parentId": w.hidden}, refused)
			w.owner.fails(t, toMoveUnit, input{"unitId": w.hidden, "parentId": w.below}, refused)
		})
	})
}

// moveUnitDone: what rules enable changes with the place, at the next request. Neither a grant that is set for a key nor a rule
// for a unit that moves along lets it.
func moveUnitDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, c := w.unit(t, "A", ""), w.unit(t, "B", ""), w.unit(t, "C", "")
	m := w.unit(t, "M", a)
	n := w.unit(t, "N", m)
	m1, m2 := w.keyIn(t, "M1", m), w.keyIn(t, "M2", m)
	w.keyIn(t, "N1", n)
	w.remove(t, w.keyIn(t, "Deleted", n))
	rita, adam := w.user(t, invitee{role: graph.RoleReporting, withoutMaster: true}), w.user(t, invitee{role: graph.RoleAdministrator, withoutMaster: true})
	w.rule(t, rita.id, a, true)
	w.rule(t, rita.id, c, false)
	w.rule(t, adam.id, c, true)
	w.rule(t, adam.id, n, false)
	w.rule(t, w.owner.id, c, true) // as after handing over: the primary user has no grants
	w.grant(t, rita.id, m2, graph.GrantDisabled)
	w.grant(t, rita.id, m1, graph.GrantDisabled)
	w.edit(t, `UPDATE grants SET enabled = true, expires_at = '2016-06-29', updated_at = '2016-06-28' WHERE account_id = $1 AND key_id = $2`, rowOf(m1))
	check := func(who string, m member, want ...string) {
		t.Helper()
		if diff := cmp.Diff(append([]string{}, want...), m.names(t)); diff != "" {
			t.Errorf("keys of %s (-want +got):\n%s", who, diff)
		}
	}
	check("Rita", rita, "M1", "N1")
	for _, step := range []struct {
		parent   string
		affected int
		rita     []string
		adam     []string
	}{
		{b, 2, nil, nil},                  // Rita loses two
		{c, 2, nil, []string{"M1", "M2"}}, // Adam gains two; disabled stays disabled for Rita
		{c, 0, nil, []string{"M1", "M2"}}, // repeated
		{a, 4, []string{"M1", "N1"}, nil}, // both
		{"", 2, nil, nil},                 // Rita loses two
		{"", 0, nil, nil},                 // repeated
		{c, 2, nil, []string{"M1", "M2"}}, //
		{"", 2, nil, nil},                 //
		{a, 2, []string{"M1", "N1"}, nil}, //
	} {
		depth, above, ancestors := 1, "null", "[]"
		if step.parent != "" {
			depth, above = 2, `{"id":"`+step.parent+`"}`
			ancestors = "[" + above + "]"
		}
		answer := w.owner.done(t, toMoveUnit, input{"unitId": m, "parentId": orNull(step.parent)})
		answer.is(t, fmt.Sprintf(`{"data":{"moveUnit":{"userErrors":[],"unit":{"id":%q,"name":"M","depth":%d,"parent":%s,"ancestors":%s,
			"children":{"nodes":[{"name":"N","depth":%d}]}},"affectedGrants":%d}}}`, m, depth, above, ancestors, depth+1, step.affected))
		if step.affected > 0 {
			w.tells(t, answer, event{Action: "UNIT_CHANGED", Actor: w.owner.id, ActorLabel: w.owner.display(), Unit: m, Summary: "Moved the unit M.", IPAddress: "127.0.0.1"})
		} else {
			w.tells(t, answer)
		}
		check("Rita", rita, step.rita...)
		check("Adam", adam, step.adam...)
	}
}

// moveUnitDeep: the limit is that of the deepest unit below; lowered, it refuses moves and lets what is there stay.
func moveUnitDeep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	units := w.chain(t, 26)
	other := w.chain(t, 7)
	key := w.keyIn(t, "Deepest", units[25])
	w.unchanged(t, func() { // 7 levels and 26 would be 33
		w.owner.fails(t, toMoveUnit, input{"unitId": units[0], "parentId": other[6]}, toMoveUnit.refused(limitReachedAt("input.parentId", 32)))
	})
	w.owner.done(t, toMoveUnit, input{"unitId": units[0], "parentId": other[5]})
	a := w.owner.post(t, `query($k: ID!) { node(id: $k) { ... on ApiKey { unit { depth ancestors { name } } } } }`, map[string]any{"k": key})
	var above []string
	for _, n := range []int{6, 25} {
		for i := 1; i <= n; i++ {
			above = append(above, fmt.Sprint("Level ", i))
		}
	}
	sameText(t, "ancestors", unitNames(t, a, "node.unit.ancestors"), strings.Join(above, ", "))
	if a.at(t, "node.unit.depth") != 32.0 {
		t.Errorf("depth: %s", a.Body)
	}
	w.owner.fails(t, toMoveUnit, input{"unitId": other[0], "parentId": units[25]}, toMoveUnit.refused(problem("CONFLICT", "input.parentId")))
	w.setDepth(t, 10)
	refused := toMoveUnit.refused(limitReachedAt("input.parentId", 10))
	w.unchanged(t, func() {
		w.owner.fails(t, toMoveUnit, input{"unitId": units[0]}, refused)
		w.owner.fails(t, toMoveUnit, input{"unitId": units[15]}, refused) // 11 levels
		w.owner.done(t, toMoveUnit, input{"unitId": units[0], "parentId": other[5]})
	})
	w.owner.done(t, toMoveUnit, input{"unitId": units[16]})
}
