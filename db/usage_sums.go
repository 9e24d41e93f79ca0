package db

import (
	"cmp"
	"context"
	"math/big"
	"slices"
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

func (c usageCell) compare(o usageCell) int {
	return cmp.Or(slices.Compare(c.key[:], o.key[:]), cmp.Compare(c.start, o.start), cmp.Compare(c.product, o.product), cmp.Compare(c.country, o.country))
}

// usageSum is a sum of successful, or of failed, records.
type usageSum struct {
	records, quantity int64
	cost              big.Int
}

// zero reports whether the sum changes nothing, as that of a record that another one of its batch corrects.
func (s *usageSum) zero() bool { return s.records == 0 && s.quantity == 0 && s.cost.Sign() == 0 }

// usageSums are the changes of the sums of one account; for each cell of the successful ones, then of the failed ones.
type usageSums struct {
	quarters, days map[usageCell]*[2]usageSum
	term           big.Int // one cost, so that none is made for each
}

func newUsageSums() *usageSums {
	return &usageSums{quarters: map[usageCell]*[2]usageSum{}, days: map[usageCell]*[2]usageSum{}}
}

// add adds a record so many times.
func (s *usageSums) add(k *usageKept, times int64) {
	micros := k.OccurredAt.UnixMicro()
	s.addTo(s.quarters, usageCell{k.KeyID, micros - mod(micros, quarter), k.Product, k.Country}, k, times)
	s.addTo(s.days, usageCell{k.KeyID, micros - mod(micros, day), k.Product, ""}, k, times)
}

// mod gives how long after the last multiple of d an instant is. Days of the calendar (UTC) are multiples of 24 hours since 1970.
func mod(micros int64, d time.Duration) int64 {
	n := d.Microseconds()
	return (micros%n + n) % n
}

func (s *usageSums) addTo(cells map[usageCell]*[2]usageSum, c usageCell, k *usageKept, times int64) {
	both := cells[c]
	if both == nil {
		both = new([2]usageSum)
		cells[c] = both
	}
	sum := &both[0]
	if !k.Succeeded {
		sum = &both[1]
	}
	sum.records += times
	sum.quantity += times * k.Quantity
	sum.cost.Add(&sum.cost, s.term.SetInt64(times*k.Cost))
}

// sumArrays gives sums as parameters, an array for each column: key, start, product, country, then the sums. They are in the order
// of the primary keys, so that neighbours are written after each other.
func sumArrays(cells map[usageCell]*[2]usageSum) []any {
	n := len(cells)
	order := make([]usageCell, 0, n)
	for c, both := range cells {
		if !both[0].zero() || !both[1].zero() {
			order = append(order, c)
		}
	}
	slices.SortFunc(order, usageCell.compare)
	keys, starts := newArray(oidUUID, n, 16), newArray(oidTimestamptz, n, 8)
	products, countries := newArray(oidText, n, 8), newArray(oidText, n, 2)
	args := []any{keys, starts, products, countries}
	var records, quantities, costs [2]*array
	for i := range 2 {
		records[i], quantities[i], costs[i] = newArray(oidInt8, n, 8), newArray(oidInt8, n, 8), newArray(oidText, n, 8)
		args = append(args, records[i], quantities[i], costs[i])
	}
	for _, c := range order {
		keys.uuid(c.key)
		starts.timestamp(time.UnixMicro(c.start))
		products.text(c.product)
		countries.text(c.country)
		for i, sum := range cells[c] {
			records[i].int8(sum.records)
			quantities[i].int8(sum.quantity)
			costs[i].text(sum.cost.String())
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
