package db

import (
	"context"
	"maps"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// usageKept is what is compared of a record, and what its sums are made of.
type usageKept struct {
	ID         graph.UUID
	OccurredAt time.Time
	KeyID      graph.UUID
	Product    string
	Direction  *graph.UsageDirection
	Country    string
	Quantity   int64
	Cost       int64
	Succeeded  bool
	Reference  string
	Tags       graph.UsageTags
	Replaces   *string
	ReplacedBy *graph.UUID
}

const usageKeptColumns = `r.id, r.occurred_at, r.key_id, r.product, r.direction, r.country, r.quantity, r.cost, r.succeeded, r.reference, r.tags,
	r.replaces, r.replaced_by`

// same reports whether both are the same record, corrected or not.
func (k *usageKept) same(o *usageKept) bool {
	return k.OccurredAt.Equal(o.OccurredAt) && k.KeyID == o.KeyID && k.Product == o.Product && sameText(k.Direction, o.Direction) &&
		k.Country == o.Country && k.Quantity == o.Quantity && k.Cost == o.Cost && k.Succeeded == o.Succeeded && k.Reference == o.Reference &&
		maps.Equal(k.Tags, o.Tags) && sameText(k.Replaces, o.Replaces)
}

func sameText[T ~string](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func (k *usageKept) place() usagePlace { return usagePlace{usageMonthOf(k.OccurredAt), k.Reference} }

// kept gives the row as it will be kept.
func (r *usageRow) kept() *usageKept {
	return &usageKept{ID: r.id, OccurredAt: r.at, KeyID: r.key, Product: r.in.Product, Direction: r.in.Direction, Country: r.in.Country, Quantity: r.in.Quantity,
		Cost: r.cost, Succeeded: r.in.Status == graph.UsageSucceeded, Reference: r.in.Reference, Tags: r.tags, Replaces: r.in.Replaces}
}

// usageKnown is what is known while the rows of a batch are gone through: what is stored, and the rows before.
type usageKnown struct {
	places   map[usagePlace]usagePresent
	corrects bool                    // the batch has corrections
	stored   map[string][]*usageKept // by reference, of those that corrections have or name
	batch    map[string][]*usageRow  // new rows of the batch, by reference, when it has corrections
	replaced []*usageKept            // stored records that rows of the batch correct
}

func newUsageKnown(rows int) *usageKnown {
	return &usageKnown{places: make(map[usagePlace]usagePresent, rows), stored: map[string][]*usageKept{}, batch: map[string][]*usageRow{}}
}

// usagePresent is the record in a place: a stored one, or a row of the batch.
type usagePresent struct {
	stored *usageKept
	row    *usageRow
}

func (p usagePresent) kept() *usageKept {
	if p.stored != nil {
		return p.stored
	}
	return p.row.kept()
}

// take notes that a row of the batch is new in its place.
func (n *usageKnown) take(place usagePlace, r *usageRow) {
	n.places[place] = usagePresent{row: r}
	if n.corrects {
		n.batch[r.in.Reference] = append(n.batch[r.in.Reference], r)
	}
}

// period gives the first and the last time of rows.
func period(rows []*usageRow) (first, last time.Time) {
	first, last = rows[0].at, rows[0].at
	for _, r := range rows {
		if r.at.Before(first) {
			first = r.at
		}
		if r.at.After(last) {
			last = r.at
		}
	}
	return first, last
}

// repeated gives the rows whose identifiers are there already. Rows come mostly in the order of time, and what is new lies where
// nothing is yet: so it looks at all that is stored in the period, unless that is much, and then for each row.
// Where nothing is stored there are no sums either.
func (b *usageBatch) repeated(ctx context.Context, tx *sqlx.Tx) ([]*usageRow, error) {
	const much = 2 * graph.MaxUsageBatch
	first, last := period(b.rows)
	var there []graph.UUID
	err := tx.SelectContext(ctx, &there, `
		SELECT r.id FROM usage_records r
		WHERE r.account_id = $1 AND r.occurred_at BETWEEN $2 AND $3
		LIMIT $4`, b.account, first, last, much)
	if err == nil && len(there) == much {
		times, ids := newArray(oidTimestamptz, len(b.rows), 8), newArray(oidUUID, len(b.rows), 16)
		for _, r := range b.rows {
			times.timestamp(r.at)
			ids.uuid(r.id)
		}
		there = nil
		err = tx.SelectContext(ctx, &there, `
			SELECT r.id
			FROM unnest($2::timestamptz[], $3::uuid[]) AS t (occurred_at, id)
			JOIN usage_records r ON r.account_id = $1 AND r.occurred_at = t.occurred_at AND r.id = t.id
			WHERE r.occurred_at BETWEEN $4 AND $5`, b.account, times, ids, first, last)
	}
	if err == nil && len(there) == 0 {
		b.emptyFrom, b.emptyTo = first.UnixMicro(), last.UnixMicro()+1
	}
	if err != nil || len(there) == 0 {
		return nil, err
	}
	known := make(map[graph.UUID]bool, len(there))
	for _, id := range there {
		known[id] = true
	}
	var rows []*usageRow
	for _, r := range b.rows {
		if known[r.id] {
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// readPlaces reads the stored records in the places of the rows.
func (n *usageKnown) readPlaces(ctx context.Context, tx *sqlx.Tx, account graph.UUID, rows []*usageRow) error {
	if len(rows) == 0 {
		return nil
	}
	references := newArray(oidText, len(rows), 36)
	for _, r := range rows {
		references.text(r.in.Reference)
	}
	first, last := period(rows)
	var list []*usageKept
	err := tx.SelectContext(ctx, &list, anew+`
		SELECT `+usageKeptColumns+`
		FROM usage_records r
		WHERE r.account_id = $1 AND r.reference = ANY($2::text[]) AND r.occurred_at >= $3 AND r.occurred_at < $4`,
		account, references, graph.MonthOf(first), graph.MonthOf(last).AddDate(0, 1, 0))
	for _, k := range list {
		n.places[k.place()] = usagePresent{stored: k}
	}
	return err
}

// readCorrected reads the stored records whose references the corrections in the batch have or name, in whichever month.
func (n *usageKnown) readCorrected(ctx context.Context, tx *sqlx.Tx, b *usageBatch) error {
	references := newArray(oidText, 0, 0)
	for _, r := range b.rows {
		if r.in.Replaces != nil {
			references.text(*r.in.Replaces)
			references.text(r.in.Reference)
		}
	}
	if n.corrects = references.count > 0; !n.corrects {
		return nil
	}
	var list []*usageKept
	err := tx.SelectContext(ctx, &list, anew+`
		SELECT `+usageKeptColumns+`
		FROM usage_records r
		WHERE r.account_id = $1 AND r.reference = ANY($2::text[])`, b.account, references)
	for _, k := range list {
		n.places[k.place()] = usagePresent{stored: k}
		n.stored[k.Reference] = append(n.stored[k.Reference], k)
	}
	return err
}

// correct notes that r corrects the one record with the reference that was not corrected yet, and gives that record.
func (n *usageKnown) correct(r *usageRow) (*usageKept, *graph.UsageRefusal) {
	stored, batch := n.stored[*r.in.Replaces], n.batch[*r.in.Replaces]
	var there []*usageKept
	var here []*usageRow
	for _, k := range stored {
		if k.ReplacedBy == nil {
			there = append(there, k)
		}
	}
	for _, o := range batch {
		if o.replacedBy.IsZero() {
			here = append(here, o)
		}
	}
	switch {
	case len(stored)+len(batch) == 0:
		return nil, graph.UsageNothingToReplace()
	case len(there)+len(here) == 0:
		return nil, graph.UsageReplacedAlready()
	case len(there)+len(here) > 1:
		return nil, graph.UsageReplacesSeveral()
	case len(here) == 1:
		here[0].replacedBy = r.id
		return here[0].kept(), nil
	}
	there[0].ReplacedBy = &r.id
	n.replaced = append(n.replaced, there[0])
	return there[0], nil
}

// markReplaced notes in the stored records that are corrected what corrects them. Their sums were taken away already; those where
// nothing is left go.
func (n *usageKnown) markReplaced(ctx context.Context, tx *sqlx.Tx, account graph.UUID) error {
	if len(n.replaced) > 0 {
		times, ids, by := newArray(oidTimestamptz, 0, 0), newArray(oidUUID, 0, 0), newArray(oidUUID, 0, 0)
		for _, k := range n.replaced {
			times.timestamp(k.OccurredAt)
			ids.uuid(k.ID)
			by.uuid(*k.ReplacedBy)
		}
		_, err := tx.ExecContext(ctx, `
			UPDATE usage_records r SET replaced_by = t.replaced_by
			FROM unnest($2::timestamptz[], $3::uuid[], $4::uuid[]) AS t (occurred_at, id, replaced_by)
			WHERE r.account_id = $1 AND r.occurred_at = t.occurred_at AND r.id = t.id`, account, times, ids, by)
		if err != nil {
			return err
		}
		return dropEmptySums(ctx, tx, account, times, ids)
	}
	return nil
}
