package db

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// insertUsage adds the rows, all new, and what they change in the sums, and tells of them, in one statement. It fails with a unique violation when
// one is not new.
func insertUsage(ctx context.Context, tx *sqlx.Tx, account graph.UUID, rows []*usageRow, sums *usageSums, recordedAt time.Time) error {
	args, err := usageArrays(rows)
	if err != nil {
		return err
	}
	args = append(append(args, sums.quarters.arrays()...), sums.days.arrays()...)
	args = append(append(args, newID()), usageNews(rows)...)
	touch(tx, account)
	_, err = tx.ExecContext(ctx, `
		WITH added AS (
			INSERT INTO usage_records (account_id, recorded_at, occurred_at, id, key_id, product, direction, country, quantity, cost, succeeded,
				reference, tags, replaces, replaced_by)
			SELECT $1, $2::timestamptz, c.*
			FROM unnest($3::timestamptz[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::boolean[],
				$12::text[], $13::jsonb[], $14::text[], $15::uuid[]) AS c
		), quarters AS (
			INSERT INTO usage_quarters AS s (account_id, key_id, at, product, country, `+sumNames+`)
			SELECT $1, c.key_id, c.at, c.product, c.country, `+sumsSent+`
			FROM unnest($16::uuid[], $17::timestamptz[], $18::text[], $19::text[], $20::bigint[], $21::bigint[], $22::text[], $23::bigint[],
				$24::bigint[], $25::text[]) AS c (key_id, at, product, country, `+sumNames+`)
			ON CONFLICT (account_id, key_id, at, product, country) DO UPDATE SET `+sumsAdded+`
		), told AS (
			INSERT INTO live_events (account_id, event_id, at, kind, key_ids, usage_records, usage_succeeded, usage_quantity, usage_cost, usage_named,
				usage_ids)
			SELECT $1, $36::uuid, $2, 'USAGE', $37::uuid[], $38::bigint[], $39::bigint[], $40::bigint[], $41::text[]::numeric[], $42::bigint[], $43::uuid[]
			WHERE cardinality($37::uuid[]) > 0
		)
		INSERT INTO usage_days AS s (account_id, key_id, day, product, `+sumNames+`)
		SELECT $1, c.key_id, c.at, c.product, `+sumsSent+`
		FROM unnest($26::uuid[], $27::timestamptz[], $28::text[], $29::text[], $30::bigint[], $31::bigint[], $32::text[], $33::bigint[],
			$34::bigint[], $35::text[]) AS c (key_id, at, product, country, `+sumNames+`)
		ON CONFLICT (account_id, key_id, day, product) DO UPDATE SET `+sumsAdded, append([]any{account, recordedAt}, args...)...)
	return err
}

// usageArrays gives the rows as parameters, an array for each column.
func usageArrays(rows []*usageRow) ([]any, error) {
	n := len(rows)
	times, ids, keys := newArray(oidTimestamptz, n, 8), newArray(oidUUID, n, 16), newArray(oidUUID, n, 16)
	products, directions, countries := newArray(oidText, n, 8), newArray(oidText, n, 8), newArray(oidText, n, 2)
	quantities, costs, succeeded := newArray(oidInt8, n, 8), newArray(oidInt8, n, 8), newArray(oidBool, n, 1)
	references, tags := newArray(oidText, n, 36), newArray(oidJSONB, n, 3)
	replaces, replacedBy := newArray(oidText, n, 0), newArray(oidUUID, n, 0)
	for _, r := range rows {
		times.timestamp(r.at)
		ids.uuid(r.id)
		keys.uuid(r.key)
		products.text(r.in.Product)
		orNull(directions, r.in.Direction)
		countries.text(r.in.Country)
		quantities.int8(r.in.Quantity)
		costs.int8(r.cost)
		succeeded.bool(r.in.Status == graph.UsageSucceeded)
		references.text(r.in.Reference)
		text := "{}"
		if len(r.tags) > 0 {
			raw, err := json.Marshal(r.tags)
			if err != nil {
				return nil, fmt.Errorf("write tags: %w", err)
			}
			text = string(raw)
		}
		tags.jsonb(text)
		orNull(replaces, r.in.Replaces)
		replacedBy.uuidOrNull(r.replacedBy)
	}
	return []any{times, ids, keys, products, directions, countries, quantities, costs, succeeded, references, tags, replaces, replacedBy}, nil
}
