package db

import "context"

// BinaryParameters reports whether the pool sends parameters in binary form: only then are these four bytes a number.
func BinaryParameters(ctx context.Context, db *DB) bool {
	var n int
	err := db.pool.GetContext(ctx, &n, `SELECT $1::int4`, []byte{0, 0, 1, 7})
	return err == nil && n == 263
}

// UnknownPassword is the hash that unknown addresses are compared with.
const UnknownPassword = unknownPassword
