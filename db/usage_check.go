package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// SumsDiffer says that sums of an account's usage in a month (UTC) are not those of its records.
type SumsDiffer struct {
	AccountID graph.UUID
	Month     time.Time
	Sums      int // how many
}

// String says so in words.
func (d SumsDiffer) String() string {
	return fmt.Sprintf("account %s, %s: %d sums differ from the records", d.AccountID, d.Month.Format("2006-01"), d.Sums)
}

// summed are the sums over records r, in the order of sumNames.
const summed = `count(*) FILTER (WHERE r.succeeded) AS records,
	coalesce(sum(r.quantity) FILTER (WHERE r.succeeded), 0)::bigint AS quantity,
	coalesce(sum(r.cost) FILTER (WHERE r.succeeded), 0) AS cost,
	count(*) FILTER (WHERE NOT r.succeeded) AS failed_records,
	coalesce(sum(r.quantity) FILTER (WHERE NOT r.succeeded), 0)::bigint AS failed_quantity,
	coalesce(sum(r.cost) FILTER (WHERE NOT r.succeeded), 0) AS failed_cost`

// What the sums of the account $1 between $2 and $3 have to be.
const (
	quartersOfRecords = `
		SELECT r.key_id, ` + quarterOf + ` AS at, r.product, r.country, ` + summed + `
		FROM usage_records r
		WHERE r.account_id = $1 AND r.occurred_at >= $2 AND r.occurred_at < $3 AND r.replaced_by IS NULL
		GROUP BY 1, 2, 3, 4`
	daysOfRecords = `
		SELECT r.key_id, ` + dayOf + ` AS day, r.product, ` + summed + `
		FROM usage_records r
		WHERE r.account_id = $1 AND r.occurred_at >= $2 AND r.occurred_at < $3 AND r.replaced_by IS NULL
		GROUP BY 1, 2, 3`
)

// CheckSums compares the sums of all accounts with their records, month by month, and gives where they differ. When told to it
// makes them anew there; nobody adds usage to that account meanwhile.
func (db *DB) CheckSums(ctx context.Context, rebuild bool) ([]SumsDiffer, error) {
	var accounts []graph.UUID
	err := db.pool.SelectContext(ctx, &accounts, `
		SELECT a.account_id FROM accounts a
		WHERE EXISTS (SELECT FROM usage_records r WHERE r.account_id = a.account_id)
			OR EXISTS (SELECT FROM usage_quarters s WHERE s.account_id = a.account_id)
			OR EXISTS (SELECT FROM usage_days s WHERE s.account_id = a.account_id)
		ORDER BY a.account_id`)
	if err != nil {
		return nil, fault("check sums", err)
	}
	months, err := db.usageMonthsKept(ctx)
	if err != nil {
		return nil, err
	}
	var differ []SumsDiffer
	for _, account := range accounts {
		for _, month := range months {
			n, err := db.checkMonth(ctx, account, month, rebuild)
			if err != nil {
				return differ, fault("check sums", err)
			}
			if n > 0 {
				differ = append(differ, SumsDiffer{account, month, n})
			}
		}
	}
	return differ, nil
}

// usageMonthsKept gives the months for which there are partitions.
func (db *DB) usageMonthsKept(ctx context.Context) ([]time.Time, error) {
	names, err := partitionsOf(ctx, db.pool, "usage_records")
	if err != nil {
		return nil, fault("list partitions", err)
	}
	var months []time.Time
	for _, name := range names {
		if month, err := time.Parse("usage_records_2006_01", name); err == nil {
			months = append(months, month)
		}
	}
	return months, nil
}

func (db *DB) checkMonth(ctx context.Context, account graph.UUID, month time.Time, rebuild bool) (differ int, err error) {
	to := month.AddDate(0, 1, 0)
	err = db.pool.GetContext(ctx, &differ, anew+`
		SELECT (SELECT count(*) FROM (`+quartersOfRecords+`) r
			FULL JOIN (SELECT * FROM usage_quarters WHERE account_id = $1 AND at >= $2 AND at < $3) s
				ON s.key_id = r.key_id AND s.at = r.at AND s.product = r.product AND s.country = r.country
			WHERE `+sumsDistinct+`)
		+ (SELECT count(*) FROM (`+daysOfRecords+`) r
			FULL JOIN (SELECT * FROM usage_days WHERE account_id = $1 AND day >= $2 AND day < $3) s
				ON s.key_id = r.key_id AND s.day = r.day AND s.product = r.product
			WHERE `+sumsDistinct+`)`, account, month, to)
	if err != nil || differ == 0 || !rebuild {
		return differ, err
	}
	return differ, db.transact(ctx, "make sums anew", func(tx *sqlx.Tx) error {
		if err := lockUsage(ctx, tx, account); err != nil {
			return err
		}
		// The order lets the sums of a key lie next to each other, as reports read them.
		for _, statement := range []string{
			`DELETE FROM usage_quarters WHERE account_id = $1 AND at >= $2 AND at < $3`,
			`DELETE FROM usage_days WHERE account_id = $1 AND day >= $2 AND day < $3`,
			`INSERT INTO usage_quarters (account_id, key_id, at, product, country, ` + sumNames + `)
			SELECT $1, q.* FROM (` + quartersOfRecords + `) q
			ORDER BY q.key_id, q.at, q.product, q.country`,
			`INSERT INTO usage_days (account_id, key_id, day, product, ` + sumNames + `)
			SELECT $1, d.* FROM (` + daysOfRecords + `) d
			ORDER BY d.key_id, d.day, d.product`,
		} {
			if _, err := tx.ExecContext(ctx, anew+statement, account, month, to); err != nil {
				return err
			}
		}
		return nil
	})
}

// sumsDistinct is the condition that the sums of records r are not the stored ones s.
const sumsDistinct = `(r.records, r.quantity, r.cost, r.failed_records, r.failed_quantity, r.failed_cost)
	IS DISTINCT FROM (s.records, s.quantity, s.cost, s.failed_records, s.failed_quantity, s.failed_cost)`
