package graph

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"
	"sync"
	"time"
)

// Sizes of pages: what is read when nothing is said, and the most that may be asked for. Of usage records whoever runs the server
// may let more be asked for, and UsagePageLimit is how many more.
const (
	DefaultPageSize = 20
	MaxPageSize     = 100
	UsagePageLimit  = 10_000
)

// OrderDirection is the direction of a sort order.
type OrderDirection string

// The directions.
const (
	Ascending  OrderDirection = "ASC"
	Descending OrderDirection = "DESC"
)

// PageArgs are the arguments of a connection.
type PageArgs struct {
	First  *int
	After  *string
	Last   *int
	Before *string
	// Most is the largest page; MaxPageSize when zero.
	Most int
}

// Window is a checked page: at most Limit elements between two cursors, from the end when Backward.
type Window struct {
	Order    Order
	Limit    int
	Backward bool
	After    *Cursor
	Before   *Cursor
}

// Order names a list and its sort order; a cursor fits the order that it was made for only.
type Order byte

// The orders. Ids are made in the order of creation, so that order by id is order by creation.
const (
	ByName        Order = 'n'
	ByNameDesc    Order = 'N'
	ByCreation    Order = 'c'
	ByCreationDes Order = 'C'
	ByUserAndKey  Order = 'g'
	ByTimeDesc    Order = 't' // by the time at which something happened
	ByKeyAndPlace Order = 'p'
)

// Descends reports whether the largest or newest element comes first.
func (o Order) Descends() bool { return o == ByNameDesc || o == ByCreationDes || o == ByTimeDesc }

// Paired reports whether a place in the order takes two ids.
func (o Order) Paired() bool { return o == ByUserAndKey || o == ByKeyAndPlace }

// Named reports whether the order begins with a name.
func (o Order) Named() bool { return o == ByName || o == ByNameDesc }

// Timed reports whether the order begins with a time.
func (o Order) Timed() bool { return o == ByTimeDesc }

// Window checks the arguments. BadUserInput with the argument's path for sizes out of range, for both first and last,
// and for a cursor that is malformed or of another order.
func (a PageArgs) Window(order Order) (Window, error) {
	w, most := Window{Order: order, Limit: DefaultPageSize}, cmp.Or(a.Most, MaxPageSize)
	if a.First != nil && a.Last != nil {
		return w, refuse(BadUserInput, "last", "Give first or last, not both.")
	}
	for path, size := range map[string]*int{"first": a.First, "last": a.Last} {
		if size == nil {
			continue
		}
		if *size < 1 || *size > most {
			return w, refuse(BadUserInput, path, "A page has 1 to "+strconv.Itoa(most)+" elements.")
		}
		w.Limit = *size
	}
	w.Backward = a.Last != nil
	var err error
	if w.After, err = parseCursor(a.After, order, "after"); err != nil {
		return w, err
	}
	w.Before, err = parseCursor(a.Before, order, "before")
	return w, err
}

// Cursor is a place in a list: the sort name or time, where the order has one, and the id of a visible row.
type Cursor struct {
	ID     UUID
	Second UUID // in orders that are Paired: the key, or the place as a number; the time, in lists by time
	Name   string
}

// TimedCursor is a place in a list by time.
func TimedCursor(at time.Time, id UUID) Cursor {
	c := Cursor{ID: id}
	binary.BigEndian.PutUint64(c.Second[:8], uint64(at.UnixMicro()))
	return c
}

// At gives the time of a place in a list by time.
func (c *Cursor) At() time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(c.Second[:8]))).UTC()
}

const cursorIDs = 1 + 16 + 16

// Text gives the opaque form of c for lists in the order.
func (c Cursor) Text(order Order) string {
	raw := make([]byte, cursorIDs, cursorIDs+len(c.Name))
	raw[0] = byte(order)
	copy(raw[1:], c.ID[:])
	copy(raw[17:], c.Second[:])
	return base64.RawURLEncoding.EncodeToString(append(raw, c.Name...))
}

func parseCursor(text *string, order Order, path string) (*Cursor, error) {
	if text == nil {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(*text)
	if err != nil || len(raw) < cursorIDs || len(raw) > cursorIDs+1000 || Order(raw[0]) != order {
		return nil, refuse(BadUserInput, path, "The cursor does not belong to this list and order.")
	}
	return &Cursor{ID: UUID(raw[1:17]), Second: UUID(raw[17:33]), Name: string(raw[33:])}, nil
}

// Page is one page of a list.
type Page[T any] struct {
	Nodes    []*T
	Order    Order
	Next     bool // elements follow
	Previous bool // elements precede
	Total    *int // elements of the whole list; nil when nobody asked
	Place    func(*T) Cursor
}

// PageInfo is the position of a page.
type PageInfo struct {
	HasNextPage     bool
	HasPreviousPage bool
	StartCursor     *string
	EndCursor       *string
}

// PageInfo gives the position of the page.
func (p *Page[T]) PageInfo() *PageInfo {
	info := &PageInfo{HasNextPage: p.Next, HasPreviousPage: p.Previous}
	if n := len(p.Nodes); n > 0 {
		start, end := p.cursor(0), p.cursor(n-1)
		info.StartCursor, info.EndCursor = &start, &end
	}
	return info
}

// TotalCount gives the size of the whole list; an error when it was not counted, which only a mistake in the look-ahead
// can cause.
func (p *Page[T]) TotalCount() (int, error) {
	if p.Total == nil {
		return 0, errors.New("total was not counted")
	}
	return *p.Total, nil
}

func (p *Page[T]) cursor(i int) string { return p.Place(p.Nodes[i]).Text(p.Order) }

// edges makes the edges of a page.
func edges[T, E any](p *Page[T], edge func(cursor string, node *T) *E) []*E {
	list := make([]*E, len(p.Nodes))
	for i, n := range p.Nodes {
		list[i] = edge(p.cursor(i), n)
	}
	return list
}

// Nested holds pages that were loaded for an object together with its siblings. The key says for which field of which
// selection a page was loaded, so that one field asked twice with different arguments stays right.
type Nested struct {
	mu    sync.Mutex // parts of one request run at the same time and may share an object
	pages map[any]any
}

// Put keeps a page.
func (n *Nested) Put(field, page any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pages == nil {
		n.pages = map[any]any{}
	}
	n.pages[field] = page
}

// Loaded gives the page that was kept for the field.
func Loaded[P any](n *Nested, field any) (page P, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	page, ok = n.pages[field].(P)
	return page, ok
}
