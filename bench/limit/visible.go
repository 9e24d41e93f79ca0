package limit

// VisibleKeys are the keys that are enabled for the user $2 of the account $1: set for them, else by the nearest unit with a rule, else
// the master key.
const VisibleKeys = `
	SELECT g.key_id FROM grants g
	WHERE g.account_id = $1 AND g.user_id = $2 AND (g.expires_at IS NULL OR g.expires_at > now()) AND g.enabled
	UNION ALL
	SELECT k.key_id FROM (
		SELECT DISTINCT ON (p.unit_id) p.unit_id, r.enabled
		FROM unit_grants r
		JOIN unit_paths p ON p.account_id = $1 AND p.above_id = r.unit_id
		WHERE r.account_id = $1 AND r.user_id = $2
		ORDER BY p.unit_id, p.distance) n
	JOIN api_keys k ON k.account_id = $1 AND k.unit_id = n.unit_id
	WHERE n.enabled AND k.key_id NOT IN (` + decided + `)
	UNION ALL
	SELECT k.key_id FROM api_keys k
	WHERE k.account_id = $1 AND k.is_master AND k.key_id NOT IN (` + decided + `)`

const decided = `
		SELECT g.key_id FROM grants g
		WHERE g.account_id = $1 AND g.user_id = $2 AND (g.expires_at IS NULL OR g.expires_at > now())`

// Visible is the condition that a key is visible to the user $2. The primary user sees every key.
func Visible(column string, primary bool) string {
	if primary {
		return `$2::uuid IS NOT NULL`
	}
	return `(` + column + ` IN (` + VisibleKeys + `)) IS TRUE`
}

// Effective is whether a key is enabled for a user and what decides, of the rules that RulesOfPairs finds.
const Effective = `coalesce(g.enabled, n.enabled, k.is_master),
			CASE WHEN g.enabled IS NOT NULL THEN 'EXPLICIT' WHEN n.enabled IS NOT NULL THEN 'UNIT' ELSE 'DEFAULT' END`

// RulesOfPairs joins users o, all of them in $2, and keys k of the account $1 with what decides about each pair: g, what was set for it, else n, what
// the nearest unit with a rule says, else the default. OFFSET 0 keeps PostgreSQL from reading all grants of each user.
const RulesOfPairs = `LEFT JOIN LATERAL (
			SELECT g.enabled FROM grants g
			WHERE g.account_id = $1 AND g.user_id = o.user_id AND g.key_id = k.key_id AND (g.expires_at IS NULL OR g.expires_at > now())
			OFFSET 0) g ON true
		LEFT JOIN (
			SELECT DISTINCT ON (r.user_id, p.unit_id) r.user_id, p.unit_id, r.enabled
			FROM unit_grants r
			JOIN unit_paths p ON p.account_id = $1 AND p.above_id = r.unit_id
			WHERE r.account_id = $1 AND r.user_id = ANY($2::uuid[])
			ORDER BY r.user_id, p.unit_id, p.distance) n ON n.user_id = o.user_id AND n.unit_id = k.unit_id`
