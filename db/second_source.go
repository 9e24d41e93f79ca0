package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"grantwood/graph"
)

// The second source beside the predicates of SQL: what was set is read, and the domain decides. It is remembered under the
// versions that every change of a rule or of the tree raises.

const (
	visibleSets = 1000 // how many users' and tokens' sets of visible keys are remembered
	trees       = 1000 // how many accounts' trees are; sets hold on to them as well, so that fewer would save little
)

// ruleKey names what a user, or a token of theirs, saw at a version of the rules about the user and of the tree.
type ruleKey struct {
	account, who graph.UUID
	version      int64
	tree         int64
	ofPrimary    bool
}

type treeKey struct {
	account graph.UUID
	version int64
}

// treeOf gives the tree of an account at the version that a carries.
func (db *DB) treeOf(ctx context.Context, a *graph.Account) (*graph.Tree, error) {
	key := treeKey{a.AccountID, a.TreeVersion}
	if t, ok := db.trees.Get(key); ok {
		return t, nil
	}
	parent, err := db.unitPairs(ctx, `SELECT unit_id AS one, parent_id AS other FROM units WHERE account_id = $1`, a.AccountID)
	if err != nil {
		return nil, err
	}
	unitOf, err := db.unitPairs(ctx, `SELECT key_id AS one, unit_id AS other FROM api_keys WHERE account_id = $1 AND unit_id IS NOT NULL`, a.AccountID)
	if err != nil {
		return nil, err
	}
	t := graph.NewTree(parent, unitOf)
	db.trees.Add(key, t)
	return t, nil
}

func (db *DB) unitPairs(ctx context.Context, statement string, account graph.UUID) (map[graph.UUID]graph.UUID, error) {
	var rows []struct {
		One   graph.UUID
		Other *graph.UUID
	}
	if err := db.pool.SelectContext(ctx, &rows, statement, account); err != nil {
		return nil, fault("read the tree of an account", err)
	}
	pairs := make(map[graph.UUID]graph.UUID, len(rows))
	for _, row := range rows {
		var other graph.UUID
		if row.Other != nil {
			other = *row.Other
		}
		pairs[row.One] = other
	}
	return pairs, nil
}

// keysOf gives the set of keys visible to an additional user at the versions that u and a carry. Nil for the primary user,
// who needs none.
func (db *DB) keysOf(ctx context.Context, u *graph.User, a *graph.Account) (*graph.KeySet, error) {
	if u.IsPrimary {
		return nil, nil
	}
	key := ruleKey{account: u.AccountID, who: u.UserID, version: u.RulesVersion, tree: a.TreeVersion}
	if set, ok := db.visible.Get(key); ok {
		return set, nil
	}
	tree, err := db.treeOf(ctx, a)
	if err != nil {
		return nil, err
	}
	rules, err := db.rulesOf(ctx, u.AccountID, u.UserID)
	if err != nil {
		return nil, fault("read what is enabled for a user", err)
	}
	set := graph.NewKeySet(tree, rules[u.UserID])
	db.visible.Add(key, set)
	return set, nil
}

// rulesOf reads what was set for users of one account.
func (db *DB) rulesOf(ctx context.Context, account graph.UUID, users ...graph.UUID) (map[graph.UUID]graph.Rules, error) {
	of := make(map[graph.UUID]graph.Rules, len(users))
	for _, u := range users {
		of[u] = graph.Rules{Keys: map[graph.UUID]graph.Rule{}, Units: map[graph.UUID]bool{}}
	}
	var rows []struct {
		UserID    *graph.UUID
		KeyID     *graph.UUID
		UnitID    *graph.UUID
		Enabled   *bool
		ExpiresAt *time.Time
	}
	err := db.pool.SelectContext(ctx, &rows, `
		SELECT g.user_id, g.key_id, NULL::uuid AS unit_id, g.enabled, g.expires_at FROM grants g
		WHERE g.account_id = $1 AND g.user_id = ANY($2)
		UNION ALL
		SELECT r.user_id, NULL, r.unit_id, r.enabled, NULL FROM unit_grants r
		WHERE r.account_id = $1 AND r.user_id = ANY($2)
		UNION ALL
		SELECT NULL, m.key_id, NULL, NULL, NULL FROM api_keys m
		WHERE m.account_id = $1 AND m.is_master`, account, uuidArray(users))
	for _, row := range rows {
		switch {
		case row.UnitID != nil:
			of[*row.UserID].Units[*row.UnitID] = *row.Enabled
		case row.Enabled != nil:
			of[*row.UserID].Keys[*row.KeyID] = graph.Rule{Enabled: *row.Enabled, ExpiresAt: row.ExpiresAt}
		default:
			for u, r := range of {
				r.Master = *row.KeyID
				of[u] = r
			}
		}
	}
	return of, err
}

// keysOfToken gives the set of keys visible to a token: its list, as far as its creator sees it. The list never changes, so
// that the versions that keysOf goes by tell when the set may.
func (db *DB) keysOfToken(ctx context.Context, v *graph.Viewer) (*graph.KeySet, error) {
	creator, t := v.Creator, v.AccessToken
	key := ruleKey{account: t.AccountID, who: t.TokenID, version: creator.RulesVersion, tree: v.Account.TreeVersion, ofPrimary: creator.IsPrimary}
	if set, ok := db.visible.Get(key); ok {
		return set, nil
	}
	var listed []graph.UUID
	err := db.pool.SelectContext(ctx, &listed, `
		SELECT key_id FROM access_token_keys
		WHERE account_id = $1 AND token_id = $2`, t.AccountID, t.TokenID)
	if err != nil {
		return nil, fault("read keys of an access token", err)
	}
	tree, err := db.treeOf(ctx, v.Account)
	if err != nil {
		return nil, err
	}
	set := graph.ListedKeys(tree, listed)
	if !creator.IsPrimary {
		rules, err := db.keysOf(ctx, creator, v.Account)
		if err != nil {
			return nil, err
		}
		set = rules.Only(listed)
	}
	db.visible.Add(key, set)
	return set, nil
}

// Refresh reads again what the viewer sees when the rules about it, or the tree, have changed since it was authenticated,
// and reports whether they had.
func (db *DB) Refresh(ctx context.Context, v *graph.Viewer) (*graph.Viewer, bool, error) {
	switch {
	case v.Kind == graph.KindOfToken:
		return db.refreshToken(ctx, v)
	case v.Kind == graph.KindOfKey:
		return db.refreshKey(ctx, v)
	case v.Kind != graph.KindOfUser || v.IsPrimary():
		return v, false, nil
	}
	var row struct {
		User    graph.User
		Account graph.Account
	}
	err := db.pool.GetContext(ctx, &row, `
		SELECT `+userColumns.as("u", "user")+`, `+accountColumns.as("a", "account")+`
		FROM users u
		JOIN accounts a ON a.account_id = u.account_id
		WHERE u.account_id = $1 AND u.user_id = $2`, v.AccountID(), v.UserID())
	if errors.Is(err, sql.ErrNoRows) {
		return &graph.Viewer{Request: v.Request}, true, nil
	}
	if err != nil {
		return nil, false, fault("refresh viewer", err)
	}
	if row.User.RulesVersion == v.User.RulesVersion && row.Account.TreeVersion == v.Account.TreeVersion {
		return v, false, nil
	}
	fresh, err := db.userViewer(ctx, &row.User, &row.Account, v.SessionID, v.Request)
	return fresh, true, err
}

// refreshKey reads the tree again when it has changed since v, a key, was authenticated.
func (db *DB) refreshKey(ctx context.Context, v *graph.Viewer) (*graph.Viewer, bool, error) {
	fresh := graph.Account{}
	err := db.pool.GetContext(ctx, &fresh, `
		SELECT `+accountColumns.of("a")+`
		FROM accounts a
		WHERE a.account_id = $1`, v.AccountID())
	if err != nil {
		return nil, false, fault("refresh key", err)
	}
	if fresh.TreeVersion == v.Account.TreeVersion {
		return v, false, nil
	}
	f, err := db.keyViewer(ctx, v.ApiKey, &fresh, v.Request)
	return f, true, err
}

// keyViewer gives the viewer behind a key.
func (db *DB) keyViewer(ctx context.Context, k *graph.ApiKey, a *graph.Account, r graph.Request) (*graph.Viewer, error) {
	tree, err := db.treeOf(ctx, a)
	if err != nil {
		return nil, err
	}
	return &graph.Viewer{Kind: graph.KindOfKey, ApiKey: k, Account: a, Keys: graph.ListedKeys(tree, []graph.UUID{k.KeyID}), Request: r}, nil
}
