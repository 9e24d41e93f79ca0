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
	var answer createdAccount
	create := func(tx *sqlx.Tx) error {
		a := graph.Account{AccountID: newID(), Name: in.Name, Status: graph.Active, Currency: in.Currency, CreatedAt: v.Request.At}
		err := tx.GetContext(ctx, &a, `
			INSERT INTO accounts (account_id, name, currency, created_at)
			VALUES ($1, $2, $3, $4)
			RETURNING max_users, max_api_keys, max_unit_depth, tree_version`, a.AccountID, a.Name, a.Currency, a.CreatedAt)
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
		answer = createdAccount{a.AccountID, sentInvitation{made.Invitation.Invitation.InvitationID, made.Invitation.Token}}
		return db.mailInvitation(ctx, tx, v, &a, made.Invitation)
	}
	var repeated bool
	err := db.transact(ctx, "create account", func(tx *sqlx.Tx) (err error) {
		repeated, err = once(ctx, tx, v, call{"createAccount", in.IdempotencyKey, in}, &answer, func() error { return create(tx) })
		return err
	})
	if err != nil || !repeated {
		return made, err
	}
	return db.accountAgain(ctx, v, answer)
}

// Accounts reads a page of all accounts by name, for operators with SUPPORT: the one list that no account bounds.
func (db *DB) Accounts(ctx context.Context, v *graph.Viewer, w graph.Window, search *string, ask Ask) (*graph.AccountConnection, error) {
	reads := `false`
	if v.HasScope(graph.ScopeSupport) {
		reads = `true`
	}
	page, err := readPage(ctx, db, listing{
		columns: accountColumns.of("a") + `, lower(a.name) COLLATE "C" AS sort_name`,
		from:    `accounts a WHERE ` + reads + ` AND ($1::text IS NULL OR lower(a.name) LIKE lower($1))`,
		name:    `(lower(a.name) COLLATE "C")`,
		id:      "a.account_id",
		args:    []any{pattern(search)},
	}, w, ask, func(a *graph.Account) graph.Cursor { return graph.Cursor{ID: a.AccountID, Name: a.SortName} })
	return &graph.AccountConnection{Page: page}, fault("list accounts", err)
}

// ownedBy is the condition on rows with the alias that belong to the accounts $1, for operators, who see every user and
// key of them; nothing for others. It uses $2 and $3 like every condition.
func ownedBy(v *graph.Viewer, alias string) string {
	if !v.HasScope(graph.ScopeSupport) {
		return nothing + ` AND $1::uuid[] IS NOT NULL`
	}
	return alias + `.account_id = ANY($1::uuid[]) AND ` + everything
}

// PrimaryUsersOf reads the owners of accounts for an operator, by account.
func (db *DB) PrimaryUsersOf(ctx context.Context, v *graph.Viewer, accounts []graph.UUID) (map[graph.UUID]*graph.User, error) {
	var users []*graph.User
	err := db.pool.SelectContext(ctx, &users, `
		SELECT `+userColumns.of("u")+`
		FROM users u
		WHERE u.is_primary AND `+ownedBy(v, "u"), uuidArray(accounts), v.Self(), v.Request.At)
	owners := make(map[graph.UUID]*graph.User, len(users))
	for _, u := range users {
		owners[u.AccountID] = u
	}
	return owners, fault("read primary users", err)
}

// MasterKeysOf reads the master keys of accounts for an operator, by account.
func (db *DB) MasterKeysOf(ctx context.Context, v *graph.Viewer, accounts []graph.UUID) (map[graph.UUID]*graph.ApiKey, error) {
	var keys []*graph.ApiKey
	err := db.pool.SelectContext(ctx, &keys, `
		SELECT `+keyColumns.of("k")+`
		FROM api_keys k
		WHERE k.is_master AND `+ownedBy(v, "k"), uuidArray(accounts), v.Self(), v.Request.At)
	masters := make(map[graph.UUID]*graph.ApiKey, len(keys))
	for _, k := range keys {
		masters[k.AccountID] = k
	}
	return masters, fault("read master keys", err)
}

// UpdateAccount suspends or reactivates an account, changes its limits, or gives it another owner; what is so already is not
// changed again. For operators with ADMIN, as the schema says. NotFound for the account and the user, and what
// graph.User.MayBecomePrimary refuses.
func (db *DB) UpdateAccount(ctx context.Context, v *graph.Viewer, in graph.UpdateAccountInput) (*graph.Account, error) {
	account := graph.UUID{}
	if in.AccountID.Kind == graph.KindAccount {
		account = in.AccountID.Account
	}
	var a *graph.Account
	err := db.transact(ctx, "update account", func(tx *sqlx.Tx) error {
		former, next, err := usersForHandover(ctx, tx, account, in.PrimaryUserID) // users before accounts, like every change
		if err != nil {
			return err
		}
		a, err = lockAccount(ctx, tx, account)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return graph.Missing("input.accountId")
		case err != nil:
			return err
		case in.PrimaryUserID != nil && next == nil:
			return graph.Missing("input.primaryUserId")
		}
		if err := applyToAccount(ctx, tx, v, a, in); err != nil || next == nil || next.IsPrimary {
			return err
		}
		if err := next.MayBecomePrimary(); err != nil {
			return err
		}
		if err := handOver(ctx, tx, v, former, next, graph.Capabilities(graph.ViewUsage)); err != nil || former == nil {
			return err
		}
		return db.mailHandedOver(ctx, tx, v.Request, a, &graph.User{Email: former.Email}, next) // by the provider, not by them
	})
	if violates(err, "users_one_primary") { // the owner handed over meanwhile
		return db.UpdateAccount(ctx, v, in)
	}
	return a, err
}

func applyToAccount(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, a *graph.Account, in graph.UpdateAccountInput) error {
	changed := in.Apply(a)
	if len(changed) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, `
		UPDATE accounts SET status = $2, max_users = $3, max_api_keys = $4, max_unit_depth = $5
		WHERE account_id = $1`, a.AccountID, a.Status, a.MaxUsers, a.MaxApiKeys, a.MaxUnitDepth)
	if err != nil {
		return err
	}
	return audit(ctx, tx, v, a.AccountID, event{Action: graph.AccountChanged, Summary: "Changed the account " + a.Name + ".", Changes: changed})
}

// usersForHandover reads the present owner of the account and the user who is to own it, and keeps them from changing until
// the transaction ends. Nil for who is not there, and when nobody is named.
func usersForHandover(ctx context.Context, tx *sqlx.Tx, account graph.UUID, user *graph.ID) (former, next *graph.User, err error) {
	if user == nil {
		return nil, nil, nil
	}
	id := user.In(account, graph.KindUser)
	var users []*graph.User
	err = tx.SelectContext(ctx, &users, `
		SELECT `+userColumns.of("u")+`
		FROM users u
		WHERE u.account_id = $1 AND (u.user_id = $2 OR u.is_primary)
		ORDER BY u.user_id
		FOR NO KEY UPDATE`, account, id)
	for _, u := range users {
		if u.UserID == id {
			next = u
		}
		if u.IsPrimary {
			former = u
		}
	}
	return former, next, err
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
