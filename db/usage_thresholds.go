package db

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"

	"grantwood/graph"
)

var thresholdColumns = columnList{"account_id", "threshold_id", "key_id", "unit_id", "measure", "period", "time_zone", "limit_value", "created_at"}

// wholeUnitVisible is the condition that a unit of the account $1 is visible with every key in and below it; see
// graph.Viewer.SeesWholeUnit.
func wholeUnitVisible(v *graph.Viewer, column string) string {
	if v.SeesEveryKey() {
		return everything
	}
	return `(` + unitVisible(v, column) + ` AND NOT EXISTS (
		SELECT FROM unit_paths wp
		JOIN api_keys wk ON wk.account_id = $1 AND wk.unit_id = wp.unit_id
		WHERE wp.account_id = $1 AND wp.above_id = ` + column + ` AND NOT ` + keyVisible(v, "wk.key_id") + `))`
}

// thresholdVisible is the condition on thresholds t of the account $1.
func thresholdVisible(v *graph.Viewer) string {
	if !v.SeesUsage() {
		return nothing
	}
	return `(t.key_id IS NULL OR ` + keyVisible(v, "t.key_id") + `) AND (t.unit_id IS NULL OR ` + wholeUnitVisible(v, "t.unit_id") + `)`
}

// thresholdEventVisible is the condition on events e about thresholds, of which the rest of the conditions on events holds already.
func thresholdEventVisible(v *graph.Viewer) string {
	if !v.SeesUsage() {
		return nothing
	}
	return `(e.unit_id IS NULL OR ` + wholeUnitVisible(v, "e.unit_id") + `)`
}

// UsageThresholds reads those of the thresholds that are visible, in no order, with the sums of their current periods.
func (db *DB) UsageThresholds(ctx context.Context, v *graph.Viewer, account graph.UUID, ids []graph.UUID) ([]*graph.UsageThreshold, error) {
	return db.usageThresholds(ctx, v, account, `t.threshold_id = ANY($4)`, ids)
}

// UsageThresholdsOfKeys reads the visible thresholds on each of the keys of one account, in the order of creation.
func (db *DB) UsageThresholdsOfKeys(ctx context.Context, v *graph.Viewer, keys []*graph.ApiKey) (map[graph.UUID][]*graph.UsageThreshold, error) {
	list, err := db.usageThresholds(ctx, v, keys[0].AccountID, `t.key_id = ANY($4)`, ids(keys, func(k *graph.ApiKey) graph.UUID { return k.KeyID }))
	return byObject(list, func(t *graph.UsageThreshold) graph.UUID { return *t.KeyID }), err
}

// UsageThresholdsOfUnits reads the visible thresholds on each of the units of one account, in the order of creation.
func (db *DB) UsageThresholdsOfUnits(ctx context.Context, v *graph.Viewer, units []*graph.Unit) (map[graph.UUID][]*graph.UsageThreshold, error) {
	list, err := db.usageThresholds(ctx, v, units[0].AccountID, `t.unit_id = ANY($4)`, ids(units, unitID))
	return byObject(list, func(t *graph.UsageThreshold) graph.UUID { return *t.UnitID }), err
}

func byObject(list []*graph.UsageThreshold, object func(*graph.UsageThreshold) graph.UUID) map[graph.UUID][]*graph.UsageThreshold {
	found := map[graph.UUID][]*graph.UsageThreshold{}
	for _, t := range list {
		found[object(t)] = append(found[object(t)], t)
	}
	return found
}

func (db *DB) usageThresholds(ctx context.Context, v *graph.Viewer, account graph.UUID, condition string, wanted []graph.UUID) ([]*graph.UsageThreshold, error) {
	if !v.Enters(account) || len(wanted) == 0 {
		return nil, nil
	}
	list, err := visibleThresholds(ctx, db.pool, v, account, condition, wanted)
	if err == nil {
		err = addUpNow(ctx, db.pool, v, account, list)
	}
	if err != nil {
		return nil, fault("read thresholds", err)
	}
	return list, db.nameThresholds(ctx, v, account, list)
}

func visibleThresholds(ctx context.Context, q sqlx.QueryerContext, v *graph.Viewer, account graph.UUID, condition string,
	wanted []graph.UUID) ([]*graph.UsageThreshold, error) {
	var list []*graph.UsageThreshold
	err := sqlx.SelectContext(ctx, q, &list, `
		SELECT `+thresholdColumns.of("t")+`
		FROM usage_thresholds t
		WHERE t.account_id = $1 AND `+condition+` AND `+thresholdVisible(v)+`
		ORDER BY t.threshold_id`, about(v, account, uuidArray(wanted))...)
	return list, err
}

// nameThresholds gives thresholds their keys and units.
func (db *DB) nameThresholds(ctx context.Context, v *graph.Viewer, account graph.UUID, list []*graph.UsageThreshold) error {
	var keyIDs, unitIDs []graph.UUID
	for _, t := range list {
		keyIDs, unitIDs = appendSet(keyIDs, t.KeyID), appendSet(unitIDs, t.UnitID)
	}
	keys, err := db.keysByID(ctx, v, account, keyIDs)
	if err != nil {
		return err
	}
	units, err := db.unitsByID(ctx, v, account, unitIDs)
	for _, t := range list {
		t.Key, t.Unit = keys.at(t.KeyID), units.at(t.UnitID)
	}
	return err
}

// addUpNow gives thresholds the sums of the periods that are now, of the keys that v sees, which are all, and whether they were
// crossed in them.
func addUpNow(ctx context.Context, q sqlx.QueryerContext, v *graph.Viewer, account graph.UUID, list []*graph.UsageThreshold) error {
	now := make([]thresholdPeriod, len(list))
	for i, t := range list {
		now[i] = thresholdPeriod{UsageThreshold: t, UsagePeriod: t.PeriodOf(v.Request.At)}
	}
	sums, err := addUp(ctx, q, about(v, account), keyVisible(v, "k.key_id"), now)
	for _, s := range sums {
		list[s.N].Sum, list[s.N].CrossedAt = s.Sum, s.CrossedAt
	}
	return err
}

// thresholdPeriod is a threshold in one period.
type thresholdPeriod struct {
	*graph.UsageThreshold
	graph.UsagePeriod
}

// thresholdSum is what the keys of a threshold have used in a period.
type thresholdSum struct {
	N         int // number of the period in the list
	Sum       decimal.Decimal
	CrossedAt *time.Time
}

// addUp adds up the usage of keys k that meet the condition, for each of the periods. Whole days (UTC) are taken from the sums of days,
// the rest from those of quarters of an hour, at which periods begin everywhere.
func addUp(ctx context.Context, q sqlx.QueryerContext, args []any, keys string, periods []thresholdPeriod) ([]thresholdSum, error) {
	n := len(periods)
	if n == 0 {
		return nil, nil
	}
	ids, times := newArray(oidUUID, n, 16), make([][]time.Time, 4)
	for _, p := range periods {
		ids.uuid(p.ThresholdID)
		first, last := ceil(p.From, day), floor(p.To, day)
		if !first.Before(last) {
			first, last = p.To, p.To
		}
		for i, t := range []time.Time{p.From, first, last, p.To} {
			times[i] = append(times[i], t)
		}
	}
	next := len(args) + 1
	args = append(slices.Clone(args), ids, timeArray(times[0]), timeArray(times[1]), timeArray(times[2]), timeArray(times[3]))
	var sums []thresholdSum
	err := sqlx.SelectContext(ctx, q, &sums, fmt.Sprintf(`
		SELECT w.n - 1 AS n, used.sum, c.crossed_at
		FROM unnest($%d::uuid[], $%d::timestamptz[], $%d::timestamptz[], $%d::timestamptz[], $%d::timestamptz[])
			WITH ORDINALITY AS w (id, start, first_day, last_day, until, n)
		JOIN usage_thresholds t ON t.account_id = $1 AND t.threshold_id = w.id
		LEFT JOIN usage_crossings c ON c.account_id = $1 AND c.threshold_id = w.id AND c.period_start = w.start
		CROSS JOIN LATERAL (
			SELECT coalesce(sum(CASE t.measure WHEN 'COST' THEN s.cost ELSE s.quantity END), 0) AS sum
			FROM (
				SELECT t.key_id WHERE t.key_id IS NOT NULL
				UNION ALL`+keysBelow("t.unit_id")+`) k
			CROSS JOIN LATERAL (
				SELECT d.cost + d.failed_cost AS cost, d.quantity::numeric + d.failed_quantity AS quantity
				FROM usage_days d
				WHERE d.account_id = $1 AND d.key_id = k.key_id AND d.day >= w.first_day AND d.day < w.last_day
				UNION ALL
				SELECT q.cost + q.failed_cost, q.quantity::numeric + q.failed_quantity
				FROM usage_quarters q
				WHERE q.account_id = $1 AND q.key_id = k.key_id AND q.at >= w.start AND q.at < w.first_day
				UNION ALL
				SELECT q.cost + q.failed_cost, q.quantity::numeric + q.failed_quantity
				FROM usage_quarters q
				WHERE q.account_id = $1 AND q.key_id = k.key_id AND q.at >= w.last_day AND q.at < w.until) s
			WHERE %s) used`, next, next+1, next+2, next+3, next+4, keys), args...)
	return sums, err
}
