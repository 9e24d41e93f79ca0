package server

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// DefaultPatience is how long an operation waits at the gate when nothing is set.
const DefaultPatience = 2 * time.Second

// gate lets as many operations run at once as the database answers, first come, first served. It is smaller than the pool of connections: who
// is calling, and whether the server is ready, is asked beside it. database/sql hands a free
// connection to anybody who waits, so that some wait for ever. Where it is clear that an operation would wait longer than patience it is
// refused at once: better one who tries again than all who get slower.
type gate struct {
	patience time.Duration
	places   *semaphore.Weighted // serves in the order of arrival
	size     int64
	waiting  atomic.Int64
	running  atomic.Int64
	refused  atomic.Int64
	typical  atomic.Int64 // nanoseconds that an operation takes, the last ones weighing most
}

func newGate(size int, patience time.Duration) *gate {
	return &gate{patience: patience, places: semaphore.NewWeighted(int64(size)), size: int64(size)}
}

// enter waits for a place and gives what leaves it; or after what time to try again when there is none to be had soon.
func (g *gate) enter(ctx context.Context) (leave func(), retry time.Duration) {
	if !g.places.TryAcquire(1) && !g.queue(ctx) {
		g.refused.Add(1)
		return nil, g.patience
	}
	g.running.Add(1)
	start := time.Now()
	return func() {
		g.running.Add(-1)
		g.places.Release(1)
		g.learn(time.Since(start))
	}, 0
}

func (g *gate) queue(ctx context.Context) bool {
	defer g.waiting.Add(-1)
	if ahead := g.waiting.Add(1); time.Duration(ahead*g.typical.Load()/g.size) > g.patience {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, g.patience)
	defer cancel()
	return g.places.Acquire(ctx, 1) == nil
}

// learn moves the typical time by a sixteenth of the difference. A lost update among several at once does not matter.
func (g *gate) learn(took time.Duration) {
	typical := g.typical.Load()
	g.typical.Store(typical + (int64(took)-typical)/16)
}
