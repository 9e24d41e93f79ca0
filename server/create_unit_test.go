package server_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"grantwood/graph"
)

var toCreateUnit = mutation{
	field: "createUnit", inputType: "CreateUnitInput", results: []string{"unit", "affectedGrants"},
	selection: "unit { id name kind depth createdAt parent { id } ancestors { id } children { totalCount } apiKeys { totalCount } unitGrants { id } } affectedGrants",
}

func TestCreateUnit(t *testing.T) {
	t.Parallel()
	bad := input{"name": "", "kind": "OTHER", "parentId": "", "idempotencyKey": ""}
	t.Run("done", createUnitDone)
	t.Run("repeated", createUnitRepeated)
	t.Run("unauthenticated", notSignedIn(toCreateUnit, bad))
	t.Run("forbidden", forbidden(toCreateUnit, graph.ManageKeys, bad))
	t.Run("depth", createUnitDepth)
	w := newUnitWorld(t)
	in := func(id string) input { return input{"name": "New", "kind": "OTHER", "parentId": id} }
	refused := toCreateUnit.refused(problem("NOT_FOUND", "input.parentId"))
	t.Run("hidden", func(t *testing.T) {
		t.Parallel()
		w.alike(t, w.blind.client, toCreateUnit, in, w.hiddenFromBlind(), refused)
	})
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		w.alike(t, w.owner.client, toCreateUnit, in, w.missing, refused)
	})
	t.Run("invalid", func(t *testing.T) { createUnitInvalid(t, w) })
}

// createUnitDone: whoever manages keys creates at the top and below units that they see.
func createUnitDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.keyIn(t, "Europe", w.unit(t, "Europe", ""))
	europe := w.owner.text(t, `query($k: ID!) { node(id: $k) { ... on ApiKey { unit { id } } } }`, map[string]any{"k": k}, "node.unit.id")
	manager := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageKeys}, keys: []string{k}})
	top := ""
	for _, c := range []struct {
		by     member
		name   string
		kind   graph.UnitKind
		parent *string
		depth  int
		grants string // whether rules are shown
	}{
		{w.owner, "World", graph.Region, nil, 1, "[]"},
		{w.owner, "Asia", graph.Region, &top, 2, "[]"},
		{manager, strings.Repeat("é", 100), graph.Department, nil, 1, "null"},
		{manager, "Below one's own", graph.Customer, &top, 2, "null"},
		{manager, "Below what holds a key", graph.OtherKind, &europe, 2, "null"},
	} {
		in, above, ancestors := input{"name": c.name, "kind": c.kind}, "null", "[]"
		if c.parent != nil {
			in["parentId"] = *c.parent
			above = `{"id":"` + *c.parent + `"}`
			ancestors = "[" + above + "]"
		}
		a := c.by.done(t, toCreateUnit, in)
		id, _ := a.at(t, "createUnit.unit.id").(string)
		a.is(t, fmt.Sprintf(`{"data":{"createUnit":{"userErrors":[],"unit":{"id":%q,"name":%q,"kind":%q,"depth":%d,"createdAt":%q,"parent":%s,"ancestors":%s,
			"children":{"totalCount":0},"apiKeys":{"totalCount":0},"unitGrants":%s},"affectedGrants":null}}}`,
			id, c.name, c.kind, c.depth, a.at(t, "createUnit.unit.createdAt"), above, ancestors, c.grants))
		w.tells(t, a, event{Action: "UNIT_CHANGED", Actor: c.by.id, ActorLabel: c.by.display(), Unit: id, Summary: "Created the unit " + c.name + ".",
			Changes: "name:  -> " + c.name + "; kind:  -> " + string(c.kind), IPAddress: "127.0.0.1"})
		if c.parent == nil {
			top = id
		}
	}
}

// createUnitRepeated: names are not unique, so that a name says nothing about hidden units; a repeat makes another one, and
// with an idempotency key none.
func createUnitRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := input{"name": "Europe", "kind": "REGION", "parentId": w.unit(t, "World", "")}
	first, second := w.owner.done(t, toCreateUnit, in), w.owner.done(t, toCreateUnit, in)
	if first.at(t, "createUnit.unit.id") == second.at(t, "createUnit.unit.id") {
		t.Error("two units have one ID")
	}
	in["idempotencyKey"] = "a repeated key"
	first = w.owner.done(t, toCreateUnit, in)
	w.unchanged(t, func() {
		if second := w.owner.done(t, toCreateUnit, in); !bytes.Equal(first.Body, second.Body) {
			t.Errorf("first %s\nthen %s", first.Body, second.Body)
		}
	})
	id, _ := first.at(t, "createUnit.unit.id").(string)
	w.owner.done(t, toDeleteUnit, input{"unitId": id})
	w.owner.fails(t, toCreateUnit, in, toCreateUnit.refused(problem("NOT_FOUND", "input.idempotencyKey")))
}

// createUnitDepth: the limit counts levels from the top; lowered, it refuses only what is new.
func createUnitDepth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	units := w.chain(t, 32)
	deepest := input{"name": "Deeper", "kind": "OTHER", "parentId": units[31]}
	refused := func(limit int) string { return toCreateUnit.refused(limitReachedAt("input.parentId", limit)) }
	w.unchanged(t, func() { w.owner.fails(t, toCreateUnit, deepest, refused(32)) })
	w.unit(t, "Beside the deepest", units[30])
	a := w.owner.post(t, `query($u: ID!) { node(id: $u) { ... on Unit { depth parent { id depth } ancestors { name depth } } } }`, map[string]any{"u": units[31]})
	var above []string
	for i := 1; i < 32; i++ {
		above = append(above, fmt.Sprint("Level ", i))
	}
	sameText(t, "ancestors", unitNames(t, a, "node.ancestors"), strings.Join(above, ", "))
	if a.at(t, "node.depth") != 32.0 || a.at(t, "node.parent.id") != units[30] || a.at(t, "node.ancestors.24.depth") != 25.0 {
		t.Errorf("the deepest unit: %s", a.Body)
	}
	w.setDepth(t, 1)
	w.unit(t, "Another", "")
	w.owner.fails(t, toCreateUnit, with(deepest, "parentId", units[0]), refused(1))
	w.setDepth(t, 33)
	w.owner.done(t, toCreateUnit, deepest)
}

// setDepth sets the account's limit as the provider.
func (w *world) setDepth(t testing.TB, limit int) {
	t.Helper()
	operator(t, graph.ScopeAdmin).ask(t, `mutation($a: ID!, $n: Int!) { updateAccount(input: {accountId: $a, maxUnitDepth: $n}) { userErrors { code } } }`,
		map[string]any{"a": w.account, "n": limit}, "updateAccount")
}

// limitReachedAt is limitReached for a limit that an argument meets.
func limitReachedAt(path string, limit int) string {
	return fmt.Sprintf(`{"__typename":"LimitError","code":"LIMIT_REACHED","path":%s,"limit":%d}`, pathJSON(path), limit)
}

func createUnitInvalid(t *testing.T, w unitWorld) {
	t.Parallel()
	w.unchanged(t, func() {
		w.owner.fails(t, toCreateUnit, input{"name": "", "kind": "OTHER", "parentId": w.hidden}, toCreateUnit.refused(violation("input.name", "min=1")))
		w.blind.fails(t, toCreateUnit, input{"name": strings.Repeat("é", 101), "kind": "OTHER", "parentId": w.hidden, "idempotencyKey": "short"},
			toCreateUnit.refused(violation("input.name", "max=100"), violation("input.idempotencyKey", "min=8")))
		w.owner.fails(t, toCreateUnit, input{"name": "a\x00b", "kind": "OTHER"},
			`{"data":{"createUnit":null},"errors":[{"path":["createUnit"],"extensions":{"code":"BAD_USER_INPUT","argument":["input","name"]}}]}`)
		w.owner.fails(t, toCreateUnit, input{"name": "Europe", "kind": "CONTINENT"},
			`{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["in","kind"]}}]}`)
		w.owner.fails(t, toCreateUnit, input{"name": "Europe"},
			`{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["in","kind"]}}]}`)
	})
}
