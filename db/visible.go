package db

import "grantwood/graph"

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
// follows their rules and not the keys of the account.
func enabledKeys(user string) string {
	set := `
		SELECT g.key_id FROM grants g
		WHERE g.account_id = $1 AND g.user_id = ` + user + ` AND ` + grantHolds
	// NOT IN looks into a table in memory, whatever PostgreSQL believes about how many grants there are. NOT EXISTS would compare
	// each key with each grant of a user for whom many were just set.
	return set + ` AND g.enabled
		UNION ALL` + inheritedKeys(user, ` AND k.key_id NOT IN (`+set+`)`, ` AND NOT EXISTS (`+set+` AND g.key_id = k.key_id)`)
}

// inheritedKeys are the keys that units and the default enable for the user, each under a further condition on the keys k.
func inheritedKeys(user, ofUnits, ofDefault string) string {
	return `
		SELECT k.key_id FROM (` + ruledUnits(user) + `) n
		JOIN api_keys k ON k.account_id = $1 AND k.unit_id = n.unit_id
		WHERE n.enabled` + ofUnits + `
		UNION ALL
		SELECT k.key_id FROM api_keys k
		WHERE k.account_id = $1 AND k.is_master` + ofDefault
}

// ruledUnits are the units that a rule for the user reaches, each with what the nearest of them says.
func ruledUnits(user string) string {
	return `
		SELECT DISTINCT ON (p.unit_id) p.unit_id, r.enabled
		FROM unit_grants r
		JOIN unit_paths p ON p.account_id = $1 AND p.above_id = r.unit_id
		WHERE r.account_id = $1 AND r.user_id = ` + user + `
		ORDER BY p.unit_id, p.distance`
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

// unitVisible is the condition on a column that holds a unit of the account $1; see graph.Viewer.SeesUnit.
func unitVisible(v *graph.Viewer, column string) string {
	if v.SeesEveryKey() {
		return everything
	}
	seen := `
		SELECT p.above_id FROM api_keys k
		JOIN unit_paths p ON p.account_id = $1 AND p.unit_id = k.unit_id
		WHERE k.account_id = $1 AND ` + keyVisible(v, "k.key_id")
	if !v.SeesEmptyUnits() {
		return `((` + column + ` IN (` + seen + `)) IS TRUE AND ` + everything + `)`
	}
	// No unit at or above it holds keys, and none that is visible. Units that are gone are hidden.
	return `((` + column + ` IN (
		SELECT u.unit_id FROM units u
		WHERE u.account_id = $1 AND NOT EXISTS (
			SELECT FROM unit_paths up
			WHERE up.account_id = $1 AND up.unit_id = u.unit_id AND up.above_id NOT IN (` + seen + `)
				AND EXISTS (
					SELECT FROM unit_paths down
					JOIN api_keys held ON held.account_id = $1 AND held.unit_id = down.unit_id
					WHERE down.account_id = $1 AND down.above_id = up.above_id)))) IS TRUE AND ` + everything + `)`
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

// grantVisible is the condition on users u whose grants for visible keys and units v sees. The primary user has no grants.
func grantVisible(v *graph.Viewer) string {
	switch {
	case v.SeesGrantsOfOthers():
		return `(NOT u.is_primary AND ` + everything + `)`
	case v.Kind == graph.KindOfUser:
		return `(NOT u.is_primary AND u.user_id = $2 AND ` + everything + `)`
	}
	return nothing
}
