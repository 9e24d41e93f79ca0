package server_test

import (
	"fmt"
	"strings"
	"testing"

	"grantwood/graph"
)

// unit makes a unit as the owner, at the top when parent is empty, and gives its ID.
func (w *world) unit(t testing.TB, name, parent string) string {
	t.Helper()
	return w.owner.text(t, `mutation($n: String!, $p: ID) { createUnit(input: {name: $n, kind: BUSINESS_UNIT, parentId: $p}) { userErrors { code } unit { id } } }`,
		map[string]any{"n": name, "p": orNull(parent)}, "createUnit.unit.id")
}

// chain makes units below each other, the first at the top, and gives their IDs from the top down.
func (w *world) chain(t testing.TB, levels int) []string {
	t.Helper()
	var list []string
	for i, parent := 1, ""; i <= levels; i++ {
		parent = w.unit(t, fmt.Sprint("Level ", i), parent)
		list = append(list, parent)
	}
	return list
}

// keyIn makes a key in a unit as the owner and gives its ID.
func (w *world) keyIn(t testing.TB, name, unit string) string {
	t.Helper()
	return w.owner.text(t, `mutation($n: String!, $u: ID) { createApiKey(input: {name: $n, kind: OTHER, unitId: $u}) { userErrors { code } key { id } } }`,
		map[string]any{"n": name, "u": unit}, "createApiKey.key.id")
}

// rule sets what a unit says about a user, without a trace in the audit trail and also for the primary user.
func (w *world) rule(t testing.TB, user, unit string, enabled bool) {
	t.Helper()
	w.edit(t, `INSERT INTO unit_grants (account_id, user_id, unit_id, enabled, updated_at) VALUES ($1, $2, $3, $4, now())
		ON CONFLICT (account_id, user_id, unit_id) DO UPDATE SET enabled = excluded.enabled`, rowOf(user), rowOf(unit), enabled)
	w.edit(t, `UPDATE users SET rules_version = rules_version + 1 WHERE account_id = $1 AND user_id = $2`, rowOf(user))
}

// place puts a key into a unit as the owner.
func (w *world) place(t testing.TB, key, unit string) {
	t.Helper()
	w.owner.ask(t, `mutation($k: ID!, $u: ID) { moveApiKey(input: {keyId: $k, unitId: $u}) { userErrors { code } } }`, map[string]any{"k": key, "u": unit}, "moveApiKey")
}

func orNull(id string) any {
	if id == "" {
		return nil
	}
	return id
}

// noUnits are IDs under which nobody in the world finds a unit, by what they are.
func (w *world) noUnits(t testing.TB) map[string]string {
	other := otherWorld(t)
	ids := w.noObjects(graph.KindUnit, other.unit, w.master)
	ids["deleted"] = w.unit(t, "Deleted", "")
	w.owner.ask(t, `mutation($u: ID!) { deleteUnit(input: {unitId: $u}) { userErrors { code } } }`, map[string]any{"u": ids["deleted"]}, "deleteUnit")
	return ids
}

// unitNames lists the names of units wherever they are below a way through the data, in their order.
func unitNames(t testing.TB, a answer, way string) string {
	t.Helper()
	list, ok := a.at(t, way).([]any)
	if !ok {
		t.Fatalf("no list at %s: %s", way, a.Body)
	}
	var out []string
	for _, n := range list {
		out = append(out, text(n.(map[string]any), "name"))
	}
	return strings.Join(out, ", ")
}

// unitWorld is a world with units in which tests change nothing: one with a key that the administrator sees, one with a hidden
// key, which holds an empty one, and an empty one at the top.
type unitWorld struct {
	*world
	seen, hidden, below, empty string // units
	key, hiddenKey             string
	sees, blind                member            // administrators; the second sees no key
	missing                    map[string]string // IDs of no unit
}

func newUnitWorld(t testing.TB) unitWorld {
	t.Helper()
	w := newWorld(t)
	u := unitWorld{world: w, seen: w.unit(t, "Seen", ""), hidden: w.unit(t, "Hidden", ""), empty: w.unit(t, "Empty", "")}
	u.below = w.unit(t, "Below", u.hidden)
	u.key, u.hiddenKey = w.keyIn(t, "Key", u.seen), w.keyIn(t, "Hidden key", u.hidden)
	u.sees = w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{u.key}})
	u.blind = w.user(t, invitee{role: graph.RoleAdministrator, withoutMaster: true})
	u.missing = w.noUnits(t)
	return u
}

// hiddenFromBlind are IDs under which the one who sees no key finds no unit.
func (u unitWorld) hiddenFromBlind() map[string]string {
	ids := map[string]string{"hidden": u.hidden, "another hidden one": u.seen, "empty below a hidden one": u.below}
	for name, id := range u.missing {
		ids[name] = id
	}
	return ids
}
