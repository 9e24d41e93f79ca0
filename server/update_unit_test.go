package server_test

import (
	"bytes"
	"strings"
	"testing"

	"grantwood/graph"
)

var toUpdateUnit = mutation{
	field: "updateUnit", inputType: "UpdateUnitInput", results: []string{"unit", "affectedGrants"},
	selection: "unit { id name kind depth parent { id } } affectedGrants",
}

func TestUpdateUnit(t *testing.T) {
	t.Parallel()
	bad := input{"unitId": "", "name": "", "kind": "OTHER"}
	t.Run("done", updateUnitDone)
	t.Run("repeated", updateUnitRepeated)
	t.Run("unauthenticated", notSignedIn(toUpdateUnit, bad))
	t.Run("forbidden", forbidden(toUpdateUnit, graph.ManageKeys, bad))
	w := newUnitWorld(t)
	in := func(id string) input { return input{"unitId": id, "name": "X"} }
	refused := toUpdateUnit.refused(problem("NOT_FOUND", "input.unitId"))
	t.Run("hidden", func(t *testing.T) {
		t.Parallel()
		w.alike(t, w.blind.client, toUpdateUnit, in, w.hiddenFromBlind(), refused)
	})
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		w.alike(t, w.owner.client, toUpdateUnit, in, w.missing, refused)
	})
	t.Run("invalid", func(t *testing.T) {
		t.Parallel()
		w.unchanged(t, func() {
			for name, rule := range map[string]string{"": "min=1", strings.Repeat("é", 101): "max=100"} {
				w.blind.fails(t, toUpdateUnit, input{"unitId": w.hidden, "name": name}, toUpdateUnit.refused(violation("input.name", rule)))
			}
			w.owner.fails(t, toUpdateUnit, input{"unitId": w.seen, "kind": "CONTINENT"},
				`{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["in","kind"]}}]}`)
			w.owner.fails(t, toUpdateUnit, input{"name": "X"},
				`{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["in","unitId"]}}]}`)
		})
	})
}

// updateUnitDone: whoever manages keys and sees the unit changes it, also one that holds hidden keys beside a visible one.
func updateUnitDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.unit(t, "Europe", "")
	k := w.keyIn(t, "Sales", u)
	w.keyIn(t, "Hidden", u)
	manager := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageKeys}, keys: []string{k}})
	for _, c := range []struct {
		by            member
		in            input
		name, kind    string
		was, changes  string
		changeNothing bool
	}{
		{by: w.owner, in: input{"name": "EMEA"}, name: "EMEA", kind: "BUSINESS_UNIT", was: "Europe", changes: "name: Europe -> EMEA"},
		{by: manager, in: input{"kind": "REGION"}, name: "EMEA", kind: "REGION", was: "EMEA", changes: "kind: BUSINESS_UNIT -> REGION"},
		{by: manager, in: input{"name": "Europe", "kind": "OTHER"}, name: "Europe", kind: "OTHER", was: "EMEA",
			changes: "name: EMEA -> Europe; kind: REGION -> OTHER"},
		{by: manager, in: input{}, name: "Europe", kind: "OTHER", changeNothing: true},
		{by: manager, in: input{"name": nil, "kind": nil}, name: "Europe", kind: "OTHER", changeNothing: true},
	} {
		a := c.by.done(t, toUpdateUnit, with(c.in, "unitId", u))
		a.is(t, `{"data":{"updateUnit":{"userErrors":[],"unit":{"id":"`+u+`","name":"`+c.name+`","kind":"`+c.kind+`","depth":1,"parent":null},"affectedGrants":null}}}`)
		if c.changeNothing {
			w.tells(t, a)
			continue
		}
		w.tells(t, a, event{Action: "UNIT_CHANGED", Actor: c.by.id, ActorLabel: c.by.display(), Unit: u, Summary: "Changed the unit " + c.was + ".",
			Changes: c.changes, IPAddress: "127.0.0.1"})
	}
}

func updateUnitRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.unit(t, "Below", w.unit(t, "Europe", ""))
	for _, in := range []input{{"name": "Below"}, {"name": "Sales"}, {"kind": "REGION"}, {"name": "Support", "kind": "OTHER"}, {}} {
		in["unitId"] = u
		first := w.owner.done(t, toUpdateUnit, in)
		w.unchanged(t, func() {
			if second := w.owner.done(t, toUpdateUnit, in); !bytes.Equal(first.Body, second.Body) {
				t.Errorf("first %s\nthen %s", first.Body, second.Body)
			}
		})
	}
}
