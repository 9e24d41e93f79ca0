package server_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

// sized is a page of a list as it was answered.
type sized struct {
	TotalCount int
	PageInfo   struct {
		HasNextPage, HasPreviousPage bool
		StartCursor, EndCursor       *string
	}
	Edges []struct {
		Cursor string
		Node   struct{ ID string }
	}
	Nodes []struct{ ID string }
}

func (p sized) ids() []string {
	list := []string{}
	for _, n := range p.Nodes {
		list = append(list, n.ID)
	}
	return list
}

// sortedList is a list in an order.
type sortedList struct{ field, orderType, by, direction string }

// page reads a page; the arguments are first, after, last and before.
func (l sortedList) page(t testing.TB, c client, args map[string]any) sized {
	t.Helper()
	variables := map[string]any{"by": l.by, "direction": l.direction}
	for name, value := range args {
		variables[name] = value
	}
	a := c.post(t, `query($first: Int, $after: String, $last: Int, $before: String, $by: `+l.orderType+`!, $direction: OrderDirection!) { account {
		list: `+l.field+`(first: $first, after: $after, last: $last, before: $before, orderBy: {field: $by, direction: $direction}) {
			totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id } } nodes { id } } } }`, variables)
	return a.sized(t)
}

// sized reads the page called list below account.
func (a answer) sized(t testing.TB) sized {
	t.Helper()
	var body struct {
		Data   struct{ Account struct{ List sized } }
		Errors []any
	}
	if err := json.Unmarshal(a.Body, &body); err != nil || body.Errors != nil {
		t.Fatalf("no page: %s", a.Body)
	}
	return body.Data.Account.List
}

// check reports what is wrong with a page that should be want, which begins at from in a list of n.
func (l sortedList) check(t testing.TB, p sized, want []string, from, n int) {
	t.Helper()
	if diff := gocmp.Diff(append([]string{}, want...), p.ids()); diff != "" {
		t.Errorf("%v: elements from %d (-want +got):\n%s", l, from, diff)
	}
	if p.TotalCount != n || p.PageInfo.HasPreviousPage != (from > 0) || p.PageInfo.HasNextPage != (from+len(want) < n) {
		t.Errorf("%v: page of %d from %d of %d says total %d and %+v", l, len(want), from, n, p.TotalCount, p.PageInfo)
	}
	if len(p.Edges) != len(p.Nodes) {
		t.Fatalf("%v: %d edges, %d nodes", l, len(p.Edges), len(p.Nodes))
	}
	for i, e := range p.Edges {
		if e.Node.ID != p.Nodes[i].ID {
			t.Errorf("%v: edge %d is not node %d", l, i, i)
		}
	}
	if last := len(p.Edges) - 1; last >= 0 && (*p.PageInfo.StartCursor != p.Edges[0].Cursor || *p.PageInfo.EndCursor != p.Edges[last].Cursor) {
		t.Errorf("%v: cursors %+v", l, p.PageInfo)
	}
}

// walk reads the list by pages of a size, from both ends.
func (l sortedList) walk(t testing.TB, c client, want []string, size int) {
	t.Helper()
	n := len(want)
	forward, backward := map[string]any{"first": size}, map[string]any{"last": size}
	for from := 0; from < n; from += size {
		p := l.page(t, c, forward)
		l.check(t, p, want[from:min(from+size, n)], from, n)
		forward["after"] = p.PageInfo.EndCursor
	}
	for to := n; to > 0; to -= size {
		p := l.page(t, c, backward)
		l.check(t, p, want[max(to-size, 0):to], max(to-size, 0), n)
		backward["before"] = p.PageInfo.StartCursor
	}
	for _, args := range []map[string]any{forward, backward} { // beyond the end
		if p := l.page(t, c, args); len(p.Nodes) != 0 || p.TotalCount != n || p.PageInfo.StartCursor != nil || p.PageInfo.EndCursor != nil {
			t.Errorf("%v: beyond the end %+v", l, p)
		}
	}
}

// named is an element in the order of creation.
type named struct{ id, name string }

// walkAll reads a list in every order.
func walkAll(t *testing.T, c client, field, orderType string, elements []named) {
	t.Helper()
	ids := func(list []named) (out []string) {
		for _, e := range list {
			out = append(out, e.id)
		}
		return out
	}
	byName := slices.Clone(elements)
	slices.SortStableFunc(byName, func(a, b named) int { return cmp.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
	for by, list := range map[string][]string{"NAME": ids(byName), "CREATED_AT": ids(elements)} {
		for _, direction := range []string{"ASC", "DESC"} {
			for _, size := range []int{1, 3, len(list), 100} {
				sortedList{field, orderType, by, direction}.walk(t, c, list, size)
			}
			slices.Reverse(list)
		}
	}
}

// names in which capitals, equal ones, and others than letters meet.
var names = []string{"beta", "Alpha", "alpha", "Ärger", "_", "ALPHA", "beta 2"}

func TestKeysByPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := []named{{w.master, "Master key"}}
	var some []string
	for i, name := range names {
		all = append(all, named{w.key(t, name), name})
		if i%2 == 1 {
			some = append(some, all[i+1].id)
		}
	}
	u := w.user(t, invitee{role: graph.RoleReporting, keys: some})
	walkAll(t, w.owner.client, "apiKeys", "ApiKeyOrderField", all)
	walkAll(t, u.client, "apiKeys", "ApiKeyOrderField", []named{all[0], all[2], all[4], all[6]})
}

func TestUsersByPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := []named{{w.owner.id, w.owner.display()}}
	var last member
	for _, name := range names[1:4] {
		last = w.user(t, invitee{role: graph.RoleReporting})
		w.edit(t, `UPDATE users SET display_name = $3 WHERE account_id = $1 AND user_id = $2`, rowOf(last.id), name)
		all = append(all, named{last.id, name})
	}
	walkAll(t, w.owner.client, "users", "UserOrderField", all)
	walkAll(t, last.client, "users", "UserOrderField", []named{all[0], all[3]})
}

// TestOneWayLists: lists that are read in one direction lose and repeat nothing either.
func TestOneWayLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.key(t, "A"), w.key(t, "B")
	u, v := w.user(t, invitee{role: graph.RoleReporting, keys: []string{a}}), w.user(t, invitee{role: graph.RoleReporting, keys: []string{b}})
	for _, field := range []string{"grants", "auditEvents", "invitations"} {
		query := `query($first: Int, $after: String) { account { list: ` + field + `(first: $first, after: $after) {
			pageInfo { hasNextPage hasPreviousPage endCursor } nodes { id } } } }`
		whole, _ := w.owner.ask(t, query, map[string]any{"first": 100}, "account.list.nodes").([]any)
		var walked []any
		for after, more := any(nil), true; more; {
			page := w.owner.post(t, query, map[string]any{"first": 2, "after": after})
			nodes, _ := page.at(t, "account.list.nodes").([]any)
			if before := page.at(t, "account.list.pageInfo.hasPreviousPage"); before != (len(walked) > 0) {
				t.Errorf("%s after %d: previous page %v", field, len(walked), before)
			}
			walked = append(walked, nodes...)
			after, more = page.at(t, "account.list.pageInfo.endCursor"), page.at(t, "account.list.pageInfo.hasNextPage") == true
		}
		if diff := gocmp.Diff(whole, walked); diff != "" || len(whole) < 3 {
			t.Errorf("%s (-whole +walked):\n%s", field, diff)
		}
	}
	pairs := ""
	for _, m := range []member{u, v} {
		for _, k := range []string{w.master, a, b} {
			pairs += fmt.Sprintf(`{"user":{"id":%q},"key":{"id":%q}},`, m.id, k)
		}
	}
	w.owner.expect(t, `{ account { grants { totalCount nodes { user { id } key { id } } } } }`, nil,
		`{"data":{"account":{"grants":{"totalCount":6,"nodes":[`+strings.TrimSuffix(pairs, ",")+`]}}}}`)
}
