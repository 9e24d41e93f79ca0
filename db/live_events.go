package db

import (
	"context"
	"slices"
	"sync"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// A change writes what subscribers are to be told of into live_events, in its own transaction: the outbox. An event about grants says
// which effective grants changed, as they were found before and after the change, and names the pairs as users and keys: all of these
// keys became the same for all of these users. So a rule for a unit with a thousand keys below it is a row, and a block of a million
// grants is a row for each user.

// touched holds the accounts of which transactions that run wrote what subscribers may want to know, by transaction: those who follow
// are woken once it has committed.
var touched sync.Map // *sqlx.Tx → *[]graph.UUID

// touch lets those who follow the account look again when the transaction has committed: at new events, and at what they may see.
func touch(tx *sqlx.Tx, account graph.UUID) {
	known, _ := touched.LoadOrStore(tx, new([]graph.UUID))
	if list := known.(*[]graph.UUID); !slices.Contains(*list, account) {
		*list = append(*list, account)
	}
}

// liveEvent begins a statement that inserts events of the account $1.
const liveEvent = `INSERT INTO live_events (account_id, event_id, at, kind, user_ids, key_ids, enabled) `

// liveID makes ids of several rows, apart from each other by a text, out of a random one that is a parameter.
func liveID(parameter, text string) string {
	return `md5(` + parameter + `::text || ` + text + `)::uuid`
}

// tellGrants tells that keys became enabled or disabled for a user.
func tellGrants(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, user graph.UUID, keys []graph.UUID, enabled bool) error {
	if len(keys) == 0 {
		return nil
	}
	account := v.AccountID()
	touch(tx, account)
	_, err := tx.ExecContext(ctx, liveEvent+`
		VALUES ($1, $2, $3, 'GRANT', ARRAY[$4::uuid], $5::uuid[], $6)`, account, newID(), v.Request.At, user, uuidArray(keys), enabled)
	return err
}

// grantSet raises the version of the user's rules and tells it when setting a grant changed the effective one. What holds before and
// after it is null where nothing does, so that units or the default decide.
func grantSet(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, k *graph.ApiKey, user graph.UUID, before *graph.Rule, in graph.SetGrantInput) error {
	var held *bool
	if before.Holds(v.Request.At) {
		held = &before.Enabled
	}
	touch(tx, k.AccountID)
	_, err := tx.ExecContext(ctx, `
		WITH raised AS (
			UPDATE users SET rules_version = rules_version + 1
			WHERE account_id = $1 AND user_id = $2
		), inherited AS (
			SELECT coalesce((
				SELECT r.enabled
				FROM unit_paths p
				JOIN unit_grants r ON r.account_id = $1 AND r.user_id = $2 AND r.unit_id = p.above_id
				WHERE p.account_id = $1 AND p.unit_id = k.unit_id
				ORDER BY p.distance
				LIMIT 1), k.is_master) AS enabled
			FROM api_keys k
			WHERE k.account_id = $1 AND k.key_id = $3
		)
		`+liveEvent+`
		SELECT $1::uuid, $4::uuid, $5::timestamptz, 'GRANT', ARRAY[$2::uuid], ARRAY[$3::uuid], coalesce($7::boolean, i.enabled)
		FROM inherited i
		WHERE coalesce($6::boolean, i.enabled) <> coalesce($7::boolean, i.enabled)`,
		k.AccountID, user, k.KeyID, newID(), v.Request.At, held, in.State.Enables())
	if err != nil || in.ExpiresAt == nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO live_events (account_id, event_id, at, due_at, kind, user_ids, key_ids)
		VALUES ($1, $2, $3, $4, 'GRANT_END', ARRAY[$5::uuid], ARRAY[$6::uuid])`, k.AccountID, newID(), v.Request.At, in.ExpiresAt, user, k.KeyID)
	return err
}

// tellCells are parts of a WITH clause that tell what changing cells changed. They read it from changed; the parameter is a random id.
func tellCells(parameter string) string {
	return `effective AS (
			SELECT c.user_id, c.key_id, coalesce(c.enabled, n.enabled, k.is_master) AS enabled,
				coalesce(CASE WHEN c.expires_before IS NULL OR c.expires_before > $3 THEN c.enabled_before END, n.enabled, k.is_master) AS before
			FROM changed c
			JOIN api_keys k ON k.account_id = $1 AND k.key_id = c.key_id
			LEFT JOIN (
				SELECT DISTINCT ON (r.user_id, p.unit_id) r.user_id, p.unit_id, r.enabled
				FROM unit_grants r
				JOIN unit_paths p ON p.account_id = $1 AND p.above_id = r.unit_id
				WHERE r.account_id = $1 AND r.user_id IN (SELECT user_id FROM changed)
				ORDER BY r.user_id, p.unit_id, p.distance) n ON n.user_id = c.user_id AND n.unit_id = k.unit_id
		), told AS (
			` + liveEvent + `
			SELECT $1::uuid, ` + liveID(parameter, `user_id::text || enabled::text`) + `, $3::timestamptz, 'GRANT', ARRAY[user_id], array_agg(key_id), enabled
			FROM effective
			WHERE enabled <> before
			GROUP BY user_id, enabled
		), ends AS (
			INSERT INTO live_events (account_id, event_id, at, due_at, kind, user_ids, key_ids)
			SELECT $1::uuid, ` + liveID(parameter, `user_id::text || expires_at::text`) + `, $3::timestamptz, expires_at, 'GRANT_END', ARRAY[user_id], array_agg(key_id)
			FROM changed
			WHERE expires_at IS NOT NULL
			GROUP BY user_id, expires_at
		)`
}

// tellMove tells which effective grants moving a key changed, before it is moved.
func tellMove(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, k *graph.ApiKey, to *graph.UUID) error {
	touch(tx, k.AccountID)
	_, err := tx.ExecContext(ctx, `
		WITH before AS (`+nearestRules("$4::uuid")+`), after AS (`+nearestRules("$5::uuid")+`)
		`+liveEvent+`
		SELECT $1::uuid, `+liveID("$6", "coalesce(after.enabled, false)::text")+`, $3::timestamptz, 'GRANT', array_agg(u.user_id), ARRAY[$2::uuid],
			coalesce(after.enabled, false)
		FROM before
		FULL JOIN after ON after.user_id = before.user_id
		JOIN users u ON u.account_id = $1 AND u.user_id = coalesce(before.user_id, after.user_id) AND NOT u.is_primary
		WHERE coalesce(before.enabled, false) <> coalesce(after.enabled, false)
			AND NOT EXISTS (
				SELECT FROM grants g
				WHERE g.account_id = $1 AND g.user_id = u.user_id AND g.key_id = $2 AND `+grantHolds+`)
		GROUP BY coalesce(after.enabled, false)`, k.AccountID, k.KeyID, v.Request.At, k.UnitID, to, newID())
	return err
}

// tellNewKey tells the users whose rules enable a new key that it is there.
func tellNewKey(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, k *graph.ApiKey) error {
	touch(tx, k.AccountID)
	_, err := tx.ExecContext(ctx, liveEvent+`
		SELECT $1::uuid, $2::uuid, $3::timestamptz, 'GRANT', array_agg(n.user_id), ARRAY[$4::uuid], true
		FROM (`+nearestRules("$5::uuid")+`) n
		JOIN users u ON u.account_id = $1 AND u.user_id = n.user_id AND NOT u.is_primary
		WHERE n.enabled
		HAVING count(*) > 0`, k.AccountID, newID(), v.Request.At, k.KeyID, k.UnitID)
	return err
}

// tellEnabled tells which keys are enabled for a user who has just joined.
func tellEnabled(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, u *graph.User) error {
	touch(tx, u.AccountID)
	_, err := tx.ExecContext(ctx, liveEvent+`
		SELECT $1::uuid, $4::uuid, $3::timestamptz, 'GRANT', ARRAY[$2::uuid], array_agg(e.key_id), true
		FROM (`+enabledKeys("$2")+`) e
		HAVING count(*) > 0`, u.AccountID, u.UserID, v.Request.At, newID())
	return err
}

// tellOwner tells a user who became the owner, or was, of the keys that this gives or takes: all that are not enabled for them.
func tellOwner(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, u *graph.User) error {
	touch(tx, u.AccountID)
	_, err := tx.ExecContext(ctx, liveEvent+`
		SELECT $1::uuid, $4::uuid, $3::timestamptz, 'GRANT', ARRAY[$2::uuid], array_agg(k.key_id), $5::boolean
		FROM api_keys k
		WHERE k.account_id = $1 AND k.key_id NOT IN (`+enabledKeys("$2")+`)
		HAVING count(*) > 0`, u.AccountID, u.UserID, v.Request.At, newID(), u.IsPrimary)
	return err
}

// tellKey tells that a key is not what it was.
func tellKey(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, k *graph.ApiKey) error {
	touch(tx, k.AccountID)
	_, err := tx.ExecContext(ctx, liveEvent+`
		VALUES ($1, $2, $3, 'KEY', '{}', ARRAY[$4::uuid], $5)`, k.AccountID, newID(), v.Request.At, k.KeyID, k.Enabled)
	return err
}
