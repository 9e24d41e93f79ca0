package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"grantwood/graph"
)

// A report adds up what is stored already: sums of days (UTC) where a whole one lies in one period of the report, sums of quarters
// of an hour beside them, and records where the report begins or ends within a quarter, or asks for what no sum is kept by. The
// domain says where periods begin; PostgreSQL sorts what there is into them.

// usageScope are the keys k that a report is about, with their key_id and unit_id.
type usageScope struct {
	statement string
	// parent is the object that the report hangs at, as an expression of the sums s of a key. When it is empty, a key may have several,
	// and the statement gives them as parent.
	parent string
	args   []any // parameters, which begin at $4
}

// accountParent stands for the account that a report is about.
const accountParent = `'00000000-0000-0000-0000-000000000000'::uuid`

// accountScope are all keys of an account.
var accountScope = usageScope{parent: accountParent, statement: `
		SELECT k.key_id, k.unit_id
		FROM api_keys k
		WHERE k.account_id = $1`}

// UsageReport adds up the usage of the account's visible keys. BadUserInput for what graph.UsageReportInput.Buckets refuses.
func (db *DB) UsageReport(ctx context.Context, v *graph.Viewer, account graph.UUID, in graph.UsageReportInput) (*graph.UsageReport, error) {
	reports, err := db.usageReports(ctx, v, account, []graph.UUID{{}}, in, accountScope)
	return reports[graph.UUID{}], err
}

// UsageReportsOfKeys adds up the usage of each of the visible keys of one account; for all at once.
func (db *DB) UsageReportsOfKeys(ctx context.Context, v *graph.Viewer, keys []*graph.ApiKey, in graph.UsageReportInput) (map[graph.UUID]*graph.UsageReport, error) {
	parents := ids(keys, func(k *graph.ApiKey) graph.UUID { return k.KeyID })
	return db.usageReports(ctx, v, keys[0].AccountID, parents, in, usageScope{parent: `s.key_id`, statement: `
		SELECT k.key_id, k.unit_id
		FROM api_keys k
		WHERE k.account_id = $1 AND k.key_id = ANY($4::uuid[])`, args: []any{uuidArray(parents)}})
}

// UsageReportsOfUnits adds up the usage of the visible keys in and below each of the units of one account; for all at once.
func (db *DB) UsageReportsOfUnits(ctx context.Context, v *graph.Viewer, units []*graph.Unit, in graph.UsageReportInput) (map[graph.UUID]*graph.UsageReport, error) {
	parents := ids(units, unitID)
	return db.usageReports(ctx, v, units[0].AccountID, parents, in, usageScope{statement: `
		SELECT o.above_id AS parent, k.key_id, k.unit_id
		FROM unit_paths o
		JOIN api_keys k ON k.account_id = $1 AND k.unit_id = o.unit_id
		WHERE o.account_id = $1 AND o.above_id = ANY($4::uuid[])`, args: []any{uuidArray(parents)}})
}

func (db *DB) usageReports(ctx context.Context, v *graph.Viewer, account graph.UUID, parents []graph.UUID, in graph.UsageReportInput,
	s usageScope) (map[graph.UUID]*graph.UsageReport, error) {
	buckets, err := in.Buckets()
	if err != nil {
		return nil, err
	}
	if !v.Enters(account) || !v.SeesUsage() {
		account = graph.UUID{}
	}
	currency, err := db.currencyOf(ctx, v.Account, account)
	if err != nil {
		return nil, fault("report usage", err)
	}
	q := reportQuery{v: v, account: account, in: in, buckets: buckets, currency: currency, args: append(about(v, account), s.args...)}
	rows, err := readAll[reportRow](ctx, db.pool, q.statement(s), q.args...)
	if err != nil {
		return nil, fault("report usage", err)
	}
	reports := make(map[graph.UUID]*graph.UsageReport, len(parents))
	for _, p := range parents {
		reports[p] = &graph.UsageReport{From: in.From.UTC(), To: in.To.UTC(), Open: in.To.After(v.Request.At),
			Totals: &graph.UsageTotals{Currency: currency}}
	}
	for _, row := range rows {
		q.put(reports[row.Parent], row)
	}
	return reports, db.nameUsageRows(ctx, v, account, reports)
}

// currencyOf gives the currency of the account; none when there is no such account. The account that is known, if any, may be this one.
func (db *DB) currencyOf(ctx context.Context, known *graph.Account, account graph.UUID) (currency string, err error) {
	if known != nil && known.AccountID == account {
		return known.Currency, nil
	}
	err = db.pool.GetContext(ctx, &currency, `SELECT coalesce((SELECT currency FROM accounts WHERE account_id = $1), '')`, account)
	return currency, err
}

// reportRow is a row of a report; the first has the sums over the whole report beside it.
type reportRow struct {
	Parent         graph.UUID
	N              int
	Bucket         int
	UnitID         *graph.UUID
	KeyID          *graph.UUID
	Product        *string
	Country        *string
	Tag            *string
	Records        int64
	Succeeded      int64
	Quantity       int64
	Cost           decimal.Decimal
	TotalRecords   *int64
	TotalSucceeded *int64
	TotalQuantity  *int64
	TotalCost      *decimal.Decimal
}

// reportQuery makes the statement of a report.
type reportQuery struct {
	v        *graph.Viewer
	account  graph.UUID
	in       graph.UsageReportInput
	buckets  []time.Time
	currency string
	args     []any
}

// param adds a parameter and gives its place.
func (q *reportQuery) param(value any) string {
	q.args = append(q.args, value)
	return fmt.Sprintf("$%d", len(q.args))
}

// groupings are the columns by which a report is split, in the order of the groupings.
func (q *reportQuery) groupings() []string {
	names := map[graph.UsageGrouping]string{graph.ByMonth: "bucket", graph.ByDay: "bucket", graph.ByHour: "bucket", graph.ByUnit: "unit_id",
		graph.ByKey: "key_id", graph.ByProduct: "product", graph.ByCountry: "country", graph.ByTag: "tag"}
	var list []string
	for _, g := range q.in.GroupBy {
		list = append(list, names[g])
	}
	return list
}

// sums are the columns that are added up, as far as the outcome that is asked for.
func (q *reportQuery) sums() string {
	good, bad := true, true
	if q.in.Status != nil {
		good, bad = *q.in.Status == graph.UsageSucceeded, *q.in.Status == graph.UsageFailed
	}
	pick := func(name string) string {
		switch {
		case good && bad:
			return "sum(s." + name + " + s.failed_" + name + ")"
		case good:
			return "sum(s." + name + ")"
		}
		return "sum(s.failed_" + name + ")"
	}
	succeeded := "sum(s.records)"
	if !good {
		succeeded = "0"
	}
	return pick("records") + `::bigint AS records, ` + succeeded + `::bigint AS succeeded, ` + pick("quantity") + `::bigint AS quantity, ` + pick("cost") + ` AS cost`
}

func (q *reportQuery) statement(s usageScope) string {
	groups := q.groupings()
	sources, days := q.sources()
	byDays := days && q.in.Period() == graph.ByDay
	bucket := "0"
	if q.in.Period() != "" {
		bucket = "width_bucket(s.at, " + q.param(timeArray(q.buckets[:len(q.buckets)-1])) + "::timestamptz[]) - 1"
	}
	used, parent := "used s", s.parent
	if parent == "" || slices.Contains(groups, "unit_id") {
		used += " JOIN scope ON scope.key_id = s.key_id"
	}
	if parent == "" {
		parent = "scope.parent"
	}
	known := map[string]string{"bucket": bucket, "unit_id": "scope.unit_id", "key_id": "s.key_id", "product": "s.product", "country": "s.country", "tag": "s.tag"}
	// A row of nulls or zeros stands for every column that the report is not split by.
	columns, by := []string{parent + " AS parent"}, []string{parent}
	if parent == accountParent {
		by = nil
	}
	for _, name := range []string{"bucket", "unit_id", "key_id", "product", "country", "tag"} {
		if slices.Contains(groups, name) {
			columns, by = append(columns, known[name]+" AS "+name), append(by, known[name])
		}
	}
	if i := slices.Index(by, bucket); i >= 0 && byDays { // sums of days are in the day of the report already
		by[i] = "s.at"
	}
	order := strings.Join(append(slices.Clone(groups), "parent"), " NULLS FIRST, ") // the parent is the same within a report
	return anew + `
		WITH scope AS MATERIALIZED (` + s.statement + q.restriction() + `),
		used AS (` + strings.Join(sources, `
			UNION ALL`) + `),
		grouped AS (
			SELECT ` + strings.Join(columns, ", ") + `, ` + q.sums() + `
			FROM ` + used + `
			GROUP BY (` + strings.Join(by, "), (") + `))
		SELECT * FROM (
			SELECT *, ` + first("sum(records) OVER w::bigint") + ` AS total_records, ` + first("sum(succeeded) OVER w::bigint") + ` AS total_succeeded,
				` + first("sum(quantity) OVER w::bigint") + ` AS total_quantity, ` + first("sum(cost) OVER w") + ` AS total_cost
			FROM (
				SELECT *, row_number() OVER (PARTITION BY parent ORDER BY ` + order + `) AS n
				FROM grouped
				WHERE records > 0) counted
			WINDOW w AS (PARTITION BY parent)) numbered
		WHERE n <= ` + q.param(q.in.Limit+1) + `
		ORDER BY parent, n`
}

// first is a value in the first row of a report, and null in the others.
func first(value string) string { return `CASE WHEN n = 1 THEN ` + value + ` END` }

// restriction limits the scope to visible keys, and to those that are asked for.
func (q *reportQuery) restriction() string {
	var b strings.Builder
	b.WriteString(` AND ` + keyVisible(q.v, "k.key_id"))
	if q.in.KeyIds != nil {
		keys := make([]graph.UUID, len(q.in.KeyIds))
		for i, id := range q.in.KeyIds {
			keys[i] = id.In(q.account, graph.KindKey)
		}
		b.WriteString(` AND k.key_id = ANY(` + q.param(uuidArray(keys)) + `::uuid[])`)
	}
	if q.in.UnitID != nil {
		b.WriteString(` AND EXISTS (
			SELECT FROM unit_paths p
			WHERE p.account_id = $1 AND p.above_id = ` + q.param(q.in.UnitID.In(q.account, graph.KindUnit)) + ` AND p.unit_id = k.unit_id)`)
	}
	return b.String()
}

// put adds a row to its report.
func (q *reportQuery) put(r *graph.UsageReport, row *reportRow) {
	if row.N == 1 {
		r.Totals = &graph.UsageTotals{Records: *row.TotalRecords, Succeeded: *row.TotalSucceeded, Quantity: *row.TotalQuantity, CostUnits: *row.TotalCost,
			Currency: q.currency}
	}
	if row.N > q.in.Limit {
		r.Truncated = true
		return
	}
	made := &graph.UsageReportRow{AccountID: q.account, Open: r.Open, UnitID: row.UnitID, KeyID: row.KeyID, Product: row.Product, Country: row.Country,
		Tag: row.Tag, Totals: &graph.UsageTotals{Records: row.Records, Succeeded: row.Succeeded, Quantity: row.Quantity, CostUnits: row.Cost, Currency: q.currency}}
	if q.in.Period() != "" {
		made.PeriodStart, made.PeriodEnd = &q.buckets[row.Bucket], &q.buckets[row.Bucket+1]
		made.Open = made.PeriodEnd.After(q.v.Request.At)
	}
	r.Rows = append(r.Rows, made)
}

// nameUsageRows gives the rows their keys and units.
func (db *DB) nameUsageRows(ctx context.Context, v *graph.Viewer, account graph.UUID, reports map[graph.UUID]*graph.UsageReport) error {
	var keyIDs, unitIDs []graph.UUID
	for _, r := range reports {
		for _, row := range r.Rows {
			keyIDs, unitIDs = appendSet(keyIDs, row.KeyID), appendSet(unitIDs, row.UnitID)
		}
	}
	keys, err := db.keysByID(ctx, v, account, keyIDs)
	if err != nil {
		return err
	}
	units, err := db.unitsByID(ctx, v, account, unitIDs)
	for _, r := range reports {
		for _, row := range r.Rows {
			row.Key, row.Unit = keys.at(row.KeyID), units.at(row.UnitID)
		}
	}
	return err
}

// timeArray gives times as a parameter for timestamptz[].
func timeArray(times []time.Time) *array {
	a := newArray(oidTimestamptz, len(times), 8)
	for _, t := range times {
		a.timestamp(t)
	}
	return a
}
