package db

import (
	"context"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// BinaryParameters reports whether the pool sends parameters in binary form: only then are these four bytes a number.
func BinaryParameters(ctx context.Context, db *DB) bool {
	var n int
	err := db.pool.GetContext(ctx, &n, `SELECT $1::int4`, []byte{0, 0, 1, 7})
	return err == nil && n == 263
}

// UnknownPassword is the hash that unknown addresses are compared with.
const UnknownPassword = unknownPassword

// Pool gives the connections, for what no function of the package says.
func Pool(db *DB) *sqlx.DB { return db.pool }

// RotatesAs runs what needs ROTATE_SECRETS, as a user or an access token, and notes it in the audit trail.
func RotatesAs(ctx context.Context, db *DB, v *graph.Viewer) error {
	return db.changeAs(ctx, v, graph.RotateSecrets, stays, "test", func(tx *sqlx.Tx, v *graph.Viewer) error {
		return audit(ctx, tx, v, v.AccountID(), event{Action: graph.KeyWasEnabled, Summary: "Done."})
	})
}

// Notices queues one mail of each kind that tells of a change in which no link is made.
func Notices(ctx context.Context, db *DB, r graph.Request, a *graph.Account, former, next *graph.User, link string, expiresAt time.Time) error {
	return db.transact(ctx, "notify", func(tx *sqlx.Tx) error {
		return errors.Join(
			db.mailPasswordReset(ctx, tx, r, former.Email, link, expiresAt),
			db.mailPasswordChanged(ctx, tx, r, former.Email),
			db.mailHandedOver(ctx, tx, r, a, former, next))
	})
}

// UsagePage gives the statement that reads a page of usage, and its parameters.
func UsagePage(v *graph.Viewer, account graph.UUID, w graph.Window, f graph.UsageFilter) (string, []any) {
	return usageList(v, account, f).rows(w)
}
