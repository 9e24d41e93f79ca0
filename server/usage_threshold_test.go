package server_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"grantwood/graph"
)

const thresholdFields = `id key { id name } unit { id name } measure period timeZone limit value crossedAt createdAt`

var (
	toSetThreshold = mutation{field: "setUsageThreshold", inputType: "SetUsageThresholdInput", results: []string{"threshold"},
		selection: "threshold { id key { id } unit { id } measure period timeZone limit value crossedAt }"}
	toRemoveThreshold = mutation{field: "removeUsageThreshold", inputType: "RemoveUsageThresholdInput", results: []string{"removedThresholdId"},
		selection: "removedThresholdId"}
)

// onKey and onUnit are thresholds that are fine in every respect.
func onKey(key, limit string) input {
	return input{"keyId": key, "measure": "COST", "period": "MONTH", "limit": limit}
}

func onUnit(unit, limit string) input {
	return input{"unitId": unit, "measure": "QUANTITY", "period": "DAY", "limit": limit}
}

// threshold sets one as somebody and gives its ID.
func (c client) threshold(t testing.TB, in input) string {
	t.Helper()
	return c.done(t, toSetThreshold, in).at(t, "setUsageThreshold.threshold.id").(string)
}

func TestSetUsageThreshold(t *testing.T) {
	t.Parallel()
	bad := input{"keyId": "", "unitId": "", "measure": "COST", "period": "DAY", "timeZone": strings.Repeat("x", 65), "limit": "-1"}
	t.Run("done and repeated", setThresholdDone)
	t.Run("unauthenticated", notSignedIn(toSetThreshold, bad))
	t.Run("forbidden", forbidden(toSetThreshold, graph.ManageKeys, bad))
	u := newUnitWorld(t) // the rest changes nothing in it
	t.Run("hidden", func(t *testing.T) {
		t.Parallel()
		hidden := u.noKeys(t)
		hidden["hidden"] = u.hiddenKey
		u.alike(t, u.sees.client, toSetThreshold, func(id string) input { return onKey(id, "1") }, hidden, toSetThreshold.refused(problem("NOT_FOUND", "input.keyId")))
		u.alike(t, u.blind.client, toSetThreshold, func(id string) input { return onUnit(id, "1") }, u.hiddenFromBlind(),
			toSetThreshold.refused(problem("NOT_FOUND", "input.unitId")))
	})
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		u.alike(t, u.owner.client, toSetThreshold, func(id string) input { return onKey(id, "1") }, u.noKeys(t), toSetThreshold.refused(problem("NOT_FOUND", "input.keyId")))
		u.alike(t, u.owner.client, toSetThreshold, func(id string) input { return onUnit(id, "1") }, u.missing, toSetThreshold.refused(problem("NOT_FOUND", "input.unitId")))
	})
	t.Run("invalid", func(t *testing.T) {
		t.Parallel()
		u.unchanged(t, func() {
			for _, c := range []struct{ in, problem any }{
				{with(onKey(u.key, "1"), "unitId", u.seen), problem("INVALID", "input")},
				{input{"measure": "COST", "period": "DAY", "limit": "1"}, problem("INVALID", "input")},
				{with(onKey(u.key, "1"), "timeZone", "Europe/Nowhere"), problem("INVALID", "input.timeZone")},
				{with(onKey(u.key, "1"), "timeZone", ""), problem("INVALID", "input.timeZone")},
				{with(onKey(u.key, "1"), "timeZone", strings.Repeat("x", 65)), violation("input.timeZone", "max=64")},
				{onKey(u.key, "0"), problem("INVALID", "input.limit")},
				{onKey(u.key, "-1"), problem("INVALID", "input.limit")},
				{onKey(u.key, "0.000000001"), problem("INVALID", "input.limit")},
				{onKey(u.key, "1e19"), problem("INVALID", "input.limit")},
				{onUnit(u.seen, "1.5"), problem("INVALID", "input.limit")},
			} {
				u.owner.fails(t, toSetThreshold, c.in.(input), toSetThreshold.refused(c.problem.(string)))
			}
		})
	})
	t.Run("not allowed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		k := w.key(t, "Key")
		manager := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageKeys}, keys: []string{k}})
		w.unchanged(t, func() {
			manager.fails(t, toSetThreshold, onKey(k, "1"), toSetThreshold.refused(problem("NOT_ALLOWED", "input")))
		})
		w.remove(t, k)
		w.unchanged(t, func() {
			w.owner.fails(t, toSetThreshold, onKey(k, "1"), toSetThreshold.refused(problem("INVALID_STATE", "input.keyId")))
		})
		u.unchanged(t, func() { // whether all keys of the unit are visible makes no difference
			u.sees.fails(t, toSetThreshold, onUnit(u.seen, "1"), toSetThreshold.refused(problem("NOT_ALLOWED", "input.unitId")))
			u.sees.fails(t, toSetThreshold, onUnit(u.empty, "1"), toSetThreshold.refused(problem("NOT_ALLOWED", "input.unitId")))
		})
	})
}

func setThresholdDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	unit := w.unit(t, "Europe", "")
	k := w.keyIn(t, "Berlin", unit)
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{k}})
	w.used(t, k, "one", "quantity", 3)
	for _, c := range []struct {
		by                       member
		in                       input
		key, unit                any
		zone, limit, value, says string
		changes                  string
	}{
		{admin, onKey(k, "10.50"), k, nil, "UTC", "10.5", "0.0125", "key Berlin, cost by month", "limit:  -> 10.5; timeZone:  -> UTC"},
		{admin, with(onKey(k, "20"), "timeZone", "Europe/Berlin"), k, nil, "Europe/Berlin", "20", "0.0125", "key Berlin, cost by month", "limit: 10.5 -> 20; timeZone: UTC -> Europe/Berlin"},
		{w.owner, onUnit(unit, "1000"), nil, unit, "UTC", "1000", "3", "unit Europe, quantity by day", "limit:  -> 1000; timeZone:  -> UTC"},
	} {
		a := c.by.done(t, toSetThreshold, c.in)
		ref := func(id any) string {
			if id == nil {
				return "null"
			}
			return fmt.Sprintf(`{"id":%q}`, id)
		}
		value := a.at(t, "setUsageThreshold.threshold.value")
		if value != c.value && value != "0" { // used a minute ago, which may be another day or month
			t.Errorf("value %v, want %s", value, c.value)
		}
		a.is(t, fmt.Sprintf(`{"data":{"setUsageThreshold":{"userErrors":[],"threshold":{"id":%q,"key":%s,"unit":%s,"measure":%q,"period":%q,"timeZone":%q,"limit":%q,"value":%q,"crossedAt":null}}}}`,
			a.at(t, "setUsageThreshold.threshold.id"), ref(c.key), ref(c.unit), c.in["measure"], c.in["period"], c.zone, c.limit, value))
		e := event{Action: "USAGE_THRESHOLD_SET", Actor: c.by.id, ActorLabel: c.by.display(), IPAddress: "127.0.0.1", Summary: "Set the threshold on the " + c.says + ".", Changes: c.changes}
		e.Key, _ = c.key.(string)
		e.Unit, _ = c.unit.(string)
		w.tells(t, a, e)
		w.unchanged(t, func() {
			if again := c.by.done(t, toSetThreshold, c.in); string(again.Body) != string(a.Body) {
				t.Errorf("repeated: %s\nfirst: %s", again.Body, a.Body)
			}
		})
	}
	if n := len(texts(t, `SELECT threshold_id FROM usage_thresholds WHERE account_id = $1`, graph.ParseID(w.account).Account)); n != 2 {
		t.Errorf("%d thresholds", n)
	}
}

func TestRemoveUsageThreshold(t *testing.T) {
	t.Parallel()
	bad := input{"thresholdId": ""}
	t.Run("unauthenticated", notSignedIn(toRemoveThreshold, bad))
	t.Run("forbidden", forbidden(toRemoveThreshold, graph.ManageKeys, bad))
	w := newWorld(t)
	unit := w.unit(t, "Europe", "")
	k := w.keyIn(t, "Berlin", unit)
	admin, blind := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{k}}), w.user(t, invitee{role: graph.RoleAdministrator})
	ofKey, ofUnit := w.owner.threshold(t, onKey(k, "10")), w.owner.threshold(t, onUnit(unit, "10"))
	other := newWorld(t)
	missing := w.noObjects(graph.KindUsageThreshold, other.owner.threshold(t, onKey(other.master, "1")), w.master)
	about := func(id string) input { return input{"thresholdId": id} }
	w.alike(t, w.owner.client, toRemoveThreshold, about, missing, toRemoveThreshold.refused(problem("NOT_FOUND", "input.thresholdId")))
	hidden := maps.Clone(missing)
	hidden["of a hidden key"], hidden["of a hidden unit"] = ofKey, ofUnit
	w.alike(t, blind.client, toRemoveThreshold, about, hidden, toRemoveThreshold.refused(problem("NOT_FOUND", "input.thresholdId")))
	w.unchanged(t, func() {
		admin.fails(t, toRemoveThreshold, about(ofUnit), toRemoveThreshold.refused(problem("NOT_ALLOWED", "input.thresholdId")))
	})
	w.keyIn(t, "Paris", unit) // which the administrator does not see
	w.alike(t, admin.client, toRemoveThreshold, about, map[string]string{"of a unit seen in part": ofUnit, "missing": missing["nothing"]},
		toRemoveThreshold.refused(problem("NOT_FOUND", "input.thresholdId")))
	w.unchanged(t, func() { // invalid
		admin.fails(t, toRemoveThreshold, input{"thresholdId": true}, `{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["in","thresholdId"]}}]}`)
	})
	a := admin.done(t, toRemoveThreshold, about(ofKey))
	a.is(t, fmt.Sprintf(`{"data":{"removeUsageThreshold":{"userErrors":[],"removedThresholdId":%q}}}`, ofKey))
	w.tells(t, a, event{Action: "USAGE_THRESHOLD_REMOVED", Actor: admin.id, ActorLabel: admin.display(), Key: k, IPAddress: "127.0.0.1",
		Summary: "Removed the threshold on the key Berlin, cost by month.", Changes: "limit: 10 -> ; timeZone: UTC -> "})
	w.unchanged(t, func() { // repeated: it is gone
		admin.fails(t, toRemoveThreshold, about(ofKey), toRemoveThreshold.refused(problem("NOT_FOUND", "input.thresholdId")))
	})
	w.owner.done(t, toRemoveThreshold, about(ofUnit))
}

// TestCrossedThreshold: when usage reaches a threshold, whoever sees every key that it adds up reads it at the threshold and in the
// audit trail, and nobody else does.
func TestCrossedThreshold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	unit := w.unit(t, "Europe", "")
	berlin, paris := w.keyIn(t, "Berlin", unit), w.keyIn(t, "Paris", unit)
	whole := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{berlin, paris}})
	part := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{berlin}})
	audits := w.user(t, invitee{capabilities: []graph.Capability{graph.ViewAudit}, keys: []string{berlin, paris}})
	zone := "UTC"
	if time.Now().UTC().Hour() == 0 || time.Now().UTC().Hour() == 23 { // far from midnight
		zone = "Asia/Tokyo"
	}
	w.owner.threshold(t, with(onKey(berlin, "0.05"), "period", "DAY", "timeZone", zone))
	w.owner.threshold(t, with(onUnit(unit, "10"), "timeZone", zone))
	w.used(t, berlin, "one", "cost", "0.1", "quantity", 5)
	w.used(t, paris, "two", "quantity", 5)
	query := `query($k: ID!, $u: ID!) { key: node(id: $k) { ... on ApiKey { usageThresholds { limit value key { name } unit { id } } } }
		unit: node(id: $u) { ... on Unit { usageThresholds { limit value key { id } unit { name } } } }
		account { auditEvents(filter: {actions: [USAGE_THRESHOLD_CROSSED]}) { nodes { actor { ... on Operator { label } } key { name } unit { name } } } } }`
	ofKey := `{"key":{"usageThresholds":[{"limit":"0.05","value":"0.1","key":{"name":"Berlin"},"unit":null}]},`
	keyEvent, unitEvent := `{"actor":{"label":"Test provider"},"key":{"name":"Berlin"},"unit":null}`, `{"actor":{"label":"Test provider"},"key":null,"unit":{"name":"Europe"}}`
	all := `{"data":` + ofKey + `"unit":{"usageThresholds":[{"limit":"10","value":"10","key":null,"unit":{"name":"Europe"}}]},
		"account":{"auditEvents":{"nodes":[` + unitEvent + `,` + keyEvent + `]}}}}`
	ids := map[string]any{"k": berlin, "u": unit}
	w.owner.expect(t, query, ids, all)
	whole.expect(t, query, ids, all)
	part.expect(t, query, ids, `{"data":`+ofKey+`"unit":{"usageThresholds":[]},"account":{"auditEvents":{"nodes":[`+keyEvent+`]}}}}`)
	audits.expect(t, query, ids, `{"data":{"key":{"usageThresholds":null},"unit":{"usageThresholds":null},"account":{"auditEvents":{"nodes":[]}}}}`)
	if w.owner.text(t, `query($k: ID!) { node(id: $k) { ... on ApiKey { usageThresholds { crossedAt } } } }`, map[string]any{"k": berlin}, "node.usageThresholds.0.crossedAt") == "" {
		t.Error("it was not crossed")
	}
	w.grant(t, part.id, paris, graph.GrantEnabled)
	part.expect(t, query, ids, all)
	w.grant(t, whole.id, paris, graph.GrantDisabled)
	whole.expect(t, query, ids, `{"data":`+ofKey+`"unit":{"usageThresholds":[]},"account":{"auditEvents":{"nodes":[`+keyEvent+`]}}}}`)
	if n := w.owner.srv.Hits(); n != 0 {
		t.Errorf("@visible caught %d", n)
	}
}
