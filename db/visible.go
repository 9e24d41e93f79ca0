package db

import (
	"context"
	"time"

	"grantwood/graph"
)

// Statements about keys have three parameters in common: $1 the account, $2 the viewer's user, access token or key, $3 the
// time of the request. about gives them.
func about(v *graph.Viewer, account graph.UUID, more ...any) []any {
	return append([]any{account, v.Self(), v.Request.At}, more...)
}

// Every condition uses $2 and $3, so that PostgreSQL knows their types whatever the viewer.
const (
	everything = `($2::uuid IS NOT NULL AND $3::timestamptz IS NOT NULL)`
	nothing    = `($2::uuid IS NULL OR $3::timestamptz IS NULL)`

	// grantHolds limits grants g to those that decide: an expired one does not.
	grantHolds = `(g.expires_at IS NULL OR g.expires_at > $3)`

	// listedKeys are the keys that the access token $2 is limited to, and creator is the user who created it.
	listedKeys = `
		SELECT tk.key_id FROM access_token_keys tk
		WHERE tk.account_id = $1 AND tk.token_id = $2`
	creator = `(SELECT t.created_by FROM access_tokens t WHERE t.account_id = $1 AND t.token_id = $2)`
)

// enabledKeys are the keys that are enabled for the user, written outward from what was set for them, so that the cost
// follows their grants and not the keys of the account.
func enabledKeys(user string) string {
	return `
		SELECT g.key_id FROM grants g
		WHERE g.account_id = $1 AND g.user_id = ` + user + ` AND g.enabled AND ` + grantHolds + `
		UNION ALL
		SELECT m.key_id FROM api_keys m
		WHERE m.account_id = $1 AND m.is_master AND NOT EXISTS (
			SELECT FROM grants g
			WHERE g.account_id = $1 AND g.user_id = ` + user + ` AND g.key_id = m.key_id AND ` + grantHolds + `)`
}

// keyVisible is the one predicate for visible keys: a condition on a column that holds a key of the account $1. Rows,
// counts, pages and targets of changes all use it.
func keyVisible(v *graph.Viewer, column string) string {
	switch {
	case v.SeesEveryKey():
		return everything
	case v.Kind == graph.KindOfUser:
		// IS TRUE keeps PostgreSQL from turning the condition into a join, which would cost a page its ordered index.
		return `((` + column + ` IN (` + enabledKeys("$2") + `)) IS TRUE AND ` + everything + `)`
	case v.Kind == graph.KindOfToken && v.Creator.IsPrimary:
		return `((` + column + ` IN (` + listedKeys + `)) IS TRUE AND ` + everything + `)`
	case v.Kind == graph.KindOfToken:
		return `((` + column + ` IN (` + listedKeys + `)) IS TRUE AND (` + column + ` IN (` + enabledKeys(creator) + `)) IS TRUE AND ` + everything + `)`
	case v.Kind == graph.KindOfKey:
		return `(` + column + ` = $2 AND ` + everything + `)`
	}
	return nothing
}

// userVisible is the condition on users u of the account $1.
func userVisible(v *graph.Viewer) string {
	switch {
	case v.SeesAllUsers():
		return everything
	case v.Kind == graph.KindOfUser:
		return `((u.is_primary OR u.user_id = $2) AND ` + everything + `)`
	}
	return nothing
}

// grantVisible is the condition on users u whose grants for visible keys v sees. The primary user has no grants.
func grantVisible(v *graph.Viewer) string {
	switch {
	case v.SeesGrantsOfOthers():
		return `(NOT u.is_primary AND ` + everything + `)`
	case v.Kind == graph.KindOfUser:
		return `(NOT u.is_primary AND u.user_id = $2 AND ` + everything + `)`
	}
	return nothing
}

// visibleSets is how many users' and tokens' sets of visible keys are remembered.
const visibleSets = 1000

// ruleKey names what a user, or a token of theirs, saw at a version of the rules about the user.
type ruleKey struct {
	account, who graph.UUID
	version      int64
	ofPrimary    bool
}

// keysOf gives the set of keys visible to an additional user at the version of the rules that u carries. It is the
// second source beside keyVisible: it reads what was set and lets the domain decide. Nil for others, who need no set.
func (db *DB) keysOf(ctx context.Context, u *graph.User, r graph.Request) (graph.KeySet, error) {
	if u.IsPrimary {
		return nil, nil
	}
	key := ruleKey{account: u.AccountID, who: u.UserID, version: u.RulesVersion}
	if set, ok := db.visible.Get(key); ok {
		return set, nil
	}
	var rows []struct {
		KeyID     graph.UUID
		IsMaster  bool
		Enabled   *bool
		ExpiresAt *time.Time
	}
	err := db.pool.SelectContext(ctx, &rows, `
		SELECT k.key_id, k.is_master, g.enabled, g.expires_at
		FROM api_keys k
		LEFT JOIN grants g ON g.account_id = $1 AND g.user_id = $2 AND g.key_id = k.key_id
		WHERE k.account_id = $1 AND (k.is_master OR g.user_id IS NOT NULL)`, u.AccountID, u.UserID)
	if err != nil {
		return nil, fault("read what is enabled for a user", err)
	}
	set := graph.KeySet{}
	for _, row := range rows {
		rule := graph.KeyRule{IsMaster: row.IsMaster}
		if row.Enabled != nil {
			rule.Explicit = &graph.Rule{Enabled: *row.Enabled, ExpiresAt: row.ExpiresAt}
		}
		set[row.KeyID] = rule
	}
	db.visible.Add(key, set)
	return set, nil
}
