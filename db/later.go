package db

import (
	"context"
	"time"
)

const (
	// laterAtOnce bounds how much is left for later at the same time; what comes then waits for its turn.
	laterAtOnce = 64
	// laterLimit is how long one such thing may take.
	laterLimit = 10 * time.Second
)

// later runs what the caller need not wait for, or must not be able to measure. What fails is logged.
func (db *DB) later(ctx context.Context, doing string, do func(ctx context.Context) error) {
	if err := db.afterwards.Acquire(ctx, 1); err != nil {
		db.log.WarnContext(ctx, "not done after the answer", "what", doing, "error", err)
		return
	}
	db.afterAnswer(ctx, doing, do)
}

// laterIfRoom is later for what may as well be left out when there is much to do.
func (db *DB) laterIfRoom(ctx context.Context, doing string, do func(ctx context.Context) error) {
	if db.afterwards.TryAcquire(1) {
		db.afterAnswer(ctx, doing, do)
	}
}

func (db *DB) afterAnswer(ctx context.Context, doing string, do func(ctx context.Context) error) {
	go func() {
		defer db.afterwards.Release(1)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), laterLimit)
		defer cancel()
		if err := do(ctx); err != nil {
			db.log.WarnContext(ctx, "failed after the answer", "what", doing, "error", err)
		}
	}()
}

// Settle waits until everything that was left for later is done: last uses of sessions, refused sign-ins in the trail.
func (db *DB) Settle(ctx context.Context) error {
	if err := db.afterwards.Acquire(ctx, laterAtOnce); err != nil {
		return fault("settle", err)
	}
	db.afterwards.Release(laterAtOnce)
	return nil
}
