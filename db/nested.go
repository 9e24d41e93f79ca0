package db

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"grantwood/graph"
)

// grantsBelow describes pages of grants below several parents, users or keys, that are read at once. Each page is a
// listing with the parent o.id as one more condition.
type grantsBelow struct {
	parents []graph.UUID
	columns string // of the other side
	from    string
	id      string // id of the other side
	place   func(*graph.Grant) graph.Cursor
	adopt   func(g *graph.Grant, parent graph.UUID) // gives the grant its parent
}

func (db *DB) grantsBelow(ctx context.Context, v *graph.Viewer, account graph.UUID, b grantsBelow, w graph.Window,
	enabled *bool, ask Ask) (map[graph.UUID]*graph.GrantConnection, error) {
	pages := make(map[graph.UUID]*graph.GrantConnection, len(b.parents))
	for _, p := range b.parents {
		pages[p] = &graph.GrantConnection{Page: graph.Page[graph.Grant]{Order: w.Order, Place: b.place}}
	}
	b.parents = slices.Collect(maps.Keys(pages)) // each once: for one that is named twice every row would come twice
	if !v.Enters(account) {
		account = graph.UUID{}
	}
	l := listing{id: b.id, args: about(v, account, uuidArray(b.parents), enabled)}
	l.from = b.from + ` AND ` + grantVisible(v) + ` AND ` + keyVisible(v, "k.key_id") + `
		AND ($5::boolean IS NULL OR ` + grantEnabled + ` = $5)`
	if err := db.rowsBelow(ctx, l, b, w, pages); err != nil {
		return nil, fault("list grants", err)
	}
	return pages, fault("count grants", db.countsBelow(ctx, l, w, ask, pages))
}

func (db *DB) rowsBelow(ctx context.Context, l listing, b grantsBelow, w graph.Window, pages map[graph.UUID]*graph.GrantConnection) error {
	var after string
	if w.After != nil {
		after = " AND " + l.beyond(w, w.After, true, false)
	}
	var rows []struct {
		Parent graph.UUID
		graph.Grant
	}
	err := db.pool.SelectContext(ctx, &rows, fmt.Sprintf(`
		SELECT o.id AS parent, page.*
		FROM unnest($4::uuid[]) AS o (id)
		CROSS JOIN LATERAL (
			SELECT %s, %s
			FROM %s%s
			ORDER BY %s
			LIMIT %d) page`, b.columns, grantColumns, l.from, after, l.id, w.Limit+1), l.args...)
	if err != nil {
		return err
	}
	for i := range rows {
		page := pages[rows[i].Parent]
		if len(page.Nodes) == w.Limit {
			page.Next = true
			continue
		}
		g := &rows[i].Grant
		b.adopt(g, rows[i].Parent)
		page.Nodes = append(page.Nodes, g)
	}
	return nil
}

func (db *DB) countsBelow(ctx context.Context, l listing, w graph.Window, ask Ask, pages map[graph.UUID]*graph.GrantConnection) error {
	ask.Around = ask.Around && w.After != nil
	if !ask.Total && !ask.Around {
		return nil
	}
	columns := []string{"count(*) AS total"}
	if ask.Around {
		columns = append(columns, "coalesce(bool_or("+l.beyond(w, w.After, false, true)+"), false) AS preceding")
	}
	var rows []struct {
		Parent graph.UUID
		around
	}
	err := db.pool.SelectContext(ctx, &rows, `
		SELECT o.id AS parent, counts.*
		FROM unnest($4::uuid[]) AS o (id)
		CROSS JOIN LATERAL (SELECT `+strings.Join(columns, ", ")+` FROM `+l.from+`) counts`, l.args...)
	for _, row := range rows {
		pages[row.Parent].Previous = row.Preceding
		if ask.Total {
			pages[row.Parent].Total = row.Total
		}
	}
	return err
}
