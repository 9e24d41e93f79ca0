package db

import (
	"context"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// AccessMatrix reads which visible keys, without deleted ones, are enabled for which additional users: all keys of the account, or
// those in and below a unit. No keys for a unit that is hidden or missing.
func (db *DB) AccessMatrix(ctx context.Context, v *graph.Viewer, account graph.UUID, unit *graph.ID) (*graph.AccessMatrix, error) {
	if !v.Enters(account) {
		account = graph.UUID{}
	}
	var keys []graph.UUID
	err := db.pool.SelectContext(ctx, &keys, `
		SELECT k.key_id
		FROM api_keys k
		WHERE k.account_id = $1 AND k.deleted_at IS NULL AND `+keyVisible(v, "k.key_id")+` AND `+inUnit("$4")+`
		ORDER BY k.key_id`, about(v, account, objectOf(unit, account, graph.KindUnit))...)
	if err != nil {
		return nil, fault("read keys of the matrix", err)
	}
	m, err := matrixOf(ctx, db.pool, v, account, nil, keys)
	return m, fault("read access matrix", err)
}

// inUnit is the condition that a key k is in the unit or below it, when it is not null.
func inUnit(unit string) string {
	return `(` + unit + `::uuid IS NULL OR EXISTS (
		SELECT FROM unit_paths p
		WHERE p.account_id = $1 AND p.above_id = ` + unit + ` AND p.unit_id = k.unit_id))`
}

// matrixOf reads the matrix of users, nil for all additional ones, in the order of their creation, and of keys in the order of the
// list. Hidden users are left out, hidden keys are enabled for nobody.
func matrixOf(ctx context.Context, q sqlx.QueryerContext, v *graph.Viewer, account graph.UUID, users, keys []graph.UUID) (*graph.AccessMatrix, error) {
	var only *string
	if users != nil {
		list := uuidArray(users)
		only = &list
	}
	var rows []struct {
		UserID  graph.UUID
		Enabled graph.Bits
	}
	err := sqlx.SelectContext(ctx, q, &rows, `
		WITH listed AS MATERIALIZED (
			SELECT o.key_id, o.n - 1 AS n
			FROM unnest($5::uuid[]) WITH ORDINALITY AS o (key_id, n)
			WHERE `+keyVisible(v, "o.key_id")+`)
		SELECT u.user_id, (SELECT array_agg(listed.n) FROM listed WHERE listed.key_id IN (`+enabledKeys("u.user_id")+`)) AS enabled
		FROM users u
		WHERE u.account_id = $1 AND `+grantVisible(v)+` AND ($4::uuid[] IS NULL OR u.user_id = ANY($4))
		ORDER BY u.user_id`, about(v, account, only, uuidArray(keys))...)
	m := &graph.AccessMatrix{UserIds: make([]graph.ID, len(rows)), KeyIds: make([]graph.ID, len(keys)), Enabled: make([]graph.Bits, len(rows))}
	for i, row := range rows {
		m.UserIds[i] = graph.ID{Kind: graph.KindUser, Account: account, Object: row.UserID}
		m.Enabled[i] = row.Enabled
	}
	for i, key := range keys {
		m.KeyIds[i] = graph.ID{Kind: graph.KindKey, Account: account, Object: key}
	}
	return m, err
}
