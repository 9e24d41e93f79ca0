package db

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq/pqerror"

	"grantwood/graph"
)

// usageRow is a record on its way into the database.
type usageRow struct {
	index      int // in the batch
	in         *graph.UsageRecordInput
	named      *usageKey
	id, key    graph.UUID
	at         time.Time
	month      usageMonth
	cost       int64
	tags       graph.UsageTags
	replacedBy graph.UUID // a later record of the batch that corrects this one
}

// usageKey is a key that records name.
type usageKey struct {
	text    string
	account graph.UUID // zero when the text names none
	id      graph.UUID // zero until it is found
}

// usageMonth numbers the months (UTC) of the calendar.
type usageMonth int

func usageMonthOf(t time.Time) usageMonth {
	year, month, _ := t.UTC().Date()
	return usageMonth(year*12 + int(month))
}

// usagePlace is what a reference is unique in, beside the account: the month in which the record happened.
type usagePlace struct {
	month     usageMonth
	reference string
}

func (r *usageRow) place() usagePlace { return usagePlace{r.month, r.in.Reference} }

// usageBatch is what becomes of the records of one account.
type usageBatch struct {
	account graph.UUID
	keys    []*usageKey // that the rows name
	rows    []*usageRow
	// emptyFrom and emptyTo are microseconds since 1970 between which nothing is stored: the same when that is not known.
	emptyFrom, emptyTo int64
	sums               *usageSums // what the added records change; nil when there are none
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

var (
	// errRefused undoes a strict batch in which a record was refused.
	errRefused = errors.New("a record was refused")
	// errAgain asks for the transaction to be run again, with another look at what is there.
	errAgain = errors.New("look again")
)

// IngestUsage adds records of any accounts, at most graph.MaxUsageBatch, with their sums; what it says is accepted is durable. A
// record that is there already is counted as a duplicate and adds nothing, so that a batch can be sent again. A record that cannot
// be added is refused and does not keep the others from being added, unless strict: then nothing is added when anything is
// refused. Each account's records are added in a transaction of their own. For operators with INGEST: Forbidden for others.
func (db *DB) IngestUsage(ctx context.Context, v *graph.Viewer, records []*graph.UsageRecordInput, strict bool) (done graph.Ingested, err error) {
	scope := graph.ScopeIngest
	if err := v.Meets([]graph.PrincipalKind{graph.KindOperator}, nil, &scope); err != nil {
		return done, err
	}
	defer func(start time.Time) { db.tally.add(done, time.Since(start)) }(time.Now())
	products, err := db.productCodes(ctx)
	if err != nil {
		return done, err
	}
	rules := graph.UsageRules{Products: products, Now: v.Request.At, Oldest: db.oldestUsage(v.Request.At)}
	batches, refused := sortUsage(records, rules)
	done.Refused = append([]*graph.UsageRefusal{}, refused...)
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
	byAccount, byKey, all := map[graph.UUID]*usageBatch{}, map[string]*usageKey{}, make([]usageRow, len(records))
	for i, in := range records {
		why := rules.Check(in)
		key := byKey[in.Key]
		if why == nil && key == nil {
			key = &usageKey{text: in.Key, account: accountOfKey(in.Key)}
			byKey[in.Key] = key
		}
		if why == nil && key.account.IsZero() {
			why = graph.UnknownUsageKey()
		}
		if why != nil {
			why.Index = i
			refused = append(refused, why)
			continue
		}
		at := in.OccurredAt.UTC().Truncate(time.Microsecond)
		all[i] = usageRow{index: i, in: in, named: key, id: graph.UsageRecordID(key.account, at, in.Reference), at: at, month: usageMonthOf(at),
			cost: in.CostUnits(), tags: in.TagSet()}
		b := byAccount[key.account]
		if b == nil {
			b = &usageBatch{account: key.account}
			byAccount[key.account] = b
		}
		b.rows = append(b.rows, &all[i])
	}
	for _, key := range byKey {
		if b := byAccount[key.account]; b != nil {
			b.keys = append(b.keys, key)
		}
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
	if err := db.ingesting.Acquire(ctx, 1); err != nil {
		return err
	}
	defer db.ingesting.Release(1)
	var wary bool
	return db.transact(ctx, "add usage", func(tx *sqlx.Tx) error {
		refused := 0
		for _, b := range batches {
			once := &usageBatch{account: b.account, keys: b.keys, rows: slices.Clone(b.rows)}
			err := once.add(ctx, tx, v.Request.At, wary)
			if sqlState(err) == string(pqerror.UniqueViolation) {
				wary, err = true, errAgain
			}
			if err == nil {
				err = db.warn(ctx, tx, v, once)
			}
			if err != nil {
				return err
			}
			b.Ingested = once.Ingested
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

// add adds the records of one account. While it does nobody else adds any to that account, so that what is found stays true. Records
// that are there already are found by their identifiers, which is cheap; a reference that stands for another record in the same month
// breaks the unique index, and then wary looks for every reference.
func (b *usageBatch) add(ctx context.Context, tx *sqlx.Tx, recordedAt time.Time, wary bool) error {
	if err := lockUsage(ctx, tx, b.account); err != nil {
		return err
	}
	if err := b.findKeys(ctx, tx); err != nil || len(b.rows) == 0 {
		return err
	}
	known := newUsageKnown(len(b.rows))
	if err := known.readCorrected(ctx, tx, b); err != nil {
		return err
	}
	suspects := b.rows
	if !wary {
		var err error
		if suspects, err = b.repeated(ctx, tx); err != nil {
			return err
		}
	}
	if err := known.readPlaces(ctx, tx, b.account, suspects); err != nil {
		return err
	}
	sums := newUsageSums(len(b.rows))
	b.decide(known, sums)
	if len(b.rows) == 0 {
		return nil
	}
	b.Accepted, b.sums = len(b.rows), sums
	if err := b.insertUsage(ctx, tx, recordedAt); err != nil {
		return err
	}
	return known.markReplaced(ctx, tx, b.account)
}

// lockUsage keeps others from adding usage to the account, and from comparing its sums, until the transaction ends. The lock is
// taken on the machine that holds the account.
func lockUsage(ctx context.Context, tx *sqlx.Tx, account graph.UUID) error {
	var number int64
	for _, c := range account[8:] {
		number = number<<8 | int64(c)
	}
	_, err := tx.ExecContext(ctx, `
		SELECT pg_advisory_xact_lock($2) FROM accounts a
		WHERE a.account_id = $1`, account, number)
	return err
}

// findKeys finds the keys that the records name, whatever state they are in, and refuses what is about none and what is in another
// currency than the account's.
func (b *usageBatch) findKeys(ctx context.Context, tx *sqlx.Tx) error {
	keys := newArray(oidText, len(b.keys), len(publicKey)+64)
	for _, key := range b.keys {
		keys.text(key.text)
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
	ids := make(map[string]graph.UUID, len(found))
	for _, f := range found {
		ids[f.Key] = f.KeyID
	}
	for _, key := range b.keys {
		key.id = ids[key.text]
	}
	b.keep(func(r *usageRow) bool {
		r.key, r.replacedBy = r.named.id, graph.UUID{}
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

// decide goes through the rows in their order, keeps those that are new, and adds up what they change in the sums.
func (b *usageBatch) decide(known *usageKnown, sums *usageSums) {
	b.keep(func(r *usageRow) bool {
		place := r.place()
		if there, ok := known.places[place]; ok {
			if there.kept().same(r.kept()) {
				b.Duplicates++
			} else {
				b.refuse(r, graph.UsageContradicted())
			}
			return false
		}
		if r.in.Replaces != nil {
			replaced, why := known.correct(r)
			if why != nil {
				b.refuse(r, why)
				return false
			}
			sums.add(replaced, -1)
		}
		known.take(place, r)
		sums.addRow(r)
		return true
	})
}
