package db

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// unnested gives the columns, each with its type, of arrays that are parameters from the first on. Arrays that are unnested side by side in
// a list of columns are read in step; in FROM each would be written down first, which is a fifth of what adding a record costs.
func unnested(first int, columns ...string) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		name, kind, _ := strings.Cut(c, " ")
		list[i] = "unnest($" + strconv.Itoa(first+i) + "::" + kind + "[]) AS " + name
	}
	return `(SELECT ` + strings.Join(list, ", ") + `) AS c`
}

// unnestedSums are sums, from the parameter on, with the column of their start.
func unnestedSums(first int, at string) string {
	return unnested(first, "key_id uuid", at+" timestamptz", "product text", "country text", "records bigint", "quantity bigint", "cost text",
		"failed_records bigint", "failed_quantity bigint", "failed_cost text")
}

// addUsage adds records, all new, and what they change in the sums, and tells of them. Sums of which nothing is there yet, from $16 on, are
// inserted in the plain way, which costs two thirds of looking first.
var addUsage = `
	WITH added AS (
		INSERT INTO usage_records (account_id, recorded_at, occurred_at, id, key_id, product, direction, country, quantity, cost, succeeded,
			reference, tags, replaces, replaced_by)
		SELECT $1::uuid, $2::timestamptz, c.occurred_at, c.id, c.key_id, c.product, c.direction, c.country, c.quantity, c.cost, c.succeeded,
			c.reference, coalesce(c.tags, '{}'), c.replaces, c.replaced_by
		FROM ` + unnested(3, "reference text", "id uuid", "key_id uuid", "occurred_at timestamptz", "product text", "direction text", "country text",
	"quantity bigint", "cost bigint", "succeeded boolean", "tags jsonb", "replaces text", "replaced_by uuid") + `
	), begun AS (
		INSERT INTO usage_quarters (account_id, key_id, at, product, country, ` + sumNames + `)
		SELECT $1::uuid, c.key_id, c.at, c.product, c.country, ` + sumsSent + `
		FROM ` + unnestedSums(16, "at") + `
	), quarters AS (
		INSERT INTO usage_quarters AS s (account_id, key_id, at, product, country, ` + sumNames + `)
		SELECT $1::uuid, c.key_id, c.at, c.product, c.country, ` + sumsSent + `
		FROM ` + unnestedSums(26, "at") + `
		ON CONFLICT (account_id, key_id, at, product, country) DO UPDATE SET ` + sumsAdded + `
	), told AS (
		INSERT INTO live_events (account_id, event_id, at, kind, key_ids, usage_records, usage_succeeded, usage_quantity, usage_cost, usage_named,
			usage_ids)
		SELECT $1::uuid, $46::uuid, $2::timestamptz, 'USAGE', $47::uuid[], $48::bigint[], $49::bigint[], $50::bigint[], $51::text[]::numeric[], $52::bigint[], $53::uuid[]
		WHERE cardinality($47::uuid[]) > 0
	)
	INSERT INTO usage_days AS s (account_id, key_id, day, product, ` + sumNames + `)
	SELECT $1::uuid, c.key_id, c.day, c.product, ` + sumsSent + `
	FROM ` + unnestedSums(36, "day") + `
	ON CONFLICT (account_id, key_id, day, product) DO UPDATE SET ` + sumsAdded

// insertUsage adds the rows, all new, and what they change in the sums, and tells of them, in one statement. It fails with a unique violation when
// one is not new.
func (b *usageBatch) insertUsage(ctx context.Context, tx *sqlx.Tx, recordedAt time.Time) error {
	var room arrays
	defer room.free()
	args, err := room.usage(b.rows)
	if err != nil {
		return err
	}
	begun, others := b.split(b.sums.quarters.changed())
	args = append(append(append(args, room.sums(begun)...), room.sums(others)...), room.sums(b.sums.days.changed())...)
	args = append(append(args, newID()), room.news(b.rows)...)
	touch(tx, b.account)
	_, err = tx.ExecContext(ctx, addUsage, append([]any{b.account, recordedAt}, args...)...)
	return err
}

// split tells sums of which nothing is there yet from others: those of quarters of an hour that lie, whole, where the account has no record.
func (b *usageBatch) split(sums []*usageCellSums) (begun, others []*usageCellSums) {
	begun, others = make([]*usageCellSums, 0, len(sums)), make([]*usageCellSums, 0, len(sums))
	for _, s := range sums {
		if s.start >= b.emptyFrom && s.start+quarter.Microseconds() <= b.emptyTo {
			begun = append(begun, s)
		} else {
			others = append(others, s)
		}
	}
	return begun, others
}

// usage gives rows as parameters, an array for each column. The longest comes first: the driver's buffer grows the least then.
func (a *arrays) usage(rows []*usageRow) ([]any, error) {
	n := len(rows)
	references, ids, keys := a.new(oidText, n, 36), a.new(oidUUID, n, 16), a.new(oidUUID, n, 16)
	times, products, directions, countries := a.new(oidTimestamptz, n, 8), a.new(oidText, n, 8), a.new(oidText, n, 8), a.new(oidText, n, 2)
	quantities, costs, succeeded := a.new(oidInt8, n, 8), a.new(oidInt8, n, 8), a.new(oidBool, n, 1)
	tags, replaces, replacedBy := a.new(oidJSONB, n, 0), a.new(oidText, n, 0), a.new(oidUUID, n, 0)
	for _, r := range rows {
		references.text(r.in.Reference)
		ids.uuid(r.id)
		keys.uuid(r.key)
		times.timestamp(r.at)
		products.text(r.in.Product)
		orNull(directions, r.in.Direction)
		countries.text(r.in.Country)
		quantities.int8(r.in.Quantity)
		costs.int8(r.cost)
		succeeded.bool(r.in.Status == graph.UsageSucceeded)
		if len(r.tags) == 0 {
			tags.null()
		} else {
			raw, err := json.Marshal(r.tags)
			if err != nil {
				return nil, fmt.Errorf("write tags: %w", err)
			}
			tags.jsonb(string(raw))
		}
		orNull(replaces, r.in.Replaces)
		replacedBy.uuidOrNull(r.replacedBy)
	}
	return []any{references, ids, keys, times, products, directions, countries, quantities, costs, succeeded, tags, replaces, replacedBy}, nil
}
