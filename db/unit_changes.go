package db

import (
	"context"
	"strings"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// Changes of an account's tree follow one another: each locks the row of the account before it looks at the tree. That, and
// the unique keys of unit_paths, keep units from lying below themselves.

// lockTree keeps others from changing the tree of v's account until the transaction ends. v, which is the transaction's own,
// knows the account as it is now.
func lockTree(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer) (err error) {
	v.Account, err = lockAccount(ctx, tx, v.AccountID())
	return err
}

// changeTree is changeAs for changes of the tree by a user who manages keys.
func (db *DB) changeTree(ctx context.Context, v *graph.Viewer, doing string, do func(tx *sqlx.Tx, v *graph.Viewer) error) error {
	return db.changeAs(ctx, v, graph.ManageKeys, stays, doing, func(tx *sqlx.Tx, v *graph.Viewer) error {
		if err := lockTree(ctx, tx, v); err != nil {
			return err
		}
		return do(tx, v)
	})
}

// raiseTree marks that the tree of the account has changed, so that nothing remembered about it is used again.
func raiseTree(ctx context.Context, tx *sqlx.Tx, account graph.UUID) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE accounts SET tree_version = tree_version + 1
		WHERE account_id = $1`, account)
	return err
}

// unitForChange reads a visible unit. NotFound at the path for one that is hidden or missing.
func unitForChange(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, id graph.ID, path string) (*graph.Unit, error) {
	account := v.AccountID()
	list, err := visibleUnits(ctx, tx, v, account, []graph.UUID{id.In(account, graph.KindUnit)})
	return only(list, err, path)
}

// unitOrTop is unitForChange where no ID stands for the top of the tree, which is no unit.
func unitOrTop(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, id *graph.ID, path string) (*graph.Unit, error) {
	if id == nil {
		return nil, nil
	}
	return unitForChange(ctx, tx, v, *id, path)
}

// idOf gives the identifier of a unit, nil for the top of the tree.
func idOf(u *graph.Unit) *graph.UUID {
	if u == nil {
		return nil
	}
	return &u.UnitID
}

// unitEvent is an event about a unit. Beside the unit it names nothing: who sees the unit now need not see what was above
// or below it then.
func unitEvent(u *graph.Unit, what string, changes ...*graph.AuditChange) event {
	return event{Action: graph.UnitChanged, Unit: &u.UnitID, Summary: what + " the unit " + u.Name + ".", Changes: changes}
}

// CreateUnit makes a unit below one that v sees, or at the top. NotFound for a unit above that is hidden or missing, and what
// graph.Viewer.MayCreateUnit refuses.
func (db *DB) CreateUnit(ctx context.Context, v *graph.Viewer, in graph.CreateUnitInput) (*graph.Unit, error) {
	var made *graph.Unit
	var unit graph.UUID
	c := call{"createUnit", in.IdempotencyKey, in}
	repeated, err := db.changeOnce(ctx, v, graph.ManageKeys, stays, c, &unit, func(tx *sqlx.Tx, v *graph.Viewer) (err error) {
		if made, err = createUnit(ctx, tx, v, in); err != nil {
			return err
		}
		unit = made.UnitID
		return nil
	})
	if err != nil || !repeated {
		return made, err
	}
	list, err := db.Units(ctx, v, v.AccountID(), []graph.UUID{unit})
	return only(list, err, repeatedKey)
}

func createUnit(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, in graph.CreateUnitInput) (*graph.Unit, error) {
	if err := lockTree(ctx, tx, v); err != nil {
		return nil, err
	}
	parent, err := unitOrTop(ctx, tx, v, in.ParentID, "input.parentId")
	if err != nil {
		return nil, err
	}
	if err := v.MayCreateUnit(parent); err != nil {
		return nil, err
	}
	u := &graph.Unit{AccountID: v.AccountID(), UnitID: newID(), ParentID: idOf(parent), Name: in.Name, SortName: strings.ToLower(in.Name),
		Kind: in.Kind, Depth: 1, CreatedAt: v.Request.At}
	if parent != nil {
		u.Depth += parent.Depth
	}
	if err := insertUnit(ctx, tx, u); err != nil {
		return nil, err
	}
	return u, audit(ctx, tx, v, u.AccountID, unitEvent(u, "Created", graph.Changed("name", "", u.Name), graph.Changed("kind", "", string(u.Kind))))
}

func insertUnit(ctx context.Context, tx *sqlx.Tx, u *graph.Unit) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO units (account_id, unit_id, parent_id, name, kind, created_at)
		VALUES ($1, $2, $3, $4, $5, $6)`, u.AccountID, u.UnitID, u.ParentID, u.Name, u.Kind, u.CreatedAt)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO unit_paths (account_id, unit_id, distance, above_id)
		SELECT $1::uuid, $2::uuid, 0, $2::uuid
		UNION ALL
		SELECT p.account_id, $2::uuid, p.distance + 1, p.above_id
		FROM unit_paths p
		WHERE p.account_id = $1 AND p.unit_id = $3`, u.AccountID, u.UnitID, u.ParentID)
	if err != nil {
		return err
	}
	return raiseTree(ctx, tx, u.AccountID)
}

// UpdateUnit changes name and kind of a unit that v sees; a repeat changes nothing. NotFound for a unit that is hidden or
// missing.
func (db *DB) UpdateUnit(ctx context.Context, v *graph.Viewer, in graph.UpdateUnitInput) (*graph.Unit, error) {
	var unit *graph.Unit
	err := db.changeTree(ctx, v, "update unit", func(tx *sqlx.Tx, v *graph.Viewer) (err error) {
		if unit, err = unitForChange(ctx, tx, v, in.UnitID, "input.unitId"); err != nil {
			return err
		}
		e := unitEvent(unit, "Changed")
		if e.Changes = in.Apply(unit); len(e.Changes) == 0 {
			return nil
		}
		_, err = tx.ExecContext(ctx, `
			UPDATE units SET name = $3, kind = $4
			WHERE account_id = $1 AND unit_id = $2`, unit.AccountID, unit.UnitID, unit.Name, unit.Kind)
		if err != nil {
			return err
		}
		return audit(ctx, tx, v, unit.AccountID, e)
	})
	return unit, err
}

// DeleteUnit deletes an empty unit that v sees, with the rules for it, and gives its ID. NotFound for a unit that is hidden
// or missing, and what graph.Unit.MayDelete refuses.
func (db *DB) DeleteUnit(ctx context.Context, v *graph.Viewer, id graph.ID) (graph.ID, error) {
	err := db.changeTree(ctx, v, "delete unit", func(tx *sqlx.Tx, v *graph.Viewer) error {
		u, err := unitForChange(ctx, tx, v, id, "input.unitId")
		if err != nil {
			return err
		}
		var holds bool
		err = tx.GetContext(ctx, &holds, `
			SELECT EXISTS (SELECT FROM api_keys k WHERE k.account_id = $1 AND k.unit_id = $2)
				OR EXISTS (SELECT FROM units n WHERE n.account_id = $1 AND n.parent_id = $2)`, u.AccountID, u.UnitID)
		if err != nil {
			return err
		}
		if err := u.MayDelete(holds); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			DELETE FROM units
			WHERE account_id = $1 AND unit_id = $2`, u.AccountID, u.UnitID)
		if err != nil {
			return err
		}
		if err := raiseTree(ctx, tx, u.AccountID); err != nil {
			return err
		}
		return audit(ctx, tx, v, u.AccountID, unitEvent(u, "Deleted", graph.Changed("name", u.Name, ""), graph.Changed("kind", string(u.Kind), "")))
	})
	return id, err
}
