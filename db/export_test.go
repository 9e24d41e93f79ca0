package db

import (
	"context"

	"github.com/jmoiron/sqlx"
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
