package db

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// lookups let requests that come with the same credentials at the same time share how these are looked up: a machine that asks a
// lot, and a page that asks for its parts at once. A request never gets what was read before it came: it waits for a look-up that
// has not begun, so that a change which somebody was told of holds for every request that comes after.
type lookups[K comparable, V any] struct {
	mu    sync.Mutex
	known map[K]*lookup[V]
}

// lookup is what goes on for one key.
type lookup[V any] struct {
	running int
	next    *sharedLookup[V] // begins when one of those that run has ended; nil when nobody waits
}

type sharedLookup[V any] struct {
	done  chan struct{}
	value V
	err   error
}

const (
	// lookupsAtOnce is how many look-ups of one key run at once; who comes then waits for the next.
	lookupsAtOnce = 2
	// lookupLimit is how long one may take that nobody's request limits.
	lookupLimit = 10 * time.Second
)

func newLookups[K comparable, V any]() *lookups[K, V] {
	return &lookups[K, V]{known: map[K]*lookup[V]{}}
}

// read gives what read gives, at the time of the request or later; several callers may get the same value, which they must not change.
func (l *lookups[K, V]) read(ctx context.Context, key K, at time.Time, read func(ctx context.Context, at time.Time) (V, error)) (V, error) {
	l.mu.Lock()
	k := l.known[key]
	if k == nil {
		k = &lookup[V]{}
		l.known[key] = k
	}
	if k.running < lookupsAtOnce {
		k.running++
		l.mu.Unlock()
		defer l.ended(key, k, read)
		return read(ctx, at)
	}
	if k.next == nil {
		k.next = &sharedLookup[V]{done: make(chan struct{})}
	}
	next := k.next
	l.mu.Unlock()
	select {
	case <-next.done:
		return next.value, next.err
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}

// ended begins the next look-up when one has ended.
func (l *lookups[K, V]) ended(key K, k *lookup[V], read func(ctx context.Context, at time.Time) (V, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := k.next
	if k.next = nil; next != nil {
		go l.share(key, k, next, read)
		return
	}
	if k.running--; k.running == 0 {
		delete(l.known, key)
	}
}

func (l *lookups[K, V]) share(key K, k *lookup[V], s *sharedLookup[V], read func(ctx context.Context, at time.Time) (V, error)) {
	defer l.ended(key, k, read)
	defer close(s.done)
	defer func() {
		if p := recover(); p != nil {
			s.err = fmt.Errorf("look up: panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), lookupLimit)
	defer cancel()
	s.value, s.err = read(ctx, time.Now().UTC().Truncate(time.Microsecond))
}
