package db

import (
	"sync/atomic"
	"time"

	"grantwood/graph"
)

// UsageTally is what this process did with usage records since it started. Repeated ones were there already.
type UsageTally struct {
	Accepted, Repeated, Refused int64
	Batches                     int64
	Took                        time.Duration
}

// usageTally counts for UsageTally.
type usageTally struct{ accepted, repeated, refused, batches, took atomic.Int64 }

func (t *usageTally) add(done graph.Ingested, took time.Duration) {
	t.accepted.Add(int64(done.Accepted))
	t.repeated.Add(int64(done.Duplicates))
	t.refused.Add(int64(len(done.Refused)))
	t.batches.Add(1)
	t.took.Add(int64(took))
}

// UsageTally says what was done with usage records.
func (db *DB) UsageTally() UsageTally {
	t := &db.tally
	return UsageTally{Accepted: t.accepted.Load(), Repeated: t.repeated.Load(), Refused: t.refused.Load(), Batches: t.batches.Load(),
		Took: time.Duration(t.took.Load())}
}
