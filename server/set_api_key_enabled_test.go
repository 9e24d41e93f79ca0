package server_test

import (
	"bytes"
	"testing"

	"grantwood/graph"
)

var toSetAPIKeyEnabled = mutation{
	field: "setApiKeyEnabled", inputType: "SetApiKeyEnabledInput", results: []string{"key"},
	selection: "key { id name status viewerCanManage }",
}

func TestSetAPIKeyEnabled(t *testing.T) {
	t.Parallel()
	bad := input{"keyId": "", "enabled": false}
	t.Run("done", setEnabledDone)
	t.Run("repeated", setEnabledRepeated)
	t.Run("unauthenticated", notSignedIn(toSetAPIKeyEnabled, bad))
	t.Run("forbidden", forbidden(toSetAPIKeyEnabled, graph.ManageKeys, bad))
	t.Run("master key", setEnabledMaster)
	w := newWorld(t) // the rest changes nothing in it
	hidden, deleted := w.key(t, "Hidden"), w.key(t, "Deleted")
	sees := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{deleted}})
	blind := w.user(t, invitee{role: graph.RoleAdministrator, withoutMaster: true})
	w.remove(t, deleted)
	t.Run("hidden", func(t *testing.T) { setEnabledHidden(t, w, blind, hidden, deleted) })
	t.Run("missing", func(t *testing.T) { setEnabledMissing(t, w) })
	t.Run("invalid", func(t *testing.T) { setEnabledInvalid(t, w) })
	t.Run("deleted key", func(t *testing.T) { setEnabledDeleted(t, w, sees, deleted) })
}

// setEnabledDone: a disabled key stays visible to those for whom it is enabled, and may be enabled again.
func setEnabledDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.key(t, "Europe")
	admin := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageKeys}, keys: []string{k}})
	for _, c := range []struct {
		enabled                         bool
		status, action, summary, change string
	}{
		{false, "DISABLED", "KEY_DISABLED", "Disabled the key Europe.", "status: ENABLED -> DISABLED"},
		{true, "ENABLED", "KEY_ENABLED", "Enabled the key Europe.", "status: DISABLED -> ENABLED"},
	} {
		a := admin.done(t, toSetAPIKeyEnabled, input{"keyId": k, "enabled": c.enabled})
		a.is(t, `{"data":{"setApiKeyEnabled":{"userErrors":[],"key":{"id":"`+k+`","name":"Europe","status":"`+c.status+`","viewerCanManage":true}}}}`)
		w.tells(t, a, event{Action: c.action, Actor: admin.id, ActorLabel: admin.display(), Key: k, Summary: c.summary, Changes: c.change, IPAddress: "127.0.0.1"})
		for _, m := range []member{admin, w.owner} {
			m.expect(t, `query($s: ApiKeyStatus!) { account { apiKeys(filter: {search: "europe", statuses: [$s]}) { totalCount nodes { status } } } }`,
				map[string]any{"s": c.status}, `{"data":{"account":{"apiKeys":{"totalCount":1,"nodes":[{"status":"`+c.status+`"}]}}}}`)
		}
	}
}

func setEnabledRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.key(t, "Europe")
	for _, in := range []input{{"keyId": k, "enabled": true}, {"keyId": k, "enabled": false}, {"keyId": k, "enabled": true},
		{"keyId": w.master, "enabled": false}} {
		first := w.owner.done(t, toSetAPIKeyEnabled, in)
		w.unchanged(t, func() {
			if second := w.owner.done(t, toSetAPIKeyEnabled, in); !bytes.Equal(first.Body, second.Body) {
				t.Errorf("first %s\nthen %s", first.Body, second.Body)
			}
		})
	}
}

// setEnabledHidden: whether the change would be allowed does not matter when the key is hidden.
func setEnabledHidden(t *testing.T, w *world, blind member, hidden, deleted string) {
	t.Parallel()
	ids := w.noKeys(t)
	ids["hidden"], ids["hidden and deleted"], ids["hidden master key"] = hidden, deleted, w.master
	for _, enabled := range []bool{true, false} {
		w.alike(t, blind.client, toSetAPIKeyEnabled, func(id string) input { return input{"keyId": id, "enabled": enabled} }, ids,
			toSetAPIKeyEnabled.refused(problem("NOT_FOUND", "input.keyId")))
	}
}

func setEnabledMissing(t *testing.T, w *world) {
	t.Parallel()
	w.alike(t, w.owner.client, toSetAPIKeyEnabled, func(id string) input { return input{"keyId": id, "enabled": false} }, w.noKeys(t),
		toSetAPIKeyEnabled.refused(problem("NOT_FOUND", "input.keyId")))
}

func setEnabledInvalid(t *testing.T, w *world) {
	t.Parallel()
	w.unchanged(t, func() {
		for _, c := range []struct {
			name  string
			value any
		}{{"enabled", "false"}, {"enabled", 0}, {"enabled", nil}, {"keyId", []string{w.master, w.master}}, {"keyId", nil}} {
			a := w.owner.run(t, toSetAPIKeyEnabled, with(input{"keyId": w.master, "enabled": false}, c.name, c.value))
			if a.succeeded() || a.at(t, "setApiKeyEnabled") != nil {
				t.Errorf("%s %v: %s", c.name, c.value, a.Body)
			}
		}
	})
}

// setEnabledMaster: only the primary user disables the master key; whoever manages keys and sees it may enable it.
func setEnabledMaster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.user(t, invitee{role: graph.RoleAdministrator})
	off, on := input{"keyId": w.master, "enabled": false}, input{"keyId": w.master, "enabled": true}
	refused := func() {
		w.unchanged(t, func() {
			admin.fails(t, toSetAPIKeyEnabled, off, toSetAPIKeyEnabled.refused(problem("NOT_ALLOWED", "input.keyId")))
		})
	}
	refused()
	w.owner.done(t, toSetAPIKeyEnabled, off)
	refused() // also when it is disabled already
	admin.done(t, toSetAPIKeyEnabled, on)
}

func setEnabledDeleted(t *testing.T, w *world, sees member, k string) {
	t.Parallel()
	w.unchanged(t, func() {
		for _, enabled := range []bool{true, false} {
			for _, c := range []client{w.owner.client, sees.client} {
				c.fails(t, toSetAPIKeyEnabled, input{"keyId": k, "enabled": enabled}, toSetAPIKeyEnabled.refused(problem("INVALID_STATE", "input.keyId")))
			}
		}
	})
}
