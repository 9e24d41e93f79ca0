package db

import (
	"context"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// Units reads those of the units that are visible, in no order.
func (db *DB) Units(ctx context.Context, v *graph.Viewer, account graph.UUID, units []graph.UUID) ([]*graph.Unit, error) {
	if !v.Enters(account) || len(units) == 0 {
		return nil, nil
	}
	list, err := visibleUnits(ctx, db.pool, v, account, units)
	return list, fault("read units", err)
}

func visibleUnits(ctx context.Context, q sqlx.QueryerContext, v *graph.Viewer, account graph.UUID, units []graph.UUID) ([]*graph.Unit, error) {
	var list []*graph.Unit
	err := sqlx.SelectContext(ctx, q, &list, `
		SELECT `+unitColumns.of("n")+`
		FROM units n
		WHERE n.account_id = $1 AND n.unit_id = ANY($4) AND `+unitVisible(v, "n.unit_id"), about(v, account, uuidArray(units))...)
	return list, err
}

const unitName = `(lower(n.name) COLLATE "C")`

func unitPlace(u *graph.Unit) graph.Cursor { return graph.Cursor{ID: u.UnitID, Name: u.SortName} }

// UnitsOf reads a page of the account's visible units directly below a unit, or of the top ones.
func (db *DB) UnitsOf(ctx context.Context, v *graph.Viewer, account graph.UUID, w graph.Window, parent *graph.ID, ask Ask) (*graph.UnitConnection, error) {
	if !v.Enters(account) {
		account = graph.UUID{}
	}
	page, err := readPage(ctx, db, listing{
		columns: unitColumns.of("n"),
		from: `units n
			WHERE n.account_id = $1 AND n.parent_id IS NOT DISTINCT FROM $4::uuid AND ` + unitVisible(v, "n.unit_id"),
		name: unitName,
		id:   "n.unit_id",
		args: about(v, account, objectOf(parent, account, graph.KindUnit)),
	}, w, ask, unitPlace)
	return &graph.UnitConnection{Page: page}, fault("list units", err)
}

// ChildrenOf reads, for each of the units of one account, a page of the visible units directly below; for all at once.
func (db *DB) ChildrenOf(ctx context.Context, v *graph.Viewer, units []*graph.Unit, w graph.Window, ask Ask) (map[graph.UUID]*graph.UnitConnection, error) {
	pages, err := readBelow(ctx, db, v, units[0].AccountID, below[graph.Unit]{
		parents: ids(units, unitID),
		columns: unitColumns.as("n", "child"),
		from:    `units n WHERE n.account_id = $1 AND n.parent_id = o.id AND ` + unitVisible(v, "n.unit_id"),
		name:    unitName,
		id:      "n.unit_id",
		place:   unitPlace,
	}, w, ask)
	return connections(pages, func(p graph.Page[graph.Unit]) *graph.UnitConnection { return &graph.UnitConnection{Page: p} }), fault("list units", err)
}

// KeysOfUnits reads, for each of the units of one account, a page of the visible keys in it, or in or below it, without deleted
// ones; for all at once.
func (db *DB) KeysOfUnits(ctx context.Context, v *graph.Viewer, units []*graph.Unit, w graph.Window, deep bool, ask Ask) (map[graph.UUID]*graph.ApiKeyConnection, error) {
	pages, err := readBelow(ctx, db, v, units[0].AccountID, below[graph.ApiKey]{
		parents: ids(units, unitID),
		columns: keyColumns.as("k", "child"),
		from: `unit_paths p
			JOIN api_keys k ON k.account_id = $1 AND k.unit_id = p.unit_id AND k.deleted_at IS NULL
			WHERE p.account_id = $1 AND p.above_id = o.id AND (p.distance = 0 OR $5) AND ` + keyVisible(v, "k.key_id"),
		args:  []any{deep},
		name:  `(lower(k.name) COLLATE "C")`,
		id:    "k.key_id",
		place: keyPlace,
	}, w, ask)
	return connections(pages, func(p graph.Page[graph.ApiKey]) *graph.ApiKeyConnection { return &graph.ApiKeyConnection{Page: p} }), fault("list keys", err)
}

func unitID(u *graph.Unit) graph.UUID { return u.UnitID }

// AncestorsOf reads the units above each of the units of one account, from the top down; each is visible when the unit is.
func (db *DB) AncestorsOf(ctx context.Context, v *graph.Viewer, units []*graph.Unit) (map[graph.UUID][]*graph.Unit, error) {
	account := units[0].AccountID
	if !v.Enters(account) {
		return nil, nil
	}
	var rows []struct {
		Below graph.UUID
		Unit  *graph.Unit
	}
	err := db.pool.SelectContext(ctx, &rows, `
		SELECT p.unit_id AS below, `+unitColumns.as("n", "unit")+`
		FROM unit_paths p
		JOIN units n ON n.account_id = $1 AND n.unit_id = p.above_id
		WHERE p.account_id = $1 AND p.unit_id = ANY($4) AND p.distance > 0 AND `+unitVisible(v, "n.unit_id")+`
		ORDER BY p.distance DESC`, about(v, account, uuidArray(ids(units, unitID)))...)
	ancestors := make(map[graph.UUID][]*graph.Unit, len(units))
	for _, row := range rows {
		ancestors[row.Below] = append(ancestors[row.Below], row.Unit)
	}
	return ancestors, fault("read the units above", err)
}
