package db

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"grantwood/graph"
)

// below describes pages below several parents that are read at once. Each page is a listing with the parent o.id as one more
// condition.
type below[T any] struct {
	parents []graph.UUID // the parameter $4
	columns string       // as the part "child"
	from    string
	args    []any  // parameters of from, from $5 on
	name    string // as in listing
	id      string
	place   func(*T) graph.Cursor
	adopt   func(child *T, parent graph.UUID) // gives the child its parent, where it points there
	// rows, when it is not nil, reads the elements of all pages in another way, for the same answer.
	rows func(account graph.UUID, pages map[graph.UUID]*graph.Page[T]) error
}

// readBelow reads a page below each of the parents, all of one account. Pages are read from the start only.
func readBelow[T any](ctx context.Context, db *DB, v *graph.Viewer, account graph.UUID, b below[T], w graph.Window,
	ask Ask) (map[graph.UUID]*graph.Page[T], error) {
	pages := make(map[graph.UUID]*graph.Page[T], len(b.parents))
	for _, p := range b.parents {
		pages[p] = &graph.Page[T]{Order: w.Order, Place: b.place}
	}
	parents := slices.Collect(maps.Keys(pages)) // each once: for one that is named twice every row would come twice
	if !v.Enters(account) {
		account = graph.UUID{}
	}
	l := listing{name: b.name, id: b.id, from: b.from, args: append(about(v, account, uuidArray(parents)), b.args...)}
	if b.rows == nil {
		b.rows = func(_ graph.UUID, pages map[graph.UUID]*graph.Page[T]) error {
			return rowsBelow(ctx, db, l, b, w, pages)
		}
	}
	if err := b.rows(account, pages); err != nil {
		return nil, err
	}
	return pages, countsBelow(ctx, db, l, w, ask, pages)
}

func rowsBelow[T any](ctx context.Context, db *DB, l listing, b below[T], w graph.Window, pages map[graph.UUID]*graph.Page[T]) error {
	var after string
	if w.After != nil {
		after = " AND " + l.beyond(w, w.After, true, false)
	}
	type nestedRow struct {
		Parent graph.UUID
		Child  T
	}
	rows, err := readAll[nestedRow](ctx, db.pool, l.planned(w)+fmt.Sprintf(`
		SELECT o.id AS parent, page.*
		FROM unnest($4::uuid[]) AS o (id)
		CROSS JOIN LATERAL (
			SELECT %s
			FROM %s%s
			ORDER BY %s
			LIMIT %d) page`, b.columns, l.from, after, l.orderBy(w), w.Limit+1), l.args...)
	if err != nil {
		return err
	}
	for _, row := range rows {
		page := pages[row.Parent]
		if len(page.Nodes) == w.Limit {
			page.Next = true
			continue
		}
		if b.adopt != nil {
			b.adopt(&row.Child, row.Parent)
		}
		page.Nodes = append(page.Nodes, &row.Child)
	}
	return nil
}

func countsBelow[T any](ctx context.Context, db *DB, l listing, w graph.Window, ask Ask, pages map[graph.UUID]*graph.Page[T]) error {
	ask.Previous = ask.Previous && w.After != nil
	if !ask.Total && !ask.Previous {
		return nil
	}
	columns := []string{"count(*) AS total"}
	switch {
	case w.Order.Timed():
		columns = []string{"true AS preceding"}
		l.from += " AND " + l.beyond(w, w.After, false, true) + " LIMIT 1"
	case ask.Previous:
		columns = append(columns, "coalesce(bool_or("+l.beyond(w, w.After, false, true)+"), false) AS preceding")
	}
	var rows []struct {
		Parent graph.UUID
		around
	}
	err := db.pool.SelectContext(ctx, &rows, l.planned(w)+`
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

// connections turns pages into what the schema calls connections.
func connections[T, C any](pages map[graph.UUID]*graph.Page[T], connection func(graph.Page[T]) *C) map[graph.UUID]*C {
	made := make(map[graph.UUID]*C, len(pages))
	for parent, page := range pages {
		made[parent] = connection(*page)
	}
	return made
}
