package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

const operatorColumns = `o.operator_id, o.label, o.scopes, o.created_at, o.revoked_at`

// CreateOperator makes an operator and gives the token, which is kept as a hash only. For the command line, whose caller
// holds the database.
func (db *DB) CreateOperator(ctx context.Context, label string, scopes graph.ScopeList) (*graph.Operator, string, error) {
	o := &graph.Operator{OperatorID: newID(), Label: label, Scopes: scopes, CreatedAt: time.Now().UTC().Truncate(time.Microsecond)}
	t := newToken(operatorToken, graph.UUID{}, o.OperatorID)
	_, err := db.pool.ExecContext(ctx, `
		INSERT INTO operators (operator_id, label, scopes, secret_hash, created_at)
		VALUES ($1, $2, $3, $4, $5)`, o.OperatorID, o.Label, o.Scopes, t.hash(), o.CreatedAt)
	return o, t.String(), fault("create operator", err)
}

// Operators lists all operators, the oldest first.
func (db *DB) Operators(ctx context.Context) ([]*graph.Operator, error) {
	var list []*graph.Operator
	err := db.pool.SelectContext(ctx, &list, `
		SELECT `+operatorColumns+`
		FROM operators o
		ORDER BY o.operator_id`)
	return list, fault("list operators", err)
}

// RevokeOperators ends the tokens of all operators with the label, at their next request, and says how many it ended.
func (db *DB) RevokeOperators(ctx context.Context, label string) (int, error) {
	result, err := db.pool.ExecContext(ctx, `
		UPDATE operators SET revoked_at = $2
		WHERE label = $1 AND revoked_at IS NULL`, label, time.Now().UTC())
	if err != nil {
		return 0, fault("revoke operator", err)
	}
	rows, err := result.RowsAffected()
	return int(rows), fault("revoke operator", err)
}

// operatorRights is an operator with the hash of the token.
type operatorRights struct {
	graph.Operator
	SecretHash []byte
}

func (db *DB) operatorViewer(ctx context.Context, t token, r graph.Request) (*graph.Viewer, error) {
	row, err := db.operators.read(ctx, t.row, r.At, func(ctx context.Context, _ time.Time) (*operatorRights, error) {
		var row operatorRights
		err := db.pool.GetContext(ctx, &row, `
			SELECT `+operatorColumns+`, o.secret_hash
			FROM operators o
			WHERE o.operator_id = $1 AND o.revoked_at IS NULL`, t.row)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		return &row, err
	})
	if err != nil {
		return nil, fault("authenticate operator", err)
	}
	if row == nil || !t.opens(row.SecretHash) {
		return &graph.Viewer{Request: r}, nil
	}
	operator := row.Operator
	return &graph.Viewer{Kind: graph.KindOperator, Operator: &operator, Request: r}, nil
}

// insertMembership notes that a person has entered an account.
func insertMembership(ctx context.Context, tx *sqlx.Tx, u *graph.User, at time.Time) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO memberships (person_id, account_id, user_id, last_entered_at)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (person_id, account_id) DO UPDATE SET user_id = excluded.user_id, last_entered_at = excluded.last_entered_at`,
		u.PersonID, u.AccountID, u.UserID, at)
	return err
}
