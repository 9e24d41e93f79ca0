package db

import (
	"bytes"
	"cmp"
	"context"
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// Sums of records, by quarter of an hour and by day (UTC). What a batch changes in them is added up here, and is added to what is
// stored by the statement that inserts the records.

const (
	quarter = 15 * time.Minute
	day     = 24 * time.Hour
)

// usageCell is what a sum is of; without a country when it is of a day.
type usageCell struct {
	key              graph.UUID
	start            int64 // microseconds since 1970
	product, country string
}

func (c *usageCell) compare(o *usageCell) int {
	return cmp.Or(bytes.Compare(c.key[:], o.key[:]), cmp.Compare(c.start, o.start), cmp.Compare(c.product, o.product), cmp.Compare(c.country, o.country))
}

// usageSum is a sum of successful, or of failed, records.
type usageSum struct {
	records, quantity int64
	cost              costSum
}

// zero reports whether the sum changes nothing, as that of a record that another one of its batch corrects.
func (s *usageSum) zero() bool { return s.records == 0 && s.quantity == 0 && s.cost.zero() }

// costSum is a sum of costs: 64 bits are enough for nearly all of them, but not for ninety of the largest.
type costSum struct {
	low  int64
	rest *big.Int // what low has no room for; nil when there is none
}

func (s *costSum) add(n int64) {
	sum := s.low + n
	if (sum > s.low) == (n > 0) || n == 0 {
		s.low = sum
		return
	}
	if s.rest == nil {
		s.rest = new(big.Int)
	}
	s.rest.Add(s.rest, big.NewInt(s.low))
	s.low = n
}

func (s *costSum) zero() bool {
	return s.low == 0 && s.rest == nil || s.rest != nil && s.whole().Sign() == 0
}

func (s *costSum) whole() *big.Int { return new(big.Int).Add(s.rest, big.NewInt(s.low)) }

// appendTo appends the digits.
func (s *costSum) appendTo(b []byte) []byte {
	if s.rest == nil {
		return strconv.AppendInt(b, s.low, 10)
	}
	return s.whole().Append(b, 10)
}

// usageCellSums are the sums of a cell: of the successful records, then of the failed ones.
type usageCellSums struct {
	usageCell
	both [2]usageSum
}

// usageCells are cells with their sums.
type usageCells struct {
	list  []usageCellSums
	index map[usageCell]int32
}

func newUsageCells(n int) *usageCells {
	return &usageCells{list: make([]usageCellSums, 0, n), index: make(map[usageCell]int32, n)}
}

// of gives the sums of a cell, until those of another one are asked for.
func (c *usageCells) of(cell usageCell) *[2]usageSum {
	i, ok := c.index[cell]
	if !ok {
		i = int32(len(c.list))
		c.index[cell] = i
		c.list = append(c.list, usageCellSums{usageCell: cell})
	}
	return &c.list[i].both
}

// changed gives those where something changes, in the order of the primary keys, so that neighbours are written after each other.
func (c *usageCells) changed() []*usageCellSums {
	order := make([]*usageCellSums, 0, len(c.list))
	for i := range c.list {
		if s := &c.list[i]; !s.both[0].zero() || !s.both[1].zero() {
			order = append(order, s)
		}
	}
	slices.SortFunc(order, func(a, b *usageCellSums) int { return a.compare(&b.usageCell) })
	return order
}

// usageSums are the changes of the sums of one account.
type usageSums struct{ quarters, days *usageCells }

// newUsageSums makes sums for about so many records.
func newUsageSums(records int) *usageSums {
	return &usageSums{newUsageCells(records), newUsageCells(records / 4)}
}

// usageTerm is what a record adds to sums.
type usageTerm struct {
	key              graph.UUID
	at               time.Time
	product, country string
	succeeded        bool
	quantity, cost   int64
}

// add adds a stored record so many times.
func (s *usageSums) add(k *usageKept, times int64) {
	s.addTerm(usageTerm{k.KeyID, k.OccurredAt, k.Product, k.Country, k.Succeeded, k.Quantity, k.Cost}, times)
}

// addRow adds a new record.
func (s *usageSums) addRow(r *usageRow) {
	s.addTerm(usageTerm{r.key, r.at, r.in.Product, r.in.Country, r.in.Status == graph.UsageSucceeded, r.in.Quantity, r.cost}, 1)
}

func (s *usageSums) addTerm(t usageTerm, times int64) {
	micros, outcome := t.at.UnixMicro(), 0
	if !t.succeeded {
		outcome = 1
	}
	for _, both := range [...]*[2]usageSum{
		s.quarters.of(usageCell{t.key, micros - mod(micros, quarter), t.product, t.country}),
		s.days.of(usageCell{t.key, micros - mod(micros, day), t.product, ""}),
	} {
		sum := &both[outcome]
		sum.records += times
		sum.quantity += times * t.quantity
		sum.cost.add(times * t.cost)
	}
}

// mod gives how long after the last multiple of d an instant is. Days of the calendar (UTC) are multiples of 24 hours since 1970.
func mod(micros int64, d time.Duration) int64 {
	n := d.Microseconds()
	return (micros%n + n) % n
}

// sums gives sums as parameters, an array for each column: key, start, product, country, then the sums.
func (a *arrays) sums(order []*usageCellSums) []any {
	n := len(order)
	keys, starts := a.new(oidUUID, n, 16), a.new(oidTimestamptz, n, 8)
	products, countries := a.new(oidText, n, 8), a.new(oidText, n, 2)
	args := []any{keys, starts, products, countries}
	var records, quantities, costs [2]*array
	for i := range 2 {
		records[i], quantities[i], costs[i] = a.new(oidInt8, n, 8), a.new(oidInt8, n, 8), a.new(oidText, n, 10)
		args = append(args, records[i], quantities[i], costs[i])
	}
	for _, s := range order {
		keys.uuid(s.key)
		starts.timestamp(time.UnixMicro(s.start))
		products.text(s.product)
		countries.text(s.country)
		for i := range s.both {
			records[i].int8(s.both[i].records)
			quantities[i].int8(s.both[i].quantity)
			costs[i].digits(&s.both[i].cost)
		}
	}
	return args
}

const (
	sumNames = `records, quantity, cost, failed_records, failed_quantity, failed_cost`
	// sumsAdded adds what is new to the sums s that are there.
	sumsAdded = `records = s.records + excluded.records, quantity = s.quantity + excluded.quantity, cost = s.cost + excluded.cost,
		failed_records = s.failed_records + excluded.failed_records, failed_quantity = s.failed_quantity + excluded.failed_quantity,
		failed_cost = s.failed_cost + excluded.failed_cost`
	sumsSent = `c.records, c.quantity, c.cost::numeric, c.failed_records, c.failed_quantity, c.failed_cost::numeric`

	// Starts of the quarter of an hour and of the day (UTC) in which a record r happened.
	quarterOf = `date_bin('15 minutes', r.occurred_at, '2000-01-01 00:00:00+00')`
	dayOf     = `date_bin('1 day', r.occurred_at, '2000-01-01 00:00:00+00')`
)

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
