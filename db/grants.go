package db

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

const (
	// grantOf joins what decides about user u and key k: what was set for the pair, unless it has expired, else the nearest
	// unit with a rule.
	grantOf = `LEFT JOIN grants g ON g.account_id = $1 AND g.user_id = u.user_id AND g.key_id = k.key_id AND ` + grantHolds + `
		LEFT JOIN LATERAL (
			SELECT r.enabled, r.unit_id
			FROM unit_paths p
			JOIN unit_grants r ON r.account_id = $1 AND r.user_id = u.user_id AND r.unit_id = p.above_id
			WHERE p.account_id = $1 AND p.unit_id = k.unit_id
			ORDER BY p.distance
			LIMIT 1) n ON g.user_id IS NULL`

	grantEnabled = `coalesce(g.enabled, n.enabled, k.is_master)`
	grantSource  = `CASE WHEN g.user_id IS NOT NULL THEN 'EXPLICIT' WHEN n.unit_id IS NOT NULL THEN 'UNIT' ELSE 'DEFAULT' END`
)

// grantColumns are the columns of the effective grant of user u for key k.
var grantColumns = columnList{"enabled = " + grantEnabled, "source = " + grantSource, "unit_id = n.unit_id", "expires_at", "updated_at",
	"updater_id = g.updated_by"}

// Pair names the grant of a user for a key.
type Pair struct{ User, Key graph.UUID }

// Grants reads those of the grants that are visible, for deleted keys too, in no order.
func (db *DB) Grants(ctx context.Context, v *graph.Viewer, account graph.UUID, pairs []Pair) ([]*graph.Grant, error) {
	if !v.Enters(account) || len(pairs) == 0 {
		return nil, nil
	}
	grants, err := visibleGrants(ctx, db.pool, v, account, pairs)
	return grants, fault("read grants", err)
}

func visibleGrants(ctx context.Context, q sqlx.QueryerContext, v *graph.Viewer, account graph.UUID, pairs []Pair) ([]*graph.Grant, error) {
	users, keys := make([]graph.UUID, len(pairs)), make([]graph.UUID, len(pairs))
	for i, p := range pairs {
		users[i], keys[i] = p.User, p.Key
	}
	var grants []*graph.Grant
	err := sqlx.SelectContext(ctx, q, &grants, `
		SELECT `+userColumns.as("u", "user")+`, `+keyColumns.as("k", "key")+`, `+grantColumns.of("g")+`
		FROM unnest($4::uuid[], $5::uuid[]) AS p (user_id, key_id)
		JOIN users u ON u.account_id = $1 AND u.user_id = p.user_id
		JOIN api_keys k ON k.account_id = $1 AND k.key_id = p.key_id
		`+grantOf+`
		WHERE `+grantVisible(v)+` AND `+keyVisible(v, "k.key_id"), about(v, account, uuidArray(users), uuidArray(keys))...)
	return grants, err
}

// GrantsOf reads a page of the account's visible grants, by user and key in the order of their creation, without those
// for deleted keys.
func (db *DB) GrantsOf(ctx context.Context, v *graph.Viewer, account graph.UUID, w graph.Window, f graph.GrantFilter,
	ask Ask) (*graph.GrantConnection, error) {
	if !v.Enters(account) {
		account = graph.UUID{}
	}
	conditions := ` WHERE u.account_id = $1 AND ` + grantVisible(v) + ` AND ($4::uuid IS NULL OR u.user_id = $4)
		AND k.account_id = $1 AND k.deleted_at IS NULL AND ` + keyVisible(v, "k.key_id") + ` AND ($5::uuid IS NULL OR k.key_id = $5)
		AND ($6::boolean IS NULL OR ` + grantEnabled + ` = $6)
		AND ($7::text IS NULL OR ` + grantSource + ` = $7)`
	args := about(v, account, objectOf(f.UserID, account, graph.KindUser), objectOf(f.KeyID, account, graph.KindKey), f.Enabled, f.Source)
	page, err := readPage(ctx, db, listing{
		columns: userColumns.as("u", "user") + `, ` + keyColumns.as("k", "key") + `, ` + grantColumns.of("g"),
		from:    `users u CROSS JOIN api_keys k ` + grantOf + conditions,
		id:      `u.user_id, k.key_id`,
		args:    args,
	}, w, ask, pairPlace)
	return &graph.GrantConnection{Page: page}, fault("list grants", err)
}

func pairPlace(g *graph.Grant) graph.Cursor {
	return graph.Cursor{ID: g.User.UserID, Second: g.Key.KeyID}
}

// objectOf gives the object that a filter names: nil when there is no filter, the zero UUID, which matches nothing, for
// an ID of another account or kind.
func objectOf(id *graph.ID, account graph.UUID, k graph.Kind) *graph.UUID {
	if id == nil {
		return nil
	}
	object := id.In(account, k)
	return &object
}

func ids[T any](list []*T, id func(*T) graph.UUID) []graph.UUID {
	out := make([]graph.UUID, len(list))
	for i, x := range list {
		out[i] = id(x)
	}
	return out
}

// SetGrant enables, disables or resets a key that v sees for an additional user; a repeat changes nothing. NotFound for
// a user or key that is hidden or missing, and what graph.Viewer.MaySetGrant refuses.
func (db *DB) SetGrant(ctx context.Context, v *graph.Viewer, in graph.SetGrantInput) (*graph.Grant, error) {
	if grant, err := db.setPlainGrant(ctx, v, in); grant != nil || err != nil {
		return grant, err
	}
	return db.setGrantInSteps(ctx, v, in)
}

// setGrantInSteps is SetGrant for every case.
func (db *DB) setGrantInSteps(ctx context.Context, v *graph.Viewer, in graph.SetGrantInput) (*graph.Grant, error) {
	var grant *graph.Grant
	err := db.changeAs(ctx, v, graph.ManageGrants, stays, "set grant", func(tx *sqlx.Tx, v *graph.Viewer) error {
		u, k, err := grantForChange(ctx, tx, v, in)
		if err != nil {
			return err
		}
		if err := v.MaySetGrant(u, k, in); err != nil {
			return err
		}
		if err := changeGrant(ctx, tx, v, u, k, in); err != nil {
			return err
		}
		grant = &graph.Grant{User: u, Key: k}
		return tx.GetContext(ctx, grant, `
			SELECT `+grantColumns.of("g")+`
			FROM users u JOIN api_keys k ON k.account_id = $1 AND k.key_id = $4
			`+grantOf+`
			WHERE u.account_id = $1 AND u.user_id = $2`, u.AccountID, u.UserID, v.Request.At, k.KeyID)
	})
	if violates(err, "grants_user") { // removed at the same moment
		return nil, graph.Missing("input.userId")
	}
	return grant, err
}

// grantForChange reads the user and the key of a grant.
func grantForChange(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, in graph.SetGrantInput) (*graph.User, *graph.ApiKey, error) {
	u, err := userForGrant(ctx, tx, v, in.UserID)
	if err != nil {
		return nil, nil, err
	}
	account := v.AccountID()
	keys, err := visibleKeys(ctx, tx, v, account, []graph.UUID{in.KeyID.In(account, graph.KindKey)})
	if err != nil {
		return nil, nil, err
	}
	if len(keys) == 0 {
		return nil, nil, graph.Missing("input.keyId")
	}
	return u, keys[0], nil
}

// userForGrant reads the user of a grant or rule. The row stays locked, so that of two changes at once each knows what was set
// before it, also when nothing was.
func userForGrant(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, id graph.ID) (*graph.User, error) {
	account := v.AccountID()
	var users []*graph.User
	err := tx.SelectContext(ctx, &users, `
		SELECT `+userColumns.of("u")+`
		FROM users u
		WHERE u.account_id = $1 AND u.user_id = $4 AND `+userVisible(v)+`
		FOR NO KEY UPDATE OF u`, about(v, account, id.In(account, graph.KindUser))...)
	if err != nil {
		return nil, err
	}
	if len(users) == 0 {
		return nil, graph.Missing("input.userId")
	}
	return users[0], nil
}

func writeGrant(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, u *graph.User, k *graph.ApiKey, in graph.SetGrantInput) (bool, error) {
	statement, args := `
		INSERT INTO grants AS g (account_id, user_id, key_id, enabled, expires_at, updated_at, updated_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (account_id, user_id, key_id) DO UPDATE
		SET enabled = excluded.enabled, expires_at = excluded.expires_at, updated_at = excluded.updated_at, updated_by = excluded.updated_by
		WHERE (g.enabled, g.expires_at) IS DISTINCT FROM (excluded.enabled, excluded.expires_at)`,
		[]any{u.AccountID, u.UserID, k.KeyID, in.State == graph.GrantEnabled, in.ExpiresAt, v.Request.At, actingUser(v)}
	if in.State == graph.GrantInherit {
		statement, args = `
			DELETE FROM grants
			WHERE account_id = $1 AND user_id = $2 AND key_id = $3`, args[:3]
	}
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	return rows > 0, err
}

// actingUser gives the user who acts; nil when it is an operator.
func actingUser(v *graph.Viewer) *graph.UUID {
	if v.Kind != graph.KindOfUser {
		return nil
	}
	return &v.User.UserID
}

// changeGrant sets what in says, if it is not so already, raises the version of the user's rules, notes the change, and tells it.
func changeGrant(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, u *graph.User, k *graph.ApiKey, in graph.SetGrantInput) error {
	before, changed, err := replaceGrant(ctx, tx, v, u, k, in)
	if err != nil || !changed {
		return err
	}
	return grantSet(ctx, tx, v, k, u.UserID, append(before, nil)[0], in)
}

// withholdGrant disables a key for a user for whom it becomes enabled in the same transaction: they must not hear of it.
func withholdGrant(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, u *graph.User, k *graph.ApiKey) error {
	_, changed, err := replaceGrant(ctx, tx, v, u, k, graph.SetGrantInput{State: graph.GrantDisabled})
	if err != nil || !changed {
		return err
	}
	return raiseRules(ctx, tx, u.AccountID, u.UserID)
}

// replaceGrant sets what in says, if it is not so already, and notes the change. It gives what was set before.
func replaceGrant(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, u *graph.User, k *graph.ApiKey, in graph.SetGrantInput) ([]*graph.Rule, bool, error) {
	var before []*graph.Rule
	err := tx.SelectContext(ctx, &before, `
		SELECT enabled, expires_at
		FROM grants
		WHERE account_id = $1 AND user_id = $2 AND key_id = $3
		FOR UPDATE`, u.AccountID, u.UserID, k.KeyID)
	if err != nil {
		return nil, false, err
	}
	changed, err := writeGrant(ctx, tx, v, u, k, in)
	if err != nil || !changed {
		return nil, false, err
	}
	e := grantEvent(u, k, in.State)
	e.Changes = grantChanges(before, in)
	return before, true, audit(ctx, tx, v, u.AccountID, e)
}

// grantChanges says what was set before, if anything, and what is set now.
func grantChanges(before []*graph.Rule, in graph.SetGrantInput) []*graph.AuditChange {
	state, end := graph.GrantInherit, ""
	if len(before) == 1 {
		state = graph.GrantDisabled
		if before[0].Enabled {
			state = graph.GrantEnabled
		}
		end = instant(before[0].ExpiresAt)
	}
	var list []*graph.AuditChange
	if state != in.State {
		list = append(list, graph.Changed("state", string(state), string(in.State)))
	}
	if after := instant(in.ExpiresAt); after != end {
		list = append(list, graph.Changed("expiresAt", end, after))
	}
	return list
}

// instant writes a time as the API does; nothing for none.
func instant(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// enableOwn gives the creator of a key the explicit grant for it.
func enableOwn(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, k *graph.ApiKey) error {
	return changeGrant(ctx, tx, v, v.User, k, graph.SetGrantInput{State: graph.GrantEnabled})
}

func grantEvent(u *graph.User, k *graph.ApiKey, s graph.GrantState) event {
	action, begin, end := grantSentence(s)
	return event{Action: action, User: &u.UserID, Key: &k.KeyID, Summary: begin + k.Name + " for " + u.DisplayName + end}
}

// grantSentence gives what an event says: between its two parts stand the name of the key, "for", and that of the user.
func grantSentence(s graph.GrantState) (action graph.AuditAction, begin, end string) {
	switch s {
	case graph.GrantEnabled:
		return graph.GrantWasOn, "Enabled the key ", "."
	case graph.GrantDisabled:
		return graph.GrantWasOff, "Disabled the key ", "."
	}
	return graph.GrantWasReset, "Reset the key ", " to its default."
}

// grantInvited sets the grants that the invitation promised, for keys that are not deleted.
func grantInvited(ctx context.Context, tx *sqlx.Tx, u *graph.User, i *graph.Invitation, at time.Time) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO grants (account_id, user_id, key_id, enabled, updated_at, updated_by)
		SELECT i.account_id, $3, k.key_id, ik.key_id IS NOT NULL, $4, i.invited_by
		FROM invitations i
		JOIN api_keys k ON k.account_id = i.account_id AND k.deleted_at IS NULL
		LEFT JOIN invitation_keys ik ON ik.account_id = i.account_id AND ik.invitation_id = i.invitation_id AND ik.key_id = k.key_id
		WHERE i.account_id = $1 AND i.invitation_id = $2 AND NOT i.for_primary
			AND (ik.key_id IS NOT NULL OR k.is_master AND i.without_master_key)`, i.AccountID, i.InvitationID, u.UserID, at)
	return err
}
