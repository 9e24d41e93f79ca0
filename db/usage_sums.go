package db

import (
	"context"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// Starts of the quarter of an hour and of the day (UTC) in which something happened.
const (
	quarterOf = `date_bin('15 minutes', r.occurred_at, '2000-01-01 00:00:00+00')`
	dayOf     = `date_bin('1 day', r.occurred_at, '2000-01-01 00:00:00+00')`
)

// sumColumns are the sums over records r, in the order of their columns; sign is empty or "-".
func sumColumns(sign string) string {
	return sign + `count(*) FILTER (WHERE r.succeeded), ` +
		sign + `coalesce(sum(r.quantity) FILTER (WHERE r.succeeded), 0)::bigint, ` +
		sign + `coalesce(sum(r.cost) FILTER (WHERE r.succeeded), 0), ` +
		sign + `count(*) FILTER (WHERE NOT r.succeeded), ` +
		sign + `coalesce(sum(r.quantity) FILTER (WHERE NOT r.succeeded), 0)::bigint, ` +
		sign + `coalesce(sum(r.cost) FILTER (WHERE NOT r.succeeded), 0)`
}

const (
	sumNames = `records, quantity, cost, failed_records, failed_quantity, failed_cost`
	// sumsAdded adds what is new to the sums s that are there.
	sumsAdded = `records = s.records + excluded.records, quantity = s.quantity + excluded.quantity, cost = s.cost + excluded.cost,
		failed_records = s.failed_records + excluded.failed_records, failed_quantity = s.failed_quantity + excluded.failed_quantity,
		failed_cost = s.failed_cost + excluded.failed_cost`
)

// addSums is a part of a WITH clause that adds the records of its part "counted", all of the account $1, to both tables of sums, or
// with the sign "-" takes them away. Rows are written in one order, so that those who write the same ones wait for each other in it.
func addSums(sign string) string {
	return `quarters AS (
			INSERT INTO usage_quarters AS s (account_id, key_id, at, product, country, ` + sumNames + `)
			SELECT $1, r.key_id, ` + quarterOf + ` AS at, r.product, r.country, ` + sumColumns(sign) + `
			FROM counted r
			GROUP BY r.key_id, at, r.product, r.country
			ORDER BY r.key_id, at, r.product, r.country
			ON CONFLICT (account_id, key_id, at, product, country) DO UPDATE SET ` + sumsAdded + `
		), days AS (
			INSERT INTO usage_days AS s (account_id, key_id, day, product, ` + sumNames + `)
			SELECT $1, r.key_id, ` + dayOf + ` AS day, r.product, ` + sumColumns(sign) + `
			FROM counted r
			GROUP BY r.key_id, day, r.product
			ORDER BY r.key_id, day, r.product
			ON CONFLICT (account_id, key_id, day, product) DO UPDATE SET ` + sumsAdded + `
		)`
}

// dropEmptySums removes the sums to which the records with the times and ids belonged, where no record is left.
func dropEmptySums(ctx context.Context, tx *sqlx.Tx, account graph.UUID, times, ids *array) error {
	const records = `
		SELECT r.key_id, r.product, r.country, r.occurred_at
		FROM unnest($2::timestamptz[], $3::uuid[]) AS t (occurred_at, id)
		JOIN usage_records r ON r.account_id = $1 AND r.occurred_at = t.occurred_at AND r.id = t.id`
	_, err := tx.ExecContext(ctx, `
		DELETE FROM usage_quarters s
		USING (`+records+`) r
		WHERE s.account_id = $1 AND s.key_id = r.key_id AND s.at = `+quarterOf+` AND s.product = r.product AND s.country = r.country
			AND s.records = 0 AND s.failed_records = 0`, account, times, ids)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM usage_days s
		USING (`+records+`) r
		WHERE s.account_id = $1 AND s.key_id = r.key_id AND s.day = `+dayOf+` AND s.product = r.product
			AND s.records = 0 AND s.failed_records = 0`, account, times, ids)
	return err
}
