package server_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// useDemo adds usage of every key of the demo: one of VERIFY in the last hours, one of SMS that was corrected and its correction,
// and one that failed, days ago, with a tag.
func useDemo(ctx context.Context, d *db.DB, name string) error {
	pool, err := sqlx.Open("postgres", dbtest.DSN(nil, name))
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	var keys []struct{ Key, Name string }
	if err := pool.SelectContext(ctx, &keys, `SELECT key, name FROM api_keys ORDER BY account_id, key_id`); err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	var list []*graph.UsageRecordInput
	for i, k := range keys {
		use := func(reference, product string, ago time.Duration) *graph.UsageRecordInput {
			in := &graph.UsageRecordInput{Key: k.Key, Reference: fmt.Sprintf("%s %s %d", reference, k.Name, i), Product: product, Country: []string{"DE", "US", "FR"}[i%3],
				Quantity: int64(i), Cost: decimal.New(int64(i+1)*1_000_001, -8), Status: graph.UsageSucceeded, OccurredAt: now.Add(-ago - time.Duration(i)*time.Second)}
			list = append(list, in)
			return in
		}
		direction := graph.Inbound
		use("verify", "VERIFY", time.Hour).Direction = &direction
		wrong := use("wrong", "SMS", 3*time.Hour)
		use("right", "SMS", 3*time.Hour).Replaces = &wrong.Reference
		failed := use("failed", "VOICE", 100*time.Hour)
		failed.Status, failed.Tags = graph.UsageFailed, []*graph.UsageTagInput{{Name: "campaign", Value: "spring"}}
	}
	o, _, err := d.CreateOperator(ctx, "Meter", graph.ScopeList{graph.ScopeIngest})
	if err != nil {
		return err
	}
	v := &graph.Viewer{Kind: graph.KindOperator, Operator: o, Request: graph.Request{ID: "test", At: now}}
	done, err := d.IngestUsage(ctx, v, list, false)
	if err != nil || done.Accepted != len(list) {
		return errors.Join(err, fmt.Errorf("%d of %d records were accepted", done.Accepted, len(list)))
	}
	return nil
}

const (
	usageFields = `id key { id name } product direction country quantity cost { amount currency } status occurredAt recordedAt reference tags { name value } replaces`
	usagePage   = `pageInfo { hasNextPage hasPreviousPage startCursor endCursor }`
	everAgo     = `from: "2000-01-01T00:00:00Z"`
)

// reported is a period that holds all usage of the demo of these tests.
var reported = fmt.Sprintf(`from: %q, to: %q`, time.Now().UTC().AddDate(0, 0, -20).Format(time.RFC3339), time.Now().UTC().AddDate(0, 0, 5).Format(time.RFC3339))

// report is a field that adds up usage.
func report(more string) string {
	return `usageReport(input: {` + reported + `, ` + more + `}) { open truncated totals { records succeeded quantity cost { amount } }
		rows { periodStart periodEnd open unit { id } key { id name } product country tag totals { records succeeded quantity cost { amount } } } }`
}

// usageOperations ask for usage on every way.
func usageOperations(o demoObjects) []operation {
	var list []operation
	for _, query := range []string{
		`{ account { usage { ` + usagePage + ` nodes { ` + usageFields + ` } } } }`,
		`{ account { usage(first: 1, filter: {` + everAgo + `}) { ` + usagePage + ` edges { cursor node { id key { grants(first: 1) { totalCount } } } } } } }`,
		`{ account { usage(first: 100, filter: {` + everAgo + `}) { ` + usagePage + ` edges { cursor node { ` + usageFields + ` } } } } }`,
		`{ account { usage(first: 100, filter: {` + everAgo + `, products: ["SMS", "NONE"], countries: ["DE"], status: SUCCEEDED}) { ` + usagePage + ` nodes { id } } } }`,
		`{ account { usage(first: 100, filter: {` + everAgo + `, direction: INBOUND}) { ` + usagePage + ` nodes { id } } } }`,
		`{ account { usage(first: 100, filter: {` + everAgo + `, status: FAILED, tag: {name: "campaign", value: "spring"}}) { ` + usagePage + ` nodes { id } } } }`,
		`{ account { usage(first: 100, filter: {` + everAgo + `, tag: {name: "campaign"}}) { nodes { id } } } }`,
		`{ account { usage(first: 100, filter: {to: "2000-01-01T00:00:00Z"}) { ` + usagePage + ` nodes { id } } } }`,
		`{ account { apiKeys(first: 100) { nodes { id a: usage(first: 1, filter: {` + everAgo + `}) { ` + usagePage + ` nodes { ` + usageFields + ` } } b: usage { nodes { id } } } } } }`,
		`{ account { usage(first: 5) { nodes { key { name usage(first: 2, filter: {` + everAgo + `}) { ` + usagePage + ` nodes { id key { id } } } } } } } }`,
		`{ products { code name createdAt } }`,
		`{ account { all: ` + report(`groupBy: [KEY, PRODUCT]`) + ` days: ` + report(`groupBy: [DAY, UNIT, COUNTRY], timeZone: "Asia/Kathmandu"`) + ` } }`,
		`{ account { none: ` + report(``) + ` tags: ` + report(`groupBy: [TAG, KEY], tag: "campaign"`) + ` few: ` + report(`groupBy: [HOUR, KEY], limit: 3`) + ` } }`,
		`{ account { failed: ` + report(`groupBy: [MONTH], status: FAILED`) + ` inbound: ` + report(`groupBy: [KEY], direction: INBOUND`) + ` } }`,
		`{ account { apiKeys(first: 100) { nodes { id ` + report(`groupBy: [DAY]`) + ` } } units(first: 100) { nodes { id ` + report(`groupBy: [KEY]`) + ` children { nodes { id ` + report(`groupBy: [UNIT]`) + ` } } } } } }`,
		`{ account { usageDownload(filter: {` + reported + `}) { records } tagged: usageDownload(filter: {` + reported + `, tag: {name: "campaign"}}) { records } } }`,
		`mutation { ingestUsage(input: {records: [{key: "x", reference: "x", product: "SMS", quantity: 1, cost: "1", occurredAt: "2016-06-29T09:00:00Z"}]}) { ` + errorFields + ` refused { index code field message } } }`,
		`mutation { defineProduct(input: {code: "X", name: "X"}) { ` + errorFields + ` } }`,
	} {
		list = append(list, operation{query: query})
	}
	for i := 0; i < len(o.keys); i += 8 {
		list = append(list, operation{`query($k: ID!) { account { usage(first: 100, filter: {` + everAgo + `, keyIds: [$k, "nonsense"]}) { ` + usagePage + ` nodes { id } } } }`,
			map[string]any{"k": o.keys[i].ID}},
			operation{`query($k: ID!) { account { ` + report(`groupBy: [KEY], keyIds: [$k, "nonsense"]`) + ` usageDownload(filter: {` + reported + `, keyIds: [$k]}) { records } } }`,
				map[string]any{"k": o.keys[i].ID}})
	}
	for i := 0; i < len(o.usage); i += 25 { // also where the record at the cursor is hidden
		id := graph.ParseID(o.usage[i].ID)
		cursor := graph.TimedCursor(graph.UsageMillis(id.Object), id.Object).Text(graph.ByTimeDesc)
		list = append(list,
			operation{`query($c: String!) { account { usage(first: 3, after: $c, filter: {` + everAgo + `}) { ` + usagePage + ` nodes { id } } apiKeys(first: 100) { nodes { usage(first: 1, after: $c, filter: {` + everAgo + `}) { ` +
				usagePage + ` nodes { id } } } } } }`, map[string]any{"c": cursor}},
			operation{`query($id: ID!) { node(id: $id) { ... on UsageRecord { ` + usageFields + ` } } nodes(ids: [$id]) { id } }`, map[string]any{"id": o.usage[i].ID}})
	}
	return list
}
