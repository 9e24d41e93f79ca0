package server_test

import (
	"testing"

	"grantwood/graph"
)

var toDeleteUnit = mutation{
	field: "deleteUnit", inputType: "UnitIdInput", results: []string{"deletedUnitId"}, selection: "deletedUnitId",
}

func TestDeleteUnit(t *testing.T) {
	t.Parallel()
	bad := input{"unitId": ""}
	t.Run("done", deleteUnitDone)
	t.Run("unauthenticated", notSignedIn(toDeleteUnit, bad))
	t.Run("forbidden", forbidden(toDeleteUnit, graph.ManageKeys, bad))
	t.Run("emptied", deleteUnitEmptied)
	w := newUnitWorld(t)
	in := func(id string) input { return input{"unitId": id} }
	missing := toDeleteUnit.refused(problem("NOT_FOUND", "input.unitId"))
	t.Run("hidden", func(t *testing.T) {
		t.Parallel()
		w.alike(t, w.blind.client, toDeleteUnit, in, w.hiddenFromBlind(), missing)
	})
	t.Run("missing", func(t *testing.T) { // and repeated: one of them is deleted
		t.Parallel()
		w.alike(t, w.owner.client, toDeleteUnit, in, w.missing, missing)
	})
	t.Run("invalid", func(t *testing.T) {
		t.Parallel()
		w.unchanged(t, func() {
			w.owner.fails(t, toDeleteUnit, input{"unitId": nil}, `{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["in","unitId"]}}]}`)
			w.owner.fails(t, toDeleteUnit, input{"unitId": []string{w.empty, w.empty}},
				`{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["in","unitId"]}}]}`)
		})
	})
	t.Run("not empty", func(t *testing.T) {
		t.Parallel()
		holds := toDeleteUnit.refused(problem("INVALID_STATE", "input.unitId"))
		w.unchanged(t, func() {
			for _, id := range []string{w.seen, w.hidden} {
				w.owner.fails(t, toDeleteUnit, in(id), holds)
			}
			w.sees.fails(t, toDeleteUnit, in(w.seen), holds)
		})
	})
}

// deleteUnitDone: whoever manages keys deletes empty units that they see, with the rules for them. What is left of one is its
// history, for the owner.
func deleteUnitDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	manager := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageKeys, graph.ViewAudit}})
	for _, by := range []member{w.owner, manager} {
		top := w.unit(t, "Top", "")
		u := w.unit(t, "Europe", top)
		w.rule(t, manager.id, u, true)
		a := by.done(t, toDeleteUnit, input{"unitId": u})
		a.is(t, `{"data":{"deleteUnit":{"userErrors":[],"deletedUnitId":"`+u+`"}}}`)
		w.tells(t, a, event{Action: "UNIT_CHANGED", Actor: by.id, ActorLabel: by.display(), Summary: "Deleted the unit Europe.",
			Changes: "name: Europe -> ; kind: BUSINESS_UNIT -> ", IPAddress: "127.0.0.1"})
		w.owner.expect(t, `query($u: ID!, $top: ID!, $m: ID!) { node(id: $u) { id } top: node(id: $top) { ... on Unit { children { totalCount } } }
			manager: node(id: $m) { ... on User { unitGrants { id } } } account { auditEvents(filter: {unitId: $u}) { nodes { summary unit { id } } } } }`,
			map[string]any{"u": u, "top": top, "m": manager.id}, `{"data":{"node":null,"top":{"children":{"totalCount":0}},"manager":{"unitGrants":[]},
				"account":{"auditEvents":{"nodes":[{"summary":"Deleted the unit Europe.","unit":null},{"summary":"Created the unit Europe.","unit":null}]}}}}`)
		manager.expect(t, `query($u: ID!) { account { auditEvents(filter: {unitId: $u}) { nodes { summary } } } }`, map[string]any{"u": u},
			`{"data":{"account":{"auditEvents":{"nodes":[]}}}}`)
		w.unchanged(t, func() { // repeated
			by.fails(t, toDeleteUnit, input{"unitId": u}, toDeleteUnit.refused(problem("NOT_FOUND", "input.unitId")))
		})
		by.done(t, toDeleteUnit, input{"unitId": top})
	}
}

// deleteUnitEmptied: a deleted key keeps its place, until the owner moves it.
func deleteUnitEmptied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.unit(t, "Europe", "")
	below := w.unit(t, "Below", u)
	k := w.keyIn(t, "Sales", below)
	holds := toDeleteUnit.refused(problem("INVALID_STATE", "input.unitId"))
	w.owner.ask(t, deleteKey, in("keyId", k), "deleteApiKey")
	for _, id := range []string{u, below} {
		w.owner.fails(t, toDeleteUnit, input{"unitId": id}, holds)
	}
	w.owner.done(t, toMoveKey, input{"keyId": k})
	w.owner.fails(t, toDeleteUnit, input{"unitId": u}, holds)
	w.owner.done(t, toDeleteUnit, input{"unitId": below})
	w.owner.done(t, toDeleteUnit, input{"unitId": u})
}
