package db

import (
	"context"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// ForgetEvents removes events of the audit trail that happened before a time, and says how many. It works over the direct
// connection: the role that serves requests must not be able to. Account by account, so that no statement takes long or
// touches more than one machine; what it has removed when it fails stays removed.
func (db *DB) ForgetEvents(ctx context.Context, before time.Time) (forgotten int, err error) {
	pool, err := openPool(db.adminURL, 1)
	if err != nil {
		return 0, fault("forget events", err)
	}
	defer func() { err = errors.Join(err, fault("forget events", pool.Close())) }()
	var accounts []graph.UUID
	if err := pool.SelectContext(ctx, &accounts, `SELECT account_id FROM accounts`); err != nil {
		return 0, fault("forget events", err)
	}
	for _, account := range accounts {
		n, err := forgetEventsOf(ctx, pool, account, before)
		forgotten += n
		if err != nil {
			return forgotten, fault("forget events", err)
		}
	}
	return forgotten, nil
}

func forgetEventsOf(ctx context.Context, pool *sqlx.DB, account graph.UUID, before time.Time) (int, error) {
	result, err := pool.ExecContext(ctx, `
		DELETE FROM audit_events
		WHERE account_id = $1 AND occurred_at < $2`, account, before)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
