package server_test

import (
	"slices"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"

	"grantwood/db"
	"grantwood/graph"
)

// prepareThresholds sets thresholds on every key and unit of both accounts, half of which are then crossed, and gives their IDs.
func prepareThresholds(t *testing.T, a api, d *db.DB) []string {
	t.Helper()
	var ids []string
	o, _, err := d.CreateOperator(t.Context(), "Meter", graph.ScopeList{graph.ScopeIngest})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	var used []*graph.UsageRecordInput
	for _, email := range []string{"owner@globex.example", "owner@initech.example"} {
		owner := signIn(t, a, email)
		keys := nodes(owner.ask(t, `{ account { apiKeys(first: 100) { nodes { id key } } } }`, nil, "account").(map[string]any), "apiKeys")
		for i, k := range keys {
			ids = append(ids, owner.threshold(t, onKey(text(k, "id"), "1000")))
			used = append(used, &graph.UsageRecordInput{Key: text(k, "key"), Reference: "threshold " + text(k, "id"), Product: "SMS", Country: "DE", Quantity: 7,
				Cost: decimal.New(int64(i%2)*2000, 0), Status: graph.UsageSucceeded, OccurredAt: now})
		}
		for unit := range owner.allUnits(t) {
			ids = append(ids, owner.threshold(t, with(onUnit(text(unit, "id"), "20"), "period", "MONTH")))
		}
	}
	v := &graph.Viewer{Kind: graph.KindOperator, Operator: o, Request: graph.Request{ID: "test", At: now}}
	if done, err := d.IngestUsage(t.Context(), v, used, true); err != nil || done.Accepted != len(used) {
		t.Fatal(done, err)
	}
	return ids
}

// thresholdOperations ask for thresholds on every way.
func thresholdOperations(o demoObjects) []operation {
	list := []operation{
		{`{ account { apiKeys(first: 100) { nodes { id usageThresholds { ` + thresholdFields + ` } } } } }`, nil},
		{`{ account { units(first: 100) { nodes { usageThresholds { ` + thresholdFields + ` key { unit { id } } unit { children(first: 2) { totalCount } } }
			children(first: 5) { nodes { usageThresholds { ` + thresholdFields + ` } } } } } } }`, nil},
		{`{ account { auditEvents(first: 100, filter: {actions: [USAGE_THRESHOLD_SET, USAGE_THRESHOLD_CROSSED]}) { pageInfo { hasNextPage } nodes { ` + eventFields + ` } } } }`, nil},
		{`query($ids: [ID!]!) { nodes(ids: $ids) { ... on UsageThreshold { ` + thresholdFields + ` } } }`, map[string]any{"ids": o.thresholds[:min(100, len(o.thresholds))]}},
	}
	for _, u := range o.units {
		list = append(list, operation{`query($u: ID!) { node(id: $u) { ... on Unit { usageThresholds { ` + thresholdFields + ` } } } }`, map[string]any{"u": u.ID}},
			operation{`mutation($u: ID!) { setUsageThreshold(input: {unitId: $u, measure: QUANTITY, period: MONTH, limit: "20"}) { ` + errorFields + ` threshold { id } } }`, map[string]any{"u": u.ID}})
	}
	for i := 0; i < len(o.keys); i += 6 {
		list = append(list, operation{`mutation($k: ID!) { setUsageThreshold(input: {keyId: $k, measure: COST, period: MONTH, limit: "1000"}) { ` + errorFields + ` threshold { ` + thresholdFields + ` } } }`,
			map[string]any{"k": o.keys[i].ID}})
	}
	return append(list, operation{`mutation { removeUsageThreshold(input: {thresholdId: "nonsense"}) { ` + errorFields + ` removedThresholdId } }`, nil})
}

// deleteHiddenThresholds deletes the thresholds that w does not see, with the events about them: on units, unless every key below is
// visible. Those on hidden keys and units go with these.
func (w who) deleteHiddenThresholds(t *testing.T, pool *sqlx.DB, exec func(statement string, args ...any)) {
	t.Helper()
	const events = `DELETE FROM audit_events WHERE action IN ('USAGE_THRESHOLD_SET', 'USAGE_THRESHOLD_REMOVED', 'USAGE_THRESHOLD_CROSSED')`
	if w.Token == "" && w.Key == "" && !w.may("VIEW_USAGE") {
		exec(`DELETE FROM usage_thresholds`)
		exec(events)
	}
	parents, keys := readTree(t, pool, w.Account)
	for key, unit := range keys {
		for at := unit; at != "" && !w.IsPrimary && !slices.Contains(w.VisibleKey, key); at = parents[at] {
			exec(`DELETE FROM usage_thresholds WHERE unit_id = $1`, at)
			exec(events+` AND unit_id = $1`, at)
		}
	}
}
