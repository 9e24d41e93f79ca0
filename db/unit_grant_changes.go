package db

import (
	"context"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// NewUnitGrant is what SetUnitGrant left.
type NewUnitGrant struct {
	Grant    *graph.UnitGrant // nil when the rule was reset
	Affected int              // visible keys that became enabled or disabled for the user
}

// SetUnitGrant sets or resets the rule of an additional user for a unit that v sees; a repeat changes nothing. NotFound for a
// user or unit that is hidden or missing, and what graph.Viewer.MaySetUnitGrant refuses.
func (db *DB) SetUnitGrant(ctx context.Context, v *graph.Viewer, in graph.SetUnitGrantInput) (NewUnitGrant, error) {
	var made NewUnitGrant
	err := db.changeAs(ctx, v, graph.ManageGrants, stays, "set rule for a unit", func(tx *sqlx.Tx, v *graph.Viewer) error {
		c := unitGrantChange{tx: tx, v: v, state: in.State}
		if err := c.load(ctx, in); err != nil {
			return err
		}
		affected, err := c.apply(ctx)
		if err != nil || in.State == graph.GrantInherit {
			made = NewUnitGrant{Affected: affected}
			return err
		}
		made = NewUnitGrant{Grant: &graph.UnitGrant{User: c.user, Unit: c.unit}, Affected: affected}
		return tx.GetContext(ctx, made.Grant, `
			SELECT r.enabled, r.updated_at FROM unit_grants r
			WHERE r.account_id = $1 AND r.user_id = $2 AND r.unit_id = $3`, c.user.AccountID, c.user.UserID, c.unit.UnitID)
	})
	if violates(err, "unit_grants_user") { // removed at the same moment
		return made, graph.Missing("input.userId")
	}
	return made, err
}

// unitGrantChange is a change of one rule on its way.
type unitGrantChange struct {
	tx    *sqlx.Tx
	v     *graph.Viewer
	user  *graph.User
	unit  *graph.Unit
	state graph.GrantState
}

// load reads the user and the unit and asks the rule. The tree stays as it is until the transaction ends, and so do the
// rules of the user and of v.
func (c *unitGrantChange) load(ctx context.Context, in graph.SetUnitGrantInput) error {
	account := c.v.AccountID()
	if err := holdTree(ctx, c.tx, account); err != nil {
		return err
	}
	var err error
	if c.user, err = userForGrant(ctx, c.tx, c.v, in.UserID); err != nil {
		return err
	}
	units, err := visibleUnits(ctx, c.tx, c.v, account, []graph.UUID{in.UnitID.In(account, graph.KindUnit)})
	if err != nil {
		return err
	}
	if len(units) == 0 {
		return graph.Missing("input.unitId")
	}
	c.unit = units[0]
	var own []*bool
	err = c.tx.SelectContext(ctx, &own, `
		SELECT r.enabled FROM unit_paths p
		JOIN unit_grants r ON r.account_id = $1 AND r.user_id = $2 AND r.unit_id = p.above_id
		WHERE p.account_id = $1 AND p.unit_id = $3
		ORDER BY p.distance
		LIMIT 1`, account, c.v.UserID(), c.unit.UnitID)
	if err != nil {
		return err
	}
	return c.v.MaySetUnitGrant(c.user, append(own, nil)[0], c.state)
}

// holdTree keeps the tree of an account from changing until the transaction ends.
func holdTree(ctx context.Context, tx *sqlx.Tx, account graph.UUID) error {
	_, err := tx.ExecContext(ctx, `SELECT FROM accounts WHERE account_id = $1 FOR SHARE`, account)
	return err
}

// apply sets the rule, if it is not so already, and gives how many visible keys changed for the user.
func (c *unitGrantChange) apply(ctx context.Context) (int, error) {
	before, err := c.enabledBelow(ctx)
	if err != nil {
		return 0, err
	}
	changed, err := c.write(ctx)
	if err != nil || !changed {
		return 0, err
	}
	if err := raiseRules(ctx, c.tx, c.user.AccountID, c.user.UserID); err != nil {
		return 0, err
	}
	if !c.v.IsPrimary() {
		if err := c.withhold(ctx, before); err != nil {
			return 0, err
		}
	}
	after, err := c.enabledBelow(ctx)
	if err != nil {
		return 0, err
	}
	affected := 0
	var gained, lost []graph.UUID
	for key, now := range after {
		switch {
		case now.enabled && !before[key].enabled:
			gained = append(gained, key)
		case !now.enabled && before[key].enabled:
			lost = append(lost, key)
		}
		if now.counts && now.enabled != before[key].enabled {
			affected++
		}
	}
	if err := tellGrants(ctx, c.tx, c.v, c.user.UserID, gained, true); err != nil {
		return 0, err
	}
	return affected, tellGrants(ctx, c.tx, c.v, c.user.UserID, lost, false)
}

// keyBelow is a key in or below the unit: whether it is enabled for the user, whether v sees it, and whether it counts as
// affected.
type keyBelow struct{ enabled, seen, counts bool }

func (c *unitGrantChange) enabledBelow(ctx context.Context) (map[graph.UUID]keyBelow, error) {
	var rows []struct {
		KeyID   graph.UUID
		Enabled bool
		Seen    bool
		Deleted bool
	}
	err := c.tx.SelectContext(ctx, &rows, `
		SELECT k.key_id, (k.key_id IN (`+enabledKeys("$4")+`)) IS TRUE AS enabled, `+keyVisible(c.v, "k.key_id")+` AS seen,
			k.deleted_at IS NOT NULL AS deleted
		FROM unit_paths p
		JOIN api_keys k ON k.account_id = $1 AND k.unit_id = p.unit_id
		WHERE p.account_id = $1 AND p.above_id = $5`, about(c.v, c.user.AccountID, c.user.UserID, c.unit.UnitID)...)
	below := make(map[graph.UUID]keyBelow, len(rows))
	for _, row := range rows {
		below[row.KeyID] = keyBelow{row.Enabled, row.Seen, row.Seen && !row.Deleted}
	}
	return below, err
}

// write sets the rule, notes the change, and reports whether there was one.
func (c *unitGrantChange) write(ctx context.Context) (bool, error) {
	account := c.user.AccountID
	var before []bool
	err := c.tx.SelectContext(ctx, &before, `
		SELECT r.enabled FROM unit_grants r
		WHERE r.account_id = $1 AND r.user_id = $2 AND r.unit_id = $3`, account, c.user.UserID, c.unit.UnitID)
	if err != nil {
		return false, err
	}
	was := stateOf(before)
	if was == c.state {
		return false, nil
	}
	if c.state == graph.GrantInherit {
		_, err = c.tx.ExecContext(ctx, `
			DELETE FROM unit_grants
			WHERE account_id = $1 AND user_id = $2 AND unit_id = $3`, account, c.user.UserID, c.unit.UnitID)
	} else {
		err = c.put(ctx, c.unit.UnitID, c.state == graph.GrantEnabled)
	}
	if err != nil {
		return false, err
	}
	return true, audit(ctx, c.tx, c.v, account, unitGrantEvent(c.user, c.unit.UnitID, c.unit.Name, was, c.state))
}

func (c *unitGrantChange) put(ctx context.Context, unit graph.UUID, enabled bool) error {
	_, err := c.tx.ExecContext(ctx, `
		INSERT INTO unit_grants (account_id, user_id, unit_id, enabled, updated_at, updated_by)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (account_id, user_id, unit_id) DO UPDATE
		SET enabled = excluded.enabled, updated_at = excluded.updated_at, updated_by = excluded.updated_by`,
		c.user.AccountID, c.user.UserID, unit, enabled, c.v.Request.At, actingUser(c.v))
	return err
}

// stateOf gives the state that a rule stands for; rules has one, or none.
func stateOf(rules []bool) graph.GrantState {
	switch {
	case len(rules) == 0:
		return graph.GrantInherit
	case rules[0]:
		return graph.GrantEnabled
	}
	return graph.GrantDisabled
}

func unitGrantEvent(u *graph.User, unit graph.UUID, name string, was, is graph.GrantState) event {
	does := map[graph.GrantState]string{graph.GrantEnabled: "Enabled", graph.GrantDisabled: "Disabled", graph.GrantInherit: "Reset"}
	return event{Action: graph.UnitGrantSet, User: &u.UserID, Unit: &unit,
		Summary: does[is] + " the keys in and below the unit " + name + " for " + u.DisplayName + ".",
		Changes: []*graph.AuditChange{graph.Changed("state", string(was), string(is))}}
}

// withhold keeps the user from getting more through the rule than v has: v's own rules below the unit become the user's where
// the user has none, and a key that became enabled although v does not see it is disabled for the user. To refuse the rule
// instead would tell v that there is something hidden below the unit.
func (c *unitGrantChange) withhold(ctx context.Context, before map[graph.UUID]keyBelow) error {
	if err := c.copyRules(ctx); err != nil {
		return err
	}
	after, err := c.enabledBelow(ctx)
	if err != nil {
		return err
	}
	var gained []graph.UUID
	for key, now := range after {
		if now.enabled && !now.seen && !before[key].enabled {
			gained = append(gained, key)
		}
	}
	if len(gained) == 0 {
		return nil
	}
	var keys []*graph.ApiKey
	err = c.tx.SelectContext(ctx, &keys, `
		SELECT `+keyColumns.of("k")+`
		FROM api_keys k
		WHERE k.account_id = $1 AND k.key_id = ANY($2)`, c.user.AccountID, uuidArray(gained))
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := withholdGrant(ctx, c.tx, c.v, c.user, k); err != nil {
			return err
		}
	}
	return nil
}

func (c *unitGrantChange) copyRules(ctx context.Context) error {
	var enabled bool // what decides about the unit for the user now
	err := c.tx.GetContext(ctx, &enabled, `
		SELECT coalesce((SELECT n.enabled FROM (`+ruledUnits("$2")+`) n WHERE n.unit_id = $3), false)`,
		c.user.AccountID, c.user.UserID, c.unit.UnitID)
	if err != nil || !enabled {
		return err
	}
	var own []struct {
		UnitID  graph.UUID
		Name    string
		Enabled bool
	}
	err = c.tx.SelectContext(ctx, &own, `
		SELECT r.unit_id, n.name, r.enabled
		FROM unit_paths p
		JOIN unit_grants r ON r.account_id = $1 AND r.user_id = $2 AND r.unit_id = p.unit_id
		JOIN units n ON n.account_id = $1 AND n.unit_id = p.unit_id
		WHERE p.account_id = $1 AND p.above_id = $3 AND p.distance > 0 AND NOT EXISTS (
			SELECT FROM unit_grants theirs
			WHERE theirs.account_id = $1 AND theirs.user_id = $4 AND theirs.unit_id = p.unit_id)
		ORDER BY r.unit_id`, c.user.AccountID, c.v.UserID(), c.unit.UnitID, c.user.UserID)
	if err != nil {
		return err
	}
	for _, rule := range own {
		if err := c.put(ctx, rule.UnitID, rule.Enabled); err != nil {
			return err
		}
		e := unitGrantEvent(c.user, rule.UnitID, rule.Name, graph.GrantInherit, stateOf([]bool{rule.Enabled}))
		if err := audit(ctx, c.tx, c.v, c.user.AccountID, e); err != nil {
			return err
		}
	}
	return nil
}
