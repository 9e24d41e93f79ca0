package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// retries is how often a transaction is run again that lost against another one.
const retries = 5

// transact runs do in a transaction, again when PostgreSQL chose it as the victim of a deadlock or conflict. An error
// rolls back.
func (db *DB) transact(ctx context.Context, doing string, do func(tx *sqlx.Tx) error) error {
	for attempt := 0; ; attempt++ {
		err := db.once(ctx, do)
		if attempt == retries || !retriable(err) {
			return fault(doing, err)
		}
		select {
		case <-ctx.Done():
			return fault(doing, ctx.Err())
		case <-time.After(time.Duration(rand.IntN(10<<attempt)) * time.Millisecond):
		}
	}
}

func (db *DB) once(ctx context.Context, do func(tx *sqlx.Tx) error) (err error) {
	tx, err := db.pool.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // the error that matters is err
		}
	}()
	defer touched.Delete(tx)
	if err = do(tx); err != nil {
		return err
	}
	if err = tx.Commit(); err != nil {
		return err
	}
	if accounts, ok := touched.Load(tx); ok {
		db.live.changed(*accounts.(*[]graph.UUID)...)
	}
	return nil
}

// changeAs runs a change that v, a user or an access token, makes in its account. Inside the transaction v is read again and
// kept from changing, so that nobody acts on rights that they lose at the same moment: Unauthenticated when v was disabled
// or revoked meanwhile, Forbidden when it lost the capability, AccountSuspended.
func (db *DB) changeAs(ctx context.Context, v *graph.Viewer, c graph.Capability, lock ownRow, doing string,
	do func(tx *sqlx.Tx, v *graph.Viewer) error) error {
	return db.transact(ctx, doing, func(tx *sqlx.Tx) error {
		now, err := allowedNow(ctx, tx, v, c, lock)
		if err != nil {
			return err
		}
		return do(tx, now)
	})
}

// anyCapability is for changes that a user may make whatever they hold, because of what the target is to them.
const anyCapability graph.Capability = ""

// allowedNow gives v as it is now, with the capability.
func allowedNow(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, c graph.Capability, lock ownRow) (*graph.Viewer, error) {
	now, err := viewerNow(ctx, tx, v, lock)
	if err != nil {
		return nil, err
	}
	if c != anyCapability && !now.May(c) {
		return nil, &graph.Error{Code: graph.Forbidden, Message: "This needs the capability " + string(c) + "."}
	}
	return now, now.MayChange()
}

// ownRow says how a change locks the row of the user who makes it, or whose token does.
type ownRow string

const (
	// stays: others may make changes as the same user at the same time.
	stays ownRow = "FOR SHARE OF "
	// changes: the change writes the row. Two that share it first and write it then would wait for each other.
	changes ownRow = "FOR NO KEY UPDATE OF "
)

func viewerNow(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, lock ownRow) (*graph.Viewer, error) {
	if v.Kind == graph.KindOfToken {
		row, err := tokenNow(ctx, tx, v.AccountID(), v.AccessToken.TokenID, v.Request.At, string(lock)+"c, t")
		if err != nil || row == nil {
			return nil, cmp.Or(err, signedOut())
		}
		now := row.viewer(v.Request)
		now.Keys = v.Keys
		return now, nil
	}
	var row struct {
		User    graph.User
		Account graph.Account
	}
	err := tx.GetContext(ctx, &row, `
		SELECT `+userColumns.as("u", "user")+`, `+accountColumns.as("a", "account")+`
		FROM users u
		JOIN accounts a ON a.account_id = u.account_id
		WHERE u.account_id = $1 AND u.user_id = $2 AND u.status = 'ACTIVE'
		`+string(lock)+"u", v.AccountID(), v.UserID())
	if errors.Is(err, sql.ErrNoRows) {
		return nil, signedOut()
	}
	if err != nil {
		return nil, err
	}
	return &graph.Viewer{Kind: v.Kind, User: &row.User, Account: &row.Account, SessionID: v.SessionID, Keys: v.Keys,
		Request: v.Request}, nil
}

func signedOut() error {
	return &graph.Error{Code: graph.Unauthenticated, Message: "Sign in first: the session has ended."}
}

// raiseRules marks that what the user may do or see has changed, so that nothing remembered about it is used again.
func raiseRules(ctx context.Context, tx *sqlx.Tx, account, user graph.UUID) error {
	touch(tx, account)
	_, err := tx.ExecContext(ctx, `
		UPDATE users SET rules_version = rules_version + 1
		WHERE account_id = $1 AND user_id = $2`, account, user)
	return err
}

// newID makes a version 7 UUID: ids made later sort later.
func newID() graph.UUID { return graph.UUID(uuid.Must(uuid.NewV7())) }
