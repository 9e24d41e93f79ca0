package db

import (
	"context"

	"grantwood/graph"
)

// A change of a grant to which nothing stands in the way is one statement: asking one thing after the other takes ten round trips.
// It does less than graph.Viewer.MaySetGrant permits and refuses nothing. Where it finds anything else it writes nothing, and the change
// is made or refused step by step, so that every rule and every error has one home. It is made at once when
//
//   - the viewer's row says, as it is now, that the user is active, owns the account or manages grants, and has the version of rules
//     that the viewer was read with; the account is active; the key is visible and not deleted;
//   - the row of the other user, as it is now, has the version of rules that the statement saw when it began. All parts of a statement
//     see what was there then, even when it comes upon a row that has changed since. Whoever sets anything for a user raises the
//     version and holds the row until that is done; without looking at it, of two first changes each would note that nothing was set;
//   - neither row is held by somebody else. Waiting would make what was seen old;
//   - what was set before, if anything, does not end by itself.

// plainChange is what a change made at once gives.
type plainChange struct {
	graph.Grant
	Changes bool // whether it was not so already
}

// setPlainGrant sets a grant in one statement; nil, and nothing is changed, when it is no plain case.
func (db *DB) setPlainGrant(ctx context.Context, v *graph.Viewer, in graph.SetGrantInput) (*graph.Grant, error) {
	// Nothing but the input can be wrong with an additional user and a key that is there.
	if v.Kind != graph.KindOfUser || v.MaySetGrant(&graph.User{}, &graph.ApiKey{}, in) != nil {
		return nil, nil
	}
	args, err := plainArgs(v, in)
	if err != nil {
		return nil, err
	}
	var made []*plainChange
	if err := db.pool.SelectContext(ctx, &made, plainStatements[plainShape{v.IsPrimary(), in.State == graph.GrantInherit, in.ExpiresAt != nil}], args...); err != nil {
		if retriable(err) || sqlState(err) != "" && sqlState(err)[:2] == "23" {
			return nil, nil // somebody else was faster, and what that means shows step by step
		}
		return nil, fault("set grant", err)
	}
	if len(made) == 0 {
		return nil, nil
	}
	if made[0].Changes {
		db.live.changed(v.AccountID())
	}
	return &made[0].Grant, nil
}

// plainArgs are the parameters of plainStatement.
func plainArgs(v *graph.Viewer, in graph.SetGrantInput) ([]any, error) {
	account := v.AccountID()
	args := about(v, account, in.UserID.In(account, graph.KindUser), in.KeyID.In(account, graph.KindKey), in.State.Enables(), in.ExpiresAt,
		v.User.RulesVersion, newID(), newID(), addressOf(v), v.Request.ID)
	action, begin, end := grantSentence(in.State)
	args = append(args, action, begin, end)
	for _, before := range [][]*graph.Rule{nil, {{Enabled: true}}, {{Enabled: false}}} {
		changes, err := changesText(grantChanges(before, in))
		if err != nil {
			return nil, err
		}
		args = append(args, changes)
	}
	if in.ExpiresAt != nil {
		args = append(args, newID())
	}
	return args, nil
}

// plainActing is the viewer, locked, as far as it may change grants.
func plainActing(v *graph.Viewer) string {
	allowed := `NOT me.is_primary AND '` + string(graph.ManageGrants) + `' = ANY(me.granted)`
	if v.IsPrimary() {
		allowed = `me.is_primary`
	}
	return `
		SELECT me.display_name
		FROM users me
		WHERE me.account_id = $1 AND me.user_id = $2 AND me.status = 'ACTIVE' AND me.rules_version = $8 AND ` + allowed + `
			AND EXISTS (SELECT FROM accounts a WHERE a.account_id = $1 AND a.status = 'ACTIVE')
		FOR SHARE OF me SKIP LOCKED`
}

// plainTarget is the user $4, locked, with the key $5, and whether $6 until $7 differs from what is set. That the parts hang together by
// parameters alone, and not by columns, spares PostgreSQL two thirds of the planning.
func plainTarget(v *graph.Viewer) string {
	return `
		SELECT ` + userColumns.as("u", "user") + `, ` + keyColumns.as("k", "key") + `, b.enabled AS before, b.updated_at, b.updated_by,
			coalesce(n.enabled, k.is_master) AS inherited, n.unit_id,
			b.enabled IS DISTINCT FROM $6::boolean OR $7::timestamptz IS NOT NULL AS changes
		FROM users u
		JOIN api_keys k ON k.account_id = $1 AND k.key_id = $5 AND k.deleted_at IS NULL
		LEFT JOIN grants b ON b.account_id = $1 AND b.user_id = $4 AND b.key_id = $5
		LEFT JOIN LATERAL (
			SELECT r.enabled, r.unit_id
			FROM unit_paths p
			JOIN unit_grants r ON r.account_id = $1 AND r.user_id = $4 AND r.unit_id = p.above_id
			WHERE p.account_id = $1 AND p.unit_id = k.unit_id
			ORDER BY p.distance
			LIMIT 1) n ON true
		WHERE EXISTS (SELECT FROM acting) AND u.account_id = $1 AND u.user_id = $4 AND u.user_id <> $2 AND NOT u.is_primary
			AND u.rules_version = (SELECT seen.rules_version FROM users seen WHERE seen.account_id = $1 AND seen.user_id = $4)
			AND b.expires_at IS NULL AND ` + keyVisible(v, "k.key_id") + `
		FOR NO KEY UPDATE OF u SKIP LOCKED`
}

const (
	plainSet = `
		INSERT INTO grants (account_id, user_id, key_id, enabled, expires_at, updated_at, updated_by)
		SELECT $1::uuid, $4::uuid, $5::uuid, $6::boolean, $7::timestamptz, $3::timestamptz, $2::uuid
		FROM target t
		WHERE t.changes
		ON CONFLICT (account_id, user_id, key_id) DO UPDATE
		SET enabled = excluded.enabled, expires_at = excluded.expires_at, updated_at = excluded.updated_at, updated_by = excluded.updated_by`
	plainReset = `
		DELETE FROM grants
		WHERE account_id = $1 AND user_id = $4 AND key_id = $5 AND EXISTS (SELECT FROM target t WHERE t.changes)`
	plainEnd = `, ends AS (
		INSERT INTO live_events (account_id, event_id, at, due_at, kind, user_ids, key_ids)
		SELECT $1::uuid, $19::uuid, $3::timestamptz, $7::timestamptz, 'GRANT_END', ARRAY[$4::uuid], ARRAY[$5::uuid]
		FROM target t
		WHERE t.changes)`
)

// plainShape is what the text of a statement depends on.
type plainShape struct{ byOwner, resets, ends bool }

// plainStatements are made once: joining the parts anew took a twentieth of what the server does for a change.
var plainStatements = func() map[plainShape]string {
	made := map[plainShape]string{}
	for _, byOwner := range []bool{false, true} {
		for _, kind := range []plainShape{{}, {resets: true}, {ends: true}} {
			kind.byOwner = byOwner
			made[kind] = plainStatement(kind)
		}
	}
	return made
}()

// plainStatement writes what setting a grant step by step writes, if target finds that it may.
func plainStatement(shape plainShape) string {
	v := &graph.Viewer{Kind: graph.KindOfUser, User: &graph.User{IsPrimary: shape.byOwner}}
	write, end := plainSet, ""
	if shape.resets {
		write = plainReset
	}
	if shape.ends {
		end = plainEnd
	}
	return `
	WITH acting AS MATERIALIZED (` + plainActing(v) + `
	), target AS MATERIALIZED (` + plainTarget(v) + `
	), written AS (` + write + `
	), raised AS (
		UPDATE users SET rules_version = rules_version + 1
		WHERE account_id = $1 AND user_id = $4 AND EXISTS (SELECT FROM target t WHERE t.changes)
	), noted AS (
		INSERT INTO audit_events (account_id, event_id, action, occurred_at, actor_user, actor_label, user_id, key_id, summary, changes,
			ip_address, request_id)
		SELECT $1::uuid, $9::uuid, $13::text, $3::timestamptz, $2::uuid, me.display_name, $4::uuid, $5::uuid,
			$14::text || t."key.name" || ' for ' || t."user.display_name" || $15::text,
			CASE WHEN t.before IS NULL THEN $16::jsonb WHEN t.before THEN $17::jsonb ELSE $18::jsonb END, $11::text, $12::text
		FROM target t
		CROSS JOIN acting me
		WHERE t.changes
	), told AS (
		` + liveEvent + `
		SELECT $1::uuid, $10::uuid, $3::timestamptz, 'GRANT', ARRAY[$4::uuid], ARRAY[$5::uuid], coalesce($6::boolean, t.inherited)
		FROM target t
		WHERE coalesce(t.before, t.inherited) <> coalesce($6::boolean, t.inherited)
	)` + end + `
	SELECT ` + userColumns.again("t", "user") + `, ` + keyColumns.again("t", "key") + `, t.changes,
		coalesce($6::boolean, t.inherited) AS enabled, $7::timestamptz AS expires_at,
		CASE WHEN $6::boolean IS NOT NULL THEN 'EXPLICIT' WHEN t.unit_id IS NOT NULL THEN 'UNIT' ELSE 'DEFAULT' END AS source,
		CASE WHEN $6::boolean IS NULL THEN t.unit_id END AS unit_id,
		CASE WHEN $6::boolean IS NULL THEN NULL WHEN t.changes THEN $3::timestamptz ELSE t.updated_at END AS updated_at,
		CASE WHEN $6::boolean IS NULL THEN NULL WHEN t.changes THEN $2::uuid ELSE t.updated_by END AS updater_id
	FROM target t`
}
