package db

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// insertUsage adds the rows that are not there yet, and their sums, in one statement. It gives the ids of those that it added.
func insertUsage(ctx context.Context, tx *sqlx.Tx, account graph.UUID, rows []*usageRow, recordedAt time.Time) (map[graph.UUID]bool, error) {
	args, err := usageArrays(rows)
	if err != nil {
		return nil, err
	}
	var added []graph.UUID
	err = tx.SelectContext(ctx, &added, `
		WITH added AS (
			INSERT INTO usage_records AS r (account_id, recorded_at, occurred_at, id, key_id, product, direction, country, quantity, cost, succeeded,
				reference, tags, replaces, replaced_by)
			SELECT $1, $2::timestamptz, s.*
			FROM unnest($3::timestamptz[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::boolean[],
				$12::text[], $13::jsonb[], $14::text[], $15::uuid[]) AS s (occurred_at, id)
			ORDER BY s.occurred_at, s.id
			ON CONFLICT DO NOTHING
			RETURNING r.occurred_at, r.id, r.key_id, r.product, r.country, r.quantity, r.cost, r.succeeded, r.replaced_by
		), counted AS (
			SELECT * FROM added WHERE replaced_by IS NULL
		), `+addSums("")+`
		SELECT id FROM added`, append([]any{account, recordedAt}, args...)...)
	ids := make(map[graph.UUID]bool, len(added))
	for _, id := range added {
		ids[id] = true
	}
	return ids, err
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
