package server_test

import (
	"bytes"
	"testing"

	"grantwood/graph"
)

var toMoveKey = mutation{
	field: "moveApiKey", inputType: "MoveApiKeyInput", results: []string{"key"},
	selection: "key { id name status unit { id name ancestors { id } } viewerCanManage }",
}

func TestMoveAPIKey(t *testing.T) {
	t.Parallel()
	bad := input{"keyId": "", "unitId": ""}
	t.Run("done", moveKeyDone)
	t.Run("repeated", moveKeyRepeated)
	t.Run("unauthenticated", notSignedIn(toMoveKey, bad))
	t.Run("forbidden", forbidden(toMoveKey, graph.ManageKeys, bad))
	w := newUnitWorld(t)
	key := func(id string) input { return input{"keyId": id, "unitId": w.empty} }
	unit := func(id string) input { return input{"keyId": w.key, "unitId": id} }
	noKey, noUnit := toMoveKey.refused(problem("NOT_FOUND", "input.keyId")), toMoveKey.refused(problem("NOT_FOUND", "input.unitId"))
	t.Run("hidden", func(t *testing.T) {
		t.Parallel()
		ids := w.noKeys(t)
		ids["hidden"], ids["hidden master key"] = w.hiddenKey, w.master
		w.alike(t, w.blind.client, toMoveKey, key, ids, noKey)
		units := map[string]string{"hidden": w.hidden, "empty below a hidden one": w.below}
		for name, id := range w.missing {
			units[name] = id
		}
		w.alike(t, w.sees.client, toMoveKey, unit, units, noUnit)
	})
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		w.alike(t, w.owner.client, toMoveKey, key, w.noKeys(t), noKey)
		w.alike(t, w.owner.client, toMoveKey, unit, w.missing, noUnit)
	})
	t.Run("invalid", func(t *testing.T) {
		t.Parallel()
		w.unchanged(t, func() {
			for _, in := range []input{{"unitId": w.empty}, {"keyId": nil}, {"keyId": []string{w.key, w.hiddenKey}}} {
				w.owner.fails(t, toMoveKey, in, `{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["in","keyId"]}}]}`)
			}
		})
	})
	t.Run("not the owner", func(t *testing.T) {
		t.Parallel()
		w.unchanged(t, func() {
			for _, in := range []input{{"keyId": w.key}, {"keyId": w.key, "unitId": w.seen}, {"keyId": w.key, "unitId": w.empty}} {
				w.sees.fails(t, toMoveKey, in, toMoveKey.refused(problem("NOT_ALLOWED", "input.keyId")))
			}
		})
	})
	t.Run("master key", func(t *testing.T) {
		t.Parallel()
		w.unchanged(t, func() {
			for _, c := range []client{w.owner.client, w.sees.client} {
				for _, in := range []input{{"keyId": w.master}, {"keyId": w.master, "unitId": w.empty}} {
					c.fails(t, toMoveKey, in, toMoveKey.refused(problem("NOT_ALLOWED", "input.keyId")))
				}
			}
		})
	})
}

// moveKeyDone: rules of the new place count at the next request, for a deleted key too.
func moveKeyDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe := w.unit(t, "Europe", "")
	sales := w.unit(t, "Sales", europe)
	k := w.key(t, "Key")
	rita := w.user(t, invitee{role: graph.RoleReporting, withoutMaster: true})
	w.rule(t, rita.id, europe, true)
	w.rule(t, rita.id, sales, false)
	status, manage := "ENABLED", "true"
	for _, step := range []struct {
		unit, answer string
		seen         bool
	}{
		{europe, `{"id":"` + europe + `","name":"Europe","ancestors":[]}`, true},
		{sales, `{"id":"` + sales + `","name":"Sales","ancestors":[{"id":"` + europe + `"}]}`, false},
		{"", `null`, false},
		{europe, `{"id":"` + europe + `","name":"Europe","ancestors":[]}`, true},
		{"delete", "", true},
		{sales, `{"id":"` + sales + `","name":"Sales","ancestors":[{"id":"` + europe + `"}]}`, false},
		{"", `null`, false},
	} {
		if step.unit == "delete" {
			w.owner.ask(t, deleteKey, in("keyId", k), "deleteApiKey")
			status, manage = "DELETED", "false"
			continue
		}
		a := w.owner.done(t, toMoveKey, input{"keyId": k, "unitId": orNull(step.unit)})
		a.is(t, `{"data":{"moveApiKey":{"userErrors":[],"key":{"id":"`+k+`","name":"Key","status":"`+status+`","unit":`+step.answer+`,"viewerCanManage":`+manage+`}}}}`)
		w.tells(t, a, event{Action: "KEY_UPDATED", Actor: w.owner.id, ActorLabel: w.owner.display(), Key: k, Summary: "Moved the key Key.", IPAddress: "127.0.0.1"})
		seen := `{"data":{"node":null}}`
		if step.seen {
			seen = `{"data":{"node":{"unit":{"id":"` + step.unit + `"},"viewerGrant":{"enabled":true,"source":"UNIT","inheritedFrom":{"name":"Europe"}}}}}`
		}
		rita.expect(t, `query($k: ID!) { node(id: $k) { ... on ApiKey { unit { id } viewerGrant { enabled source inheritedFrom { name } } } } }`,
			map[string]any{"k": k}, seen)
	}
}

func moveKeyRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u, k := w.unit(t, "Europe", ""), w.key(t, "Key")
	for _, in := range []input{{"keyId": k}, {"keyId": k, "unitId": u}, {"keyId": k, "unitId": nil}} {
		first := w.owner.done(t, toMoveKey, in)
		w.unchanged(t, func() {
			if second := w.owner.done(t, toMoveKey, in); !bytes.Equal(first.Body, second.Body) {
				t.Errorf("first %s\nthen %s", first.Body, second.Body)
			}
		})
	}
}
