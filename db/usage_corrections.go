package db

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// errAgain asks for the transaction to be run again: what it relied on has changed meanwhile.
var errAgain = errors.New("the records have changed meanwhile")

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

func (k *usageKept) place() usagePlace { return usagePlace{graph.MonthOf(k.OccurredAt), k.Reference} }

// kept gives the row as it will be kept.
func (r *usageRow) kept() *usageKept {
	return &usageKept{ID: r.id, OccurredAt: r.at, KeyID: r.key, Product: r.in.Product, Direction: r.in.Direction, Country: r.in.Country, Quantity: r.in.Quantity,
		Cost: r.cost, Succeeded: r.in.Status == graph.UsageSucceeded, Reference: r.in.Reference, Tags: r.tags, Replaces: r.in.Replaces}
}

// addStored adds the stored records in the places of the rows to what is there.
func addStored(ctx context.Context, tx *sqlx.Tx, account graph.UUID, rows []*usageRow, there map[usagePlace]*usageKept) error {
	if len(rows) == 0 {
		return nil
	}
	references := newArray(oidText, len(rows), 36)
	from, to := rows[0].at, rows[0].at
	for _, r := range rows {
		references.text(r.in.Reference)
		if r.at.Before(from) {
			from = r.at
		}
		if r.at.After(to) {
			to = r.at
		}
	}
	var list []*usageKept
	err := tx.SelectContext(ctx, &list, `
		SELECT `+usageKeptColumns+`
		FROM usage_records r
		WHERE r.account_id = $1 AND r.reference = ANY($2::text[]) AND r.occurred_at >= $3 AND r.occurred_at < $4`,
		account, references, graph.MonthOf(from), graph.MonthOf(to).AddDate(0, 1, 0))
	for _, k := range list {
		there[k.place()] = k
	}
	return err
}

// corrections is what is known about records that may be corrected, while the rows of a batch are gone through in their order.
type corrections struct {
	known  map[string]bool         // references that were looked for
	stored map[string][]*usageKept // by reference; they stay locked
	batch  map[string][]*usageRow  // earlier rows with such references that are not stored
}

// findCorrected reads the stored records whose references the corrections among the rows have or name.
func findCorrected(ctx context.Context, tx *sqlx.Tx, account graph.UUID, rows []*usageRow) (*corrections, error) {
	c := &corrections{known: map[string]bool{}, stored: map[string][]*usageKept{}, batch: map[string][]*usageRow{}}
	wanted := newArray(oidText, 0, 0)
	for _, r := range rows {
		if r.in.Replaces != nil {
			wanted.text(*r.in.Replaces)
			wanted.text(r.in.Reference)
			c.known[*r.in.Replaces], c.known[r.in.Reference] = true, true
		}
	}
	if wanted.count == 0 {
		return c, nil
	}
	var list []*usageKept
	err := tx.SelectContext(ctx, &list, `
		SELECT `+usageKeptColumns+`
		FROM usage_records r
		WHERE r.account_id = $1 AND r.reference = ANY($2::text[])
		ORDER BY r.occurred_at, r.id
		FOR NO KEY UPDATE OF r`, account, wanted)
	for _, k := range list {
		c.stored[k.Reference] = append(c.stored[k.Reference], k)
	}
	return c, err
}

// pass takes notice of a row, and refuses a correction of nothing or of what was corrected before.
func (c *corrections) pass(r *usageRow, place usagePlace) *graph.UsageRefusal {
	if !c.known[place.reference] {
		return nil
	}
	for _, k := range c.stored[place.reference] {
		if k.place() == place {
			return nil // known, or contradicted: nothing new comes of it
		}
	}
	if r.in.Replaces != nil {
		if why := c.correct(r); why != nil {
			return why
		}
	}
	r.sure = true
	c.batch[place.reference] = append(c.batch[place.reference], r)
	return nil
}

// correct notes that r corrects the one record with the reference that was not corrected yet.
func (c *corrections) correct(r *usageRow) *graph.UsageRefusal {
	stored, batch := c.stored[*r.in.Replaces], c.batch[*r.in.Replaces]
	var live []func()
	for _, k := range stored {
		if k.ReplacedBy == nil {
			live = append(live, func() { k.ReplacedBy, r.target = &r.id, k })
		}
	}
	for _, o := range batch {
		if o.replacedBy.IsZero() {
			live = append(live, func() { o.replacedBy = r.id })
		}
	}
	switch {
	case len(stored)+len(batch) == 0:
		return graph.UsageNothingToReplace()
	case len(live) == 0:
		return graph.UsageReplacedAlready()
	case len(live) > 1:
		return graph.UsageReplacesSeveral()
	}
	live[0]()
	return nil
}

// replaceTargets marks the stored records that rows of the batch correct, and takes them out of the sums.
func (b *usageBatch) replaceTargets(ctx context.Context, tx *sqlx.Tx) error {
	times, ids, by := newArray(oidTimestamptz, 0, 0), newArray(oidUUID, 0, 0), newArray(oidUUID, 0, 0)
	for _, r := range b.rows {
		if r.target != nil {
			times.timestamp(r.target.OccurredAt)
			ids.uuid(r.target.ID)
			by.uuid(r.id)
		}
	}
	if ids.count == 0 {
		return nil
	}
	var replaced int
	err := tx.GetContext(ctx, &replaced, `
		WITH counted AS (
			UPDATE usage_records r SET replaced_by = t.replaced_by
			FROM unnest($2::timestamptz[], $3::uuid[], $4::uuid[]) AS t (occurred_at, id, replaced_by)
			WHERE r.account_id = $1 AND r.occurred_at = t.occurred_at AND r.id = t.id AND r.replaced_by IS NULL
			RETURNING r.occurred_at, r.key_id, r.product, r.country, r.quantity, r.cost, r.succeeded
		), `+addSums("-")+`
		SELECT count(*) FROM counted`, b.account, times, ids, by)
	if err != nil {
		return err
	}
	if replaced != ids.count {
		return errAgain
	}
	return dropEmptySums(ctx, tx, b.account, times, ids)
}
