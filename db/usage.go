package db

import (
	"cmp"
	"context"
	"fmt"

	"grantwood/graph"
)

// usageColumns are those of a record; ownRecords gives it what is the same for all records of an account.
var usageColumns = columnList{"record_id = @.id", "key_id", "product", "direction", "country", "quantity", "cost_units = @.cost", "succeeded",
	"occurred_at", "recorded_at", "reference", "tags", "replaces"}

// listedUsage are the same columns for readAll.
var listedUsage = usageColumns.sent("occurred_at", "recorded_at")

// ownRecords gives records what is the same for all of their account.
func (db *DB) ownRecords(ctx context.Context, a *graph.Account, account graph.UUID, list []*graph.UsageRecord) error {
	if len(list) == 0 {
		return nil
	}
	currency, err := db.currencyOf(ctx, a, account)
	for _, r := range list {
		r.AccountID, r.Currency = account, currency
	}
	return err
}

// usageVisible is the condition on records r of the account $1. A record that was corrected is gone for everybody.
func usageVisible(v *graph.Viewer) string {
	if !v.SeesUsage() {
		return nothing
	}
	return keyVisible(v, "r.key_id") + ` AND r.replaced_by IS NULL`
}

// keysBelow are the keys in or below a unit of the account $1.
func keysBelow(unit string) string {
	return `
		SELECT k.key_id FROM unit_paths p
		JOIN api_keys k ON k.account_id = $1 AND k.unit_id = p.unit_id
		WHERE p.account_id = $1 AND p.above_id = ` + unit
}

// UsageRecords reads those of the records that are visible, in no order. The identifier of a record tells when it happened, which
// leads to one partition.
func (db *DB) UsageRecords(ctx context.Context, v *graph.Viewer, account graph.UUID, ids []graph.UUID) ([]*graph.UsageRecord, error) {
	if !v.Enters(account) || len(ids) == 0 {
		return nil, nil
	}
	times := newArray(oidTimestamptz, len(ids), 8)
	for _, id := range ids {
		times.timestamp(graph.UsageMillis(id))
	}
	list, err := readAll[graph.UsageRecord](ctx, db.pool, `
		SELECT `+listedUsage.of("r")+`
		FROM unnest($4::uuid[], $5::timestamptz[]) AS w (id, at)
		JOIN usage_records r ON r.account_id = $1 AND r.occurred_at >= w.at AND r.occurred_at < w.at + interval '1 millisecond' AND r.id = w.id
		WHERE `+usageVisible(v), about(v, account, uuidArray(ids), times)...)
	return list, fault("read usage", cmp.Or(err, db.ownRecords(ctx, v.Account, account, list)))
}

// conditions are parts of a WHERE clause with their parameters; what is not asked for is not written, so that PostgreSQL plans for
// what is.
type conditions struct {
	text string
	args []any
	keys string // what they say of keys k
}

// and adds a condition in which %s stands for the parameter.
func (c *conditions) and(condition string, arg any) {
	c.args = append(c.args, arg)
	c.text += ` AND ` + fmt.Sprintf(condition, fmt.Sprintf(`$%d`, len(c.args)))
}

// usageMatches adds to the conditions that records r of the account match a filter.
func (c *conditions) usageMatches(v *graph.Viewer, account graph.UUID, f graph.UsageFilter) {
	c.and(`r.occurred_at >= %s::timestamptz`, f.Since(v.Request.At))
	if f.To != nil {
		c.and(`r.occurred_at < %s::timestamptz`, *f.To)
	}
	if f.KeyIds != nil {
		keys := make([]graph.UUID, len(f.KeyIds))
		for i, id := range f.KeyIds {
			keys[i] = id.In(account, graph.KindKey)
		}
		c.and(`(r.key_id IN (SELECT unnest(%s::uuid[]))) IS TRUE`, uuidArray(keys))
		c.keys = fmt.Sprintf(` AND k.key_id = ANY($%d::uuid[])`, len(c.args))
	}
	if f.UnitID != nil {
		c.and(`(r.key_id IN (`+keysBelow(`%s`)+`)) IS TRUE`, f.UnitID.In(account, graph.KindUnit))
	}
	if f.Products != nil {
		c.and(`r.product = ANY(%s::text[])`, textArray(f.Products))
	}
	if f.Countries != nil {
		c.and(`r.country = ANY(%s::text[])`, textArray(f.Countries))
	}
	if f.Status != nil {
		c.and(`r.succeeded = %s::boolean`, *f.Status == graph.UsageSucceeded)
	}
	if f.Direction != nil {
		c.and(`r.direction = %s::text`, *f.Direction)
	}
	if f.Tag != nil {
		c.and(`r.tags ? %s::text`, f.Tag.Name)
		if f.Tag.Value != nil {
			c.and(`r.tags ->> `+fmt.Sprintf(`$%d`, len(c.args))+` = %s::text`, *f.Tag.Value)
		}
	}
}

func usagePlaceOf(r *graph.UsageRecord) graph.Cursor {
	return graph.TimedCursor(r.OccurredAt, r.RecordID)
}

// Usage reads a page of the account's visible records, in the order of time.
func (db *DB) Usage(ctx context.Context, v *graph.Viewer, account graph.UUID, w graph.Window, f graph.UsageFilter, ask Ask) (*graph.UsageRecordConnection, error) {
	if !v.Enters(account) {
		account = graph.UUID{}
	}
	page, err := readPage(ctx, db, usageList(v, account, f), w, ask, usagePlaceOf)
	if err == nil {
		err = db.ownRecords(ctx, v.Account, account, page.Nodes)
	}
	return &graph.UsageRecordConnection{Page: page}, fault("list usage", err)
}

// usageList is the list of the account's visible records that match a filter.
func usageList(v *graph.Viewer, account graph.UUID, f graph.UsageFilter) listing {
	c := conditions{args: about(v, account)}
	c.usageMatches(v, account, f)
	l := listing{
		columns: listedUsage.of("r"),
		from:    `usage_records r WHERE r.account_id = $1 AND ` + usageVisible(v) + c.text,
		name:    "r.occurred_at",
		id:      "r.id",
		args:    c.args,
	}
	if len(f.KeyIds) > 0 && len(f.KeyIds) <= fewKeys || v.Keys.Few(fewKeys) {
		l.outward = `(SELECT k.key_id FROM api_keys k WHERE k.account_id = $1 AND ` + keyVisible(v, "k.key_id") + c.keys + `) o`
		l.inward = `r.key_id = o.key_id`
	}
	return l
}

// fewKeys is for how many keys a page of each, read outward from the keys, is cheaper than looking at the records of all keys: the
// records of few are rare among those of many.
const fewKeys = 16

// UsageOfKeys reads, for each of the keys of one account, a page of its records as Usage does; for all at once.
func (db *DB) UsageOfKeys(ctx context.Context, v *graph.Viewer, keys []*graph.ApiKey, w graph.Window, f graph.UsageFilter, ask Ask) (map[graph.UUID]*graph.UsageRecordConnection, error) {
	return db.usageBelow(ctx, v, keys[0].AccountID, ids(keys, func(k *graph.ApiKey) graph.UUID { return k.KeyID }), `r.key_id = o.id`, w, f, ask)
}

// UsageOfUnits reads, for each of the units of one account, a page of the visible records of keys in and below it as Usage does; for
// all at once.
func (db *DB) UsageOfUnits(ctx context.Context, v *graph.Viewer, units []*graph.Unit, w graph.Window, f graph.UsageFilter, ask Ask) (map[graph.UUID]*graph.UsageRecordConnection, error) {
	return db.usageBelow(ctx, v, units[0].AccountID, ids(units, unitID), `(r.key_id IN (`+keysBelow("o.id")+`)) IS TRUE`, w, f, ask)
}

// usageBelow reads pages of the records of which a condition says that they are below o.id.
func (db *DB) usageBelow(ctx context.Context, v *graph.Viewer, account graph.UUID, parents []graph.UUID, condition string, w graph.Window,
	f graph.UsageFilter, ask Ask) (map[graph.UUID]*graph.UsageRecordConnection, error) {
	c := conditions{args: make([]any, 4)} // as readBelow counts them
	c.usageMatches(v, account, f)
	pages, err := readBelow(ctx, db, v, account, below[graph.UsageRecord]{
		parents: parents,
		columns: listedUsage.as("r", "child"),
		from:    `usage_records r WHERE r.account_id = $1 AND ` + condition + ` AND ` + usageVisible(v) + c.text,
		args:    c.args[4:],
		name:    "r.occurred_at",
		id:      "r.id",
		place:   usagePlaceOf,
	}, w, ask)
	if err == nil {
		var all []*graph.UsageRecord
		for _, page := range pages {
			all = append(all, page.Nodes...)
		}
		err = db.ownRecords(ctx, v.Account, account, all)
	}
	return connections(pages, func(p graph.Page[graph.UsageRecord]) *graph.UsageRecordConnection {
			return &graph.UsageRecordConnection{Page: p}
		}),
		fault("list usage", err)
}
