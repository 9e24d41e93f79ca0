package db

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// usageRow is a record on its way into the database.
type usageRow struct {
	index      int // in the batch
	in         *graph.UsageRecordInput
	id, key    graph.UUID
	at         time.Time
	cost       int64
	tags       graph.UsageTags
	replacedBy graph.UUID // a later record of the batch that corrects this one
	target     *usageKept // the stored record that this one corrects
	sure       bool       // it was looked for and is not stored: others rely on that
}

// place is what a reference is unique in: the account, and the month in which the record happened.
type usagePlace struct {
	month     time.Time
	reference string
}

func (r *usageRow) place() usagePlace { return usagePlace{graph.MonthOf(r.at), r.in.Reference} }

// batch is what becomes of the records of one account.
type usageBatch struct {
	account graph.UUID
	rows    []*usageRow
	graph.Ingested
}

func (b *usageBatch) refuse(r *usageRow, why *graph.UsageRefusal) {
	why.Index = r.index
	b.Refused = append(b.Refused, why)
}

// keep keeps the rows of which f says so.
func (b *usageBatch) keep(f func(*usageRow) bool) {
	b.rows = slices.DeleteFunc(b.rows, func(r *usageRow) bool { return !f(r) })
}

// errRefused undoes a strict batch in which a record was refused.
var errRefused = errors.New("a record was refused")

// IngestUsage adds records of any accounts, at most graph.MaxUsageBatch, with their sums; what it says is accepted is durable. A
// record that is there already is counted as a duplicate and adds nothing, so that a batch can be sent again. A record that cannot
// be added is refused and does not keep the others from being added, unless strict: then nothing is added when anything is
// refused. Each account's records are added in a transaction of their own. For operators with INGEST: Forbidden for others.
func (db *DB) IngestUsage(ctx context.Context, v *graph.Viewer, records []*graph.UsageRecordInput, strict bool) (graph.Ingested, error) {
	var done graph.Ingested
	scope := graph.ScopeIngest
	if err := v.Meets([]graph.PrincipalKind{graph.KindOperator}, nil, &scope); err != nil {
		return done, err
	}
	products, err := db.productCodes(ctx)
	if err != nil {
		return done, err
	}
	rules := graph.UsageRules{Products: products, Now: v.Request.At, Oldest: graph.OldestUsage(v.Request.At, db.usageMonths)}
	batches, refused := sortUsage(records, rules)
	done.Refused = refused
	if strict && len(refused) > 0 {
		return done, nil
	}
	parts := [][]*usageBatch{batches}
	if !strict {
		parts = slices.Collect(slices.Chunk(batches, 1))
	}
	for _, part := range parts {
		if err := db.ingest(ctx, v, part, strict); err != nil && !errors.Is(err, errRefused) {
			return done, fault("add usage", err)
		}
		for _, b := range part {
			done.Accepted += b.Accepted
			done.Duplicates += b.Duplicates
			done.Refused = append(done.Refused, b.Refused...)
		}
	}
	slices.SortFunc(done.Refused, func(a, b *graph.UsageRefusal) int { return a.Index - b.Index })
	return done, nil
}

// sortUsage splits records by the accounts that their keys name, in the order of the accounts' identifiers, and refuses those that
// no account could take.
func sortUsage(records []*graph.UsageRecordInput, rules graph.UsageRules) ([]*usageBatch, []*graph.UsageRefusal) {
	var refused []*graph.UsageRefusal
	byAccount := map[graph.UUID]*usageBatch{}
	for i, in := range records {
		account, why := accountOfKey(in.Key), rules.Check(in)
		if why == nil && account.IsZero() {
			why = graph.UnknownUsageKey()
		}
		if why != nil {
			why.Index = i
			refused = append(refused, why)
			continue
		}
		b := byAccount[account]
		if b == nil {
			b = &usageBatch{account: account}
			byAccount[account] = b
		}
		at := in.OccurredAt.UTC().Truncate(time.Microsecond)
		b.rows = append(b.rows, &usageRow{index: i, in: in, id: graph.UsageRecordID(account, at, in.Reference), at: at, cost: in.CostUnits(), tags: in.TagSet()})
	}
	batches := make([]*usageBatch, 0, len(byAccount))
	for _, b := range byAccount {
		batches = append(batches, b)
	}
	slices.SortFunc(batches, func(a, b *usageBatch) int { return slices.Compare(a.account[:], b.account[:]) })
	return batches, refused
}

// ingest adds the records of some accounts in one transaction; none of them when strict and one is refused: errRefused.
func (db *DB) ingest(ctx context.Context, v *graph.Viewer, batches []*usageBatch, strict bool) error {
	return db.transact(ctx, "add usage", func(tx *sqlx.Tx) error {
		refused := 0
		for _, b := range batches {
			again := &usageBatch{account: b.account}
			for _, r := range b.rows {
				r.replacedBy, r.target, r.sure = graph.UUID{}, nil, false
				again.rows = append(again.rows, r)
			}
			if err := again.add(ctx, tx, v.Request.At); err != nil {
				return err
			}
			b.Ingested = again.Ingested
			refused += len(b.Refused)
		}
		if !strict || refused == 0 {
			return nil
		}
		for _, b := range batches {
			b.Accepted, b.Duplicates = 0, 0
		}
		return errRefused
	})
}

// add adds the records of one account.
func (b *usageBatch) add(ctx context.Context, tx *sqlx.Tx, recordedAt time.Time) error {
	if err := b.findKeys(ctx, tx); err != nil {
		return err
	}
	c, err := findCorrected(ctx, tx, b.account, b.rows)
	if err != nil {
		return err
	}
	repeats := b.decide(c)
	if len(b.rows) == 0 {
		return nil
	}
	added, err := insertUsage(ctx, tx, b.account, b.rows, recordedAt)
	if err != nil {
		return err
	}
	b.Accepted = len(added)
	if err := b.explainMissing(ctx, tx, added, repeats); err != nil {
		return err
	}
	return b.replaceTargets(ctx, tx)
}

// findKeys finds the keys that the records name, whatever state they are in, and refuses what is about none and what is in another
// currency than the account's.
func (b *usageBatch) findKeys(ctx context.Context, tx *sqlx.Tx) error {
	wanted := map[string]graph.UUID{}
	for _, r := range b.rows {
		wanted[r.in.Key] = graph.UUID{}
	}
	keys := newArray(oidText, len(wanted), len(publicKey)+64)
	for key := range wanted {
		keys.text(key)
	}
	var found []struct {
		Currency string
		Key      string
		KeyID    graph.UUID
	}
	err := tx.SelectContext(ctx, &found, `
		SELECT a.currency, k.key, k.key_id
		FROM accounts a
		JOIN api_keys k ON k.account_id = a.account_id AND k.key = ANY($2::text[])
		WHERE a.account_id = $1`, b.account, keys)
	for _, f := range found {
		wanted[f.Key] = f.KeyID
	}
	b.keep(func(r *usageRow) bool {
		r.key = wanted[r.in.Key]
		if r.key.IsZero() {
			b.refuse(r, graph.UnknownUsageKey())
			return false
		}
		if why := r.in.CheckCurrency(found[0].Currency); why != nil {
			b.refuse(r, why)
			return false
		}
		return true
	})
	return err
}

// decide goes through the rows in their order: it sets those aside that stand in the place of an earlier one, and finds out what the
// corrections among them correct.
func (b *usageBatch) decide(c *corrections) (repeats []*usageRow) {
	first := make(map[usagePlace]bool, len(b.rows))
	b.keep(func(r *usageRow) bool {
		place := r.place()
		if first[place] {
			repeats = append(repeats, r)
			return false
		}
		if why := c.pass(r, place); why != nil {
			b.refuse(r, why)
			return false
		}
		first[place] = true
		return true
	})
	return repeats
}

// explainMissing tells of the rows that were not added, and of those that stand in the place of another one, whether they are there
// already or are contradicted by what is there.
func (b *usageBatch) explainMissing(ctx context.Context, tx *sqlx.Tx, added map[graph.UUID]bool, repeats []*usageRow) error {
	there := make(map[usagePlace]*usageKept, len(repeats))
	var missing []*usageRow
	for _, r := range b.rows {
		switch {
		case !added[r.id]:
			missing = append(missing, r)
		case len(repeats) > 0:
			there[r.place()] = r.kept()
		}
	}
	if err := addStored(ctx, tx, b.account, missing, there); err != nil {
		return err
	}
	for _, r := range append(missing, repeats...) {
		stored := there[r.place()]
		switch {
		case stored == nil, r.sure:
			return errAgain // somebody added it since it was looked for
		case stored.same(r.kept()):
			b.Duplicates++
		default:
			b.refuse(r, graph.UsageContradicted())
		}
	}
	return nil
}
