package db

import (
	"context"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// endSessions ends all sessions of a user but one, and says how many these were.
func endSessions(ctx context.Context, tx *sqlx.Tx, u *graph.User, but graph.UUID) (int, error) {
	result, err := tx.ExecContext(ctx, `
		DELETE FROM sessions
		WHERE account_id = $1 AND user_id = $2 AND session_id <> $3`, u.AccountID, u.UserID, but)
	if err != nil {
		return 0, err
	}
	ended, err := result.RowsAffected()
	return int(ended), err
}
