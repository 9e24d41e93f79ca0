package db

import (
	"context"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// MoveUnit moves a unit that v sees, with everything below it, below another one or to the top. It gives the unit, and how
// many effective grants changed between enabled and disabled; none when the unit is there already. NotFound for units that
// are hidden or missing, and what graph.Viewer.MayMoveUnit refuses.
func (db *DB) MoveUnit(ctx context.Context, v *graph.Viewer, in graph.MoveUnitInput) (*graph.Unit, int, error) {
	var unit *graph.Unit
	var affected int
	err := db.changeTree(ctx, v, "move unit", func(tx *sqlx.Tx, v *graph.Viewer) error {
		m, err := readMove(ctx, tx, v, in)
		if err != nil {
			return err
		}
		if err := v.MayMoveUnit(m); err != nil {
			return err
		}
		unit, affected = m.Unit, 0
		if m.Stays() {
			return nil
		}
		if affected, err = affectedByMove(ctx, tx, v, m); err != nil {
			return err
		}
		if err := moveUnit(ctx, tx, m); err != nil {
			return err
		}
		return audit(ctx, tx, v, unit.AccountID, unitEvent(unit, "Moved"))
	})
	return unit, affected, err
}

// readMove reads the unit, its new place, and what moves with it.
func readMove(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, in graph.MoveUnitInput) (graph.UnitMove, error) {
	var m graph.UnitMove
	var err error
	if m.Unit, err = unitForChange(ctx, tx, v, in.UnitID, "input.unitId"); err != nil {
		return m, err
	}
	if m.Parent, err = unitOrTop(ctx, tx, v, in.ParentID, "input.parentId"); err != nil {
		return m, err
	}
	err = tx.GetContext(ctx, &m, `
		SELECT max(p.distance) + 1 AS levels, coalesce(bool_or(p.unit_id = $3::uuid), false) AS cyclic
		FROM unit_paths p
		WHERE p.account_id = $1 AND p.above_id = $2`, m.Unit.AccountID, m.Unit.UnitID, idOf(m.Parent))
	return m, err
}

// nearestRules are, for each user with a rule for the unit or one above it, what the nearest of these says.
func nearestRules(unit string) string {
	return `
		SELECT DISTINCT ON (r.user_id) r.user_id, r.enabled
		FROM unit_paths p
		JOIN unit_grants r ON r.account_id = $1 AND r.unit_id = p.above_id
		WHERE p.account_id = $1 AND p.unit_id = ` + unit + `
		ORDER BY r.user_id, p.distance`
}

// affectedByMove tells for which additional users and keys the move changes the effective grant, and counts these, deleted keys
// aside. It can only where neither a grant that is set for the key decides nor a rule for a unit that moves along.
func affectedByMove(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, m graph.UnitMove) (int, error) {
	var n int
	touch(tx, m.Unit.AccountID)
	err := tx.GetContext(ctx, &n, `
		WITH before AS (`+nearestRules("$4::uuid")+`), after AS (`+nearestRules("$5::uuid")+`)
		, affected AS MATERIALIZED (
		SELECT u.user_id, k.key_id, coalesce(after.enabled, false) AS enabled, k.deleted_at IS NOT NULL AS deleted
		FROM before
		FULL JOIN after ON after.user_id = before.user_id
		JOIN users u ON u.account_id = $1 AND u.user_id = coalesce(before.user_id, after.user_id) AND NOT u.is_primary
		JOIN unit_paths moved ON moved.account_id = $1 AND moved.above_id = $2
		JOIN api_keys k ON k.account_id = $1 AND k.unit_id = moved.unit_id
		WHERE coalesce(before.enabled, false) <> coalesce(after.enabled, false)
			AND NOT EXISTS (
				SELECT FROM grants g
				WHERE g.account_id = $1 AND g.user_id = u.user_id AND g.key_id = k.key_id AND `+grantHolds+`)
			AND NOT EXISTS (
				SELECT FROM unit_paths p
				JOIN unit_grants r ON r.account_id = $1 AND r.user_id = u.user_id AND r.unit_id = p.above_id
				WHERE p.account_id = $1 AND p.unit_id = k.unit_id AND p.distance <= moved.distance)
		), told AS (
			`+liveEvent+`
			SELECT $1::uuid, `+liveID("$6", "user_id::text")+`, $3::timestamptz, 'GRANT', ARRAY[user_id], array_agg(key_id), enabled
			FROM affected
			GROUP BY user_id, enabled
		)
		SELECT count(*) FROM affected WHERE NOT deleted`,
		m.Unit.AccountID, m.Unit.UnitID, v.Request.At, m.Unit.ParentID, idOf(m.Parent), newID())
	return n, err
}

// moveUnit puts the unit below its new parent, and takes all paths that lead from it or below it to what was above along.
func moveUnit(ctx context.Context, tx *sqlx.Tx, m graph.UnitMove) error {
	u := m.Unit
	u.ParentID, u.Depth = idOf(m.Parent), 1
	if m.Parent != nil {
		u.Depth += m.Parent.Depth
	}
	_, err := tx.ExecContext(ctx, `
		UPDATE units SET parent_id = $3
		WHERE account_id = $1 AND unit_id = $2`, u.AccountID, u.UnitID, u.ParentID)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM unit_paths p
		USING unit_paths moved
		WHERE p.account_id = $1 AND moved.account_id = $1 AND moved.above_id = $2
			AND p.unit_id = moved.unit_id AND p.distance > moved.distance`, u.AccountID, u.UnitID)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO unit_paths (account_id, unit_id, distance, above_id)
		SELECT moved.account_id, moved.unit_id, moved.distance + up.distance + 1, up.above_id
		FROM unit_paths moved
		JOIN unit_paths up ON up.account_id = $1 AND up.unit_id = $3
		WHERE moved.account_id = $1 AND moved.above_id = $2`, u.AccountID, u.UnitID, u.ParentID)
	if err != nil {
		return err
	}
	return raiseTree(ctx, tx, u.AccountID)
}

// MoveApiKey puts a key that v sees into a unit that v sees, or directly below the account; a repeat changes nothing. NotFound
// for a key or unit that is hidden or missing, and what graph.Viewer.MayMoveKey refuses.
func (db *DB) MoveApiKey(ctx context.Context, v *graph.Viewer, in graph.MoveApiKeyInput) (*graph.ApiKey, error) {
	var key *graph.ApiKey
	err := db.changeTree(ctx, v, "move key", func(tx *sqlx.Tx, v *graph.Viewer) error {
		k, err := keyForChange(ctx, tx, v, in.KeyID, "input.keyId")
		if err != nil {
			return err
		}
		unit, err := unitOrTop(ctx, tx, v, in.UnitID, "input.unitId")
		if err != nil {
			return err
		}
		if err := v.MayMoveKey(k); err != nil {
			return err
		}
		key = k
		if unit.Is(k.UnitID) {
			return nil
		}
		if err := tellMove(ctx, tx, v, k, idOf(unit)); err != nil {
			return err
		}
		k.UnitID = idOf(unit)
		_, err = tx.ExecContext(ctx, `
			UPDATE api_keys SET unit_id = $3
			WHERE account_id = $1 AND key_id = $2`, k.AccountID, k.KeyID, k.UnitID)
		if err != nil {
			return err
		}
		if err := raiseTree(ctx, tx, k.AccountID); err != nil {
			return err
		}
		if err := tellKey(ctx, tx, v, k); err != nil {
			return err
		}
		// The event names neither unit: who sees the key need not have seen the one that held it.
		return audit(ctx, tx, v, k.AccountID, event{Action: graph.KeyUpdated, Key: &k.KeyID, Summary: "Moved the key " + k.Name + "."})
	})
	return key, err
}
