package db

import (
	"context"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// Thresholds are looked at in the transaction that adds usage, so that none that is crossed is lost, and none is told of whose usage
// is taken back.

// warn tells of the thresholds that the records of a batch have crossed. Where an account has none it costs one look into an index.
func (db *DB) warn(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, b *usageBatch) error {
	var any bool
	if b.sums == nil {
		return nil
	}
	err := tx.GetContext(ctx, &any, `
		SELECT EXISTS (SELECT FROM usage_thresholds t WHERE t.account_id = $1)`, b.account)
	if err != nil || !any {
		return err
	}
	touched, err := b.touchedThresholds(ctx, tx)
	if err != nil {
		return err
	}
	crossed, err := cross(ctx, tx, v, b.account, touched)
	if err != nil || len(crossed) == 0 {
		return err
	}
	a, err := accountOfUsage(ctx, tx, b.account)
	if err != nil {
		return err
	}
	for _, c := range crossed {
		if err := nameThreshold(ctx, tx, c.UsageThreshold); err != nil {
			return err
		}
		e := event{Action: graph.ThresholdCrossed, Key: c.KeyID, Unit: c.UnitID, Summary: c.Crossing(c.UsagePeriod, a.Currency).Summary()}
		if err := audit(ctx, tx, v, b.account, e); err != nil {
			return err
		}
	}
	return db.mailCrossings(ctx, tx, v.Request, a, crossed)
}

func accountOfUsage(ctx context.Context, tx *sqlx.Tx, account graph.UUID) (*graph.Account, error) {
	var a graph.Account
	err := tx.GetContext(ctx, &a, `
		SELECT `+accountColumns.of("a")+`
		FROM accounts a
		WHERE a.account_id = $1`, account)
	return &a, err
}

// touchedThresholds gives the thresholds on the keys of the batch, and on the units above them, each with the periods in which the
// batch has changed sums of its keys.
func (b *usageBatch) touchedThresholds(ctx context.Context, tx *sqlx.Tx) ([]thresholdPeriod, error) {
	times := map[graph.UUID][]time.Time{}
	var keys []graph.UUID
	for _, c := range b.sums.quarters.list {
		if times[c.key] == nil {
			keys = append(keys, c.key)
		}
		times[c.key] = append(times[c.key], time.UnixMicro(c.start))
	}
	var rows []struct {
		graph.UsageThreshold
		Touched graph.UUID
	}
	err := tx.SelectContext(ctx, &rows, `
		SELECT `+thresholdColumns.of("t")+`, t.key_id AS touched
		FROM usage_thresholds t
		WHERE t.account_id = $1 AND t.key_id = ANY($2::uuid[])
		UNION ALL
		SELECT `+thresholdColumns.of("t")+`, k.key_id
		FROM usage_thresholds t
		JOIN unit_paths p ON p.account_id = $1 AND p.above_id = t.unit_id
		JOIN api_keys k ON k.account_id = $1 AND k.unit_id = p.unit_id
		WHERE t.account_id = $1 AND k.key_id = ANY($2::uuid[])
		ORDER BY threshold_id`, b.account, uuidArray(keys))
	var list []thresholdPeriod
	for first := 0; first < len(rows); {
		t := &rows[first].UsageThreshold
		var at []time.Time
		for ; first < len(rows) && rows[first].ThresholdID == t.ThresholdID; first++ {
			at = append(at, times[rows[first].Touched]...)
		}
		slices.SortFunc(at, time.Time.Compare)
		for _, p := range t.Periods(at) {
			list = append(list, thresholdPeriod{t, p})
		}
	}
	return list, err
}

// cross notes which of the thresholds have reached their limits in the periods, and gives those of which that was not known.
func cross(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, account graph.UUID, periods []thresholdPeriod) ([]thresholdPeriod, error) {
	sums, err := addUp(ctx, tx, []any{account}, `true`, periods)
	if err != nil {
		return nil, err
	}
	ids, starts := newArray(oidUUID, len(sums), 16), newArray(oidTimestamptz, len(sums), 8)
	limits, zones, values := newArray(oidText, len(sums), 8), newArray(oidText, len(sums), 8), newArray(oidText, len(sums), 8)
	n := 0
	for _, s := range sums {
		p := periods[s.N]
		if s.CrossedAt != nil || s.Sum.LessThan(p.LimitValue) {
			continue
		}
		ids.uuid(p.ThresholdID)
		starts.timestamp(p.From)
		limits.text(p.LimitValue.String())
		zones.text(p.TimeZone)
		values.text(s.Sum.String())
		n++
	}
	if n == 0 {
		return nil, nil
	}
	var made []struct {
		ThresholdID graph.UUID
		PeriodStart time.Time
	}
	// One that somebody changes or removes at this moment is left alone: the lock waits for them, and then the limit or the row
	// is another one.
	err = tx.SelectContext(ctx, &made, `
		WITH still AS (
			SELECT t.threshold_id, w.start, w.value
			FROM unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[]) AS w (id, start, limit_value, time_zone, value)
			JOIN usage_thresholds t ON t.account_id = $1 AND t.threshold_id = w.id
			WHERE t.limit_value = w.limit_value::numeric AND t.time_zone = w.time_zone
			FOR SHARE OF t)
		INSERT INTO usage_crossings (account_id, threshold_id, period_start, crossed_at, value)
		SELECT $1, threshold_id, start, $7::timestamptz, value::numeric FROM still
		ON CONFLICT (account_id, threshold_id, period_start) DO NOTHING
		RETURNING threshold_id, period_start`, account, ids, starts, limits, zones, values, v.Request.At)
	var crossed []thresholdPeriod
	for _, p := range periods {
		for _, m := range made {
			if m.ThresholdID == p.ThresholdID && m.PeriodStart.Equal(p.From) {
				crossed = append(crossed, p)
			}
		}
	}
	return crossed, err
}

// mailCrossings tells every active user of what they see of the crossed thresholds, a mail for each. The predicate decides, for one
// user after another: thresholds are crossed rarely.
func (db *DB) mailCrossings(ctx context.Context, tx *sqlx.Tx, r graph.Request, a *graph.Account, crossed []thresholdPeriod) error {
	if !db.sendMail {
		return nil
	}
	var users []*graph.User
	err := tx.SelectContext(ctx, &users, `
		SELECT `+userColumns.of("u")+`
		FROM users u
		WHERE u.account_id = $1 AND u.status = 'ACTIVE'
		ORDER BY u.user_id`, a.AccountID)
	if err != nil {
		return err
	}
	wanted := make([]graph.UUID, len(crossed))
	for i, c := range crossed {
		wanted[i] = c.ThresholdID
	}
	for _, u := range users {
		reader := &graph.Viewer{Kind: graph.KindOfUser, User: u, Account: a, Request: r}
		seen, err := visibleThresholds(ctx, tx, reader, a.AccountID, `t.threshold_id = ANY($4)`, wanted)
		if err != nil {
			return err
		}
		for _, c := range crossed {
			if !slices.ContainsFunc(seen, func(t *graph.UsageThreshold) bool { return t.ThresholdID == c.ThresholdID }) {
				continue
			}
			if err := db.mailThresholdCrossed(ctx, tx, r, a, u, c.Crossing(c.UsagePeriod, a.Currency)); err != nil {
				return err
			}
		}
	}
	return nil
}
