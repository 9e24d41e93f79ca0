package db

import (
	"context"

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
