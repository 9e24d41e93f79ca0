package db

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"grantwood/graph"
)

// usageWindow is usage that was gathered: what arrived of each key in some events that follow one another.
type usageWindow struct {
	rows      []windowRow
	sums      []*liveSum // in the order of the keys
	published time.Time
	prepared  *prepared
}

type windowRow struct {
	id       graph.UUID
	position int64
}

func (w *usageWindow) first() int64 { return w.rows[0].position }
func (w *usageWindow) last() int64  { return w.rows[len(w.rows)-1].position }

// newUsageWindow gathers rows, of them only the keys after one, when it is given.
func newUsageWindow(rows []*liveRow, after *graph.UUID) (*usageWindow, error) {
	w := &usageWindow{rows: make([]windowRow, len(rows))}
	byKey := map[graph.UUID]*liveSum{}
	for i, r := range rows {
		w.rows[i] = windowRow{r.EventID, r.Position}
		sums, err := r.sums()
		if err != nil {
			return nil, err
		}
		for _, s := range sums {
			s.first, s.last = i, i
			if known := byKey[s.key]; known != nil {
				known.add(s)
			} else if after == nil || cmp.Compare(string(s.key[:]), string(after[:])) > 0 {
				byKey[s.key] = s
			}
		}
	}
	w.sums = slices.SortedFunc(maps.Values(byKey), bySumKey)
	for _, s := range w.sums {
		s.trim()
	}
	return w, nil
}
