package db

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"grantwood/graph"
)

// Ask says what else than the elements of a page somebody wants to know; each costs a second statement.
type Ask struct {
	Total    bool // how many elements the whole list has
	Previous bool // whether elements precede the page
	Next     bool // whether elements follow it; on the side to which it was read that costs nothing
}

// listing is a list that is read by pages, as parts of SQL.
type listing struct {
	columns string
	from    string // what follows FROM, with all conditions of the list
	name    string // expression that the list is sorted by before the id, a name or a time; empty when by id alone
	id      string // expression of the id
	args    []any  // parameters of from
	// outward, when it is not empty, is a table expression o: as many elements as a page has are read below each row of it, where
	// inward says that they belong to it, and the page is taken from these. The list has its elements from a table r then.
	outward, inward string
	anew            bool // statements are planned anew, as for a range of times
}

// planned begins a statement that reads the list in the order of the window.
func (l *listing) planned(w graph.Window) string {
	if l.anew || w.Order.Timed() {
		return anew
	}
	return ""
}

// place gives the expression that a cursor is compared with, and adds the cursor's parameters.
func (l *listing) place(w graph.Window, c *graph.Cursor) (expression, parameters string) {
	n := len(l.args)
	switch {
	case w.Order.Paired():
		l.args = append(slices.Clip(l.args), c.ID, c.Second)
		return "(" + l.id + ")", fmt.Sprintf("($%d::uuid, $%d::uuid)", n+1, n+2)
	case w.Order.Timed():
		l.args = append(slices.Clip(l.args), c.At(), c.ID)
		return "(" + l.name + ", " + l.id + ")", fmt.Sprintf("($%d::timestamptz, $%d::uuid)", n+1, n+2)
	case w.Order.Named():
		l.args = append(slices.Clip(l.args), c.Name, c.ID)
		return "(" + l.name + ", " + l.id + ")", fmt.Sprintf("($%d::text, $%d::uuid)", n+1, n+2)
	}
	l.args = append(slices.Clip(l.args), c.ID)
	return l.id, fmt.Sprintf("$%d::uuid", n+1)
}

// beyond gives the condition for elements after (or before) a cursor in the order of the window, or upTo it.
func (l *listing) beyond(w graph.Window, c *graph.Cursor, after, upTo bool) string {
	expression, parameters := l.place(w, c)
	operator := "<"
	if after != w.Order.Descends() {
		operator = ">"
	}
	condition := expression + " " + operator
	if upTo {
		condition += "="
	}
	condition += " " + parameters
	if w.Order.Timed() { // says nothing new, and lets PostgreSQL leave partitions out
		condition += fmt.Sprintf(" AND %s %s= $%d", l.name, operator, len(l.args)-1)
	}
	return condition
}

// orderBy gives the sort order of a page.
func (l *listing) orderBy(w graph.Window) string {
	direction := ""
	if w.Order.Descends() != w.Backward {
		direction = " DESC"
	}
	if w.Order.Named() || w.Order.Timed() {
		return l.name + direction + ", " + l.id + direction
	}
	return l.id + direction
}

// readPage reads one page of a list.
func readPage[T any](ctx context.Context, db *DB, l listing, w graph.Window, ask Ask,
	place func(*T) graph.Cursor) (graph.Page[T], error) {
	page := graph.Page[T]{Order: w.Order, Place: place}
	rows, err := readRows[T](ctx, db, l, w)
	if err != nil {
		return page, err
	}
	more := len(rows) > w.Limit
	if more {
		rows = rows[:w.Limit]
	}
	if w.Backward {
		slices.Reverse(rows)
	}
	page.Nodes = rows
	around, err := db.readAround(ctx, l, w, ask)
	if err != nil {
		return page, err
	}
	page.Total = around.Total
	page.Next = !w.Backward && more || around.Following
	page.Previous = w.Backward && more || around.Preceding
	return page, nil
}

func readRows[T any](ctx context.Context, db *DB, l listing, w graph.Window) ([]*T, error) {
	statement, args := l.rows(w)
	return readAll[T](ctx, db.pool, statement, args...)
}

// rows gives the statement that reads a page and one element more, and its parameters.
func (l listing) rows(w graph.Window) (string, []any) {
	from, end := l.from, fmt.Sprintf(" ORDER BY %s LIMIT %d", l.orderBy(w), w.Limit+1)
	if w.After != nil {
		from += " AND " + l.beyond(w, w.After, true, false)
	}
	if w.Before != nil {
		from += " AND " + l.beyond(w, w.Before, false, false)
	}
	if l.outward != "" {
		from = l.outward + " CROSS JOIN LATERAL (SELECT r.* FROM " + from + " AND " + l.inward + end + ") r"
	}
	return l.planned(w) + "SELECT " + l.columns + " FROM " + from + end, l.args
}

type around struct {
	Total                *int
	Preceding, Following bool
}

func (db *DB) readAround(ctx context.Context, l listing, w graph.Window, ask Ask) (around, error) {
	var a around
	preceding, following := ask.Previous && w.After != nil, ask.Next && w.Before != nil
	if !ask.Total && !preceding && !following {
		return a, nil
	}
	if w.Order.Timed() { // of such a list there is no total, and it is too long to look at all of it
		err := db.pool.GetContext(ctx, &a.Preceding, l.planned(w)+"SELECT EXISTS (SELECT FROM "+l.from+" AND "+l.beyond(w, w.After, false, true)+")", l.args...)
		return a, err
	}
	columns := []string{"count(*) AS total"}
	if preceding {
		columns = append(columns, "coalesce(bool_or("+l.beyond(w, w.After, false, true)+"), false) AS preceding")
	}
	if following {
		columns = append(columns, "coalesce(bool_or("+l.beyond(w, w.Before, true, true)+"), false) AS following")
	}
	err := db.pool.GetContext(ctx, &a, l.planned(w)+"SELECT "+strings.Join(columns, ", ")+" FROM "+l.from, l.args...)
	if !ask.Total {
		a.Total = nil
	}
	return a, err
}
