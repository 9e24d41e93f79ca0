package db

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// Account reads an account for an operator; nil when it is missing or v may not read it. Users have theirs at hand as
// v.Account.
func (db *DB) Account(ctx context.Context, v *graph.Viewer, account graph.UUID) (*graph.Account, error) {
	if !v.Enters(account) {
		return nil, nil
	}
	if v.AccountID() == account {
		return v.Account, nil
	}
	var a graph.Account
	err := db.pool.GetContext(ctx, &a, `
		SELECT `+accountColumns.of("a")+`
		FROM accounts a
		WHERE a.account_id = $1`, account)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &a, fault("read account", err)
}

// NewAccount is what CreateAccount made.
type NewAccount struct {
	Account    *graph.Account
	Invitation NewInvitation
}

// CreateAccount makes an account with its master key, which has no secret yet, and invites its primary user. For
// operators with ADMIN, as the schema says.
func (db *DB) CreateAccount(ctx context.Context, v *graph.Viewer, in graph.CreateAccountInput) (NewAccount, error) {
	var made NewAccount
	err := db.transact(ctx, "create account", func(tx *sqlx.Tx) error {
		a := graph.Account{AccountID: newID(), Name: in.Name, Status: graph.Active, Currency: in.Currency, CreatedAt: v.Request.At}
		err := tx.GetContext(ctx, &a, `
			INSERT INTO accounts (account_id, name, currency, created_at)
			VALUES ($1, $2, $3, $4)
			RETURNING max_users, max_api_keys`, a.AccountID, a.Name, a.Currency, a.CreatedAt)
		if err != nil {
			return err
		}
		err = audit(ctx, tx, v, a.AccountID, event{Action: graph.AccountCreated, Summary: "Created the account " + a.Name + "."})
		if err != nil {
			return err
		}
		if _, err := insertKey(ctx, tx, v, a.AccountID, newKey{Name: "Master key", Kind: graph.OtherKind, IsMaster: true}); err != nil {
			return err
		}
		made.Account = &a
		made.Invitation, err = insertInvitation(ctx, tx, v, a.AccountID, graph.Invitation{
			Email: graph.EmailKey(in.PrimaryEmail), ForPrimary: true}, DefaultValidDays)
		if err != nil {
			return err
		}
		return db.mailInvitation(ctx, tx, v, &a, made.Invitation)
	})
	return made, err
}

// lockAccount reads an account and keeps others from changing it or what it counts until the transaction ends.
func lockAccount(ctx context.Context, tx *sqlx.Tx, account graph.UUID) (*graph.Account, error) {
	var a graph.Account
	err := tx.GetContext(ctx, &a, `
		SELECT `+accountColumns.of("a")+`
		FROM accounts a
		WHERE a.account_id = $1
		FOR NO KEY UPDATE`, account)
	return &a, err
}
