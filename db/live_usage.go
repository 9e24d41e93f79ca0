package db

import (
	"bytes"
	"cmp"
	"maps"
	"math/big"
	"slices"

	"grantwood/graph"
)

// liveSum is what arrived of the usage of a key.
type liveSum struct {
	key                          graph.UUID
	records, succeeded, quantity int64
	cost                         big.Int
	newest                       []graph.UUID // records, at most graph.MaxLiveRecords; their identifiers begin with the time
	first, last                  int          // of the events that are gathered, those that first and last say something of the key
}

// add adds what arrived later.
func (s *liveSum) add(o *liveSum) {
	s.records += o.records
	s.succeeded += o.succeeded
	s.quantity += o.quantity
	s.cost.Add(&s.cost, &o.cost)
	s.newest = append(s.newest, o.newest...)
	s.last = o.last
}

// trim keeps the newest records, the newest first.
func (s *liveSum) trim() {
	slices.SortFunc(s.newest, func(a, b graph.UUID) int { return bytes.Compare(b[:], a[:]) })
	s.newest = slices.Clip(s.newest[:min(len(s.newest), graph.MaxLiveRecords)])
}

// news gives what rows of a batch tell, as parameters, an array for each column, in the order of the keys. Rows that another one
// of the batch corrects are left out.
func (a *arrays) news(rows []*usageRow) []any {
	sums := map[graph.UUID]*liveSum{}
	var term big.Int
	for _, r := range rows {
		if !r.replacedBy.IsZero() {
			continue
		}
		s := sums[r.key]
		if s == nil {
			s = &liveSum{key: r.key}
			sums[r.key] = s
		}
		s.records++
		if r.in.Status == graph.UsageSucceeded {
			s.succeeded++
		}
		s.quantity += r.in.Quantity
		s.cost.Add(&s.cost, term.SetInt64(r.cost))
		s.newest = append(s.newest, r.id)
	}
	n := len(sums)
	keys, records, succeeded, quantities := a.new(oidUUID, n, 16), a.new(oidInt8, n, 8), a.new(oidInt8, n, 8), a.new(oidInt8, n, 8)
	costs, named, ids := a.new(oidText, n, 12), a.new(oidInt8, n, 8), a.new(oidUUID, len(rows), 16)
	for _, s := range slices.SortedFunc(maps.Values(sums), bySumKey) {
		if len(s.newest) > graph.MaxLiveRecords {
			s.trim()
		}
		keys.uuid(s.key)
		records.int8(s.records)
		succeeded.int8(s.succeeded)
		quantities.int8(s.quantity)
		costs.text(s.cost.String())
		named.int8(int64(len(s.newest)))
		for _, id := range s.newest {
			ids.uuid(id)
		}
	}
	return []any{keys, records, succeeded, quantities, costs, named, ids}
}

func bySumKey(a, b *liveSum) int { return cmp.Compare(string(a.key[:]), string(b.key[:])) }
