package server_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

// unitPage reads a page of units below a parent, or of the top ones when that is nil. The arguments are first, after, last and
// before.
func unitPage(t testing.TB, c client, parent any, args map[string]any) sized {
	t.Helper()
	variables := map[string]any{"p": parent}
	for name, value := range args {
		variables[name] = value
	}
	a := c.post(t, `query($p: ID, $first: Int, $after: String, $last: Int, $before: String) { account {
		list: units(parentId: $p, first: $first, after: $after, last: $last, before: $before) {
			totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id } } nodes { id } } } }`, variables)
	return a.sized(t)
}

// TestUnitsByPages reads units below another one by pages of every size from both ends, by name, as the owner and as somebody
// who sees some of them.
func TestUnitsByPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	top := w.unit(t, "Top", "")
	var all, some []named
	var keys []string
	for i, name := range names {
		all = append(all, named{w.unit(t, name, top), name})
		if i%2 == 1 {
			some = append(some, all[i])
			keys = append(keys, w.keyIn(t, "Key", w.unit(t, "Below", all[i].id)))
		}
	}
	u := w.user(t, invitee{role: graph.RoleReporting, keys: keys})
	for _, c := range []struct {
		client
		list []named
	}{{w.owner.client, all}, {u.client, some}} {
		slices.SortStableFunc(c.list, func(a, b named) int { return cmp.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
		want := []string{}
		for _, e := range c.list {
			want = append(want, e.id)
		}
		for _, size := range []int{1, 2, 3, len(want), 100} {
			walkUnits(t, c.client, top, want, size)
			walkChildren(t, c.client, top, want, size)
		}
	}
}

func walkUnits(t *testing.T, c client, parent string, want []string, size int) {
	t.Helper()
	var l sortedList
	n := len(want)
	forward, backward := map[string]any{"first": size}, map[string]any{"last": size}
	for from := 0; from < n; from += size {
		p := unitPage(t, c, parent, forward)
		l.check(t, p, want[from:min(from+size, n)], from, n)
		forward["after"] = p.PageInfo.EndCursor
	}
	for to := n; to > 0; to -= size {
		p := unitPage(t, c, parent, backward)
		l.check(t, p, want[max(to-size, 0):to], max(to-size, 0), n)
		backward["before"] = p.PageInfo.StartCursor
	}
}

func walkChildren(t *testing.T, c client, parent string, want []string, size int) {
	t.Helper()
	var l sortedList
	variables := map[string]any{"p": parent, "first": size}
	for from := 0; from < len(want); from += size {
		a := c.post(t, `query($p: ID!, $first: Int, $after: String) { account: node(id: $p) { ... on Unit { list: children(first: $first, after: $after) {
			totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id } } nodes { id } } } } }`, variables)
		p := a.sized(t)
		l.check(t, p, want[from:min(from+size, len(want))], from, len(want))
		variables["after"] = p.PageInfo.EndCursor
	}
}

var belowUnits = []nestedCase{
	{name: "plain", selection: `name depth kind createdAt parent { id name } ancestors { id } children { ` + wholePage + ` nodes { id name } } apiKeys { ` + wholePage + ` nodes { id name } }
		unitGrants { id enabled user { id } unit { id } }`},
	{name: "edges", selection: `children(first: 2) { edges { cursor node { id apiKeys(first: 1) { totalCount edges { cursor node { id } } } } } pageInfo { hasNextPage endCursor } }`},
	{name: "aliases", selection: `a: children(first: 1) { nodes { id } } children(first: 2) { nodes { name } } b: children { totalCount }
		own: apiKeys { totalCount nodes { name } } all: apiKeys(includeDescendants: true) { totalCount nodes { name unit { id } } }`},
	{name: "variables", variables: map[string]any{"two": 2},
		selection: `children(first: $two) { totalCount pageInfo { hasNextPage } nodes { id } } apiKeys(first: $two, includeDescendants: $yes) { totalCount nodes { id } }`},
	{name: "absent variables", selection: `children(first: $two) { totalCount nodes { id } } apiKeys(first: $two, includeDescendants: $no) { nodes { id } }`},
	{name: "left out", selection: `a: children @skip(if: $yes) { nodes { id } } b: apiKeys @include(if: $no) { nodes { id } } parent @include(if: $yes) { id }
		unitGrants @skip(if: $yes) { id }`},
	{name: "deep", selection: `children(first: 2) { nodes { a: children(first: 1) { nodes { name ancestors { name children(first: 2) { totalCount nodes { id } } } } }
		b: children(first: 3) { totalCount nodes { parent { parent { name } } apiKeys(first: 2) { nodes { name unit { name parent { name } } viewerGrant { source inheritedFrom { name depth }
			explanation { source enabled reason unit { name depth } } } } } } } } }`},
	{name: "one fragment in several places", fragments: `fragment F on Unit { children(first: 1) { nodes { name } } }`,
		selection: `parent { ...F children(first: 1) { totalCount } } x: children(first: 2) { nodes { ...F parent { ...F children(first: 1) { pageInfo { hasNextPage } } } } } ...F`},
	{name: "one page twice", selection: `children(first: 1) { nodes { id } } children(first: 1) { edges { node { name } } totalCount }`},
	{name: "rules", selection: `unitGrants { enabled user { id displayName unitGrants { enabled unit { name children(first: 1) { totalCount } } } } unit { apiKeys(first: 1) { nodes { name } } } }`},
	{name: "keys and their grants", selection: `apiKeys(includeDescendants: true) { nodes { name unit { name unitGrants { id } } grants(first: 3) { nodes { enabled source inheritedFrom { name }
		explanation { reason unit { id } } user { id } } } } }`},
}

// TestNestedUnits: what is read for all units of a list at once is what each of them gives alone.
func TestNestedUnits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, asia := w.unit(t, "Europe", ""), w.unit(t, "Asia", "")
	sales, support := w.unit(t, "Sales", europe), w.unit(t, "Support", europe)
	w.unit(t, "Marketing", europe)
	shop := w.unit(t, "Shop", sales)
	a, b, c := w.keyIn(t, "A", europe), w.keyIn(t, "B", shop), w.keyIn(t, "C", asia)
	w.keyIn(t, "D", support)
	w.keyIn(t, "E", shop)
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{c}})
	rita := w.user(t, invitee{role: graph.RoleReporting, keys: []string{a, b, c}, withoutMaster: true})
	w.rule(t, admin.id, europe, true)
	w.rule(t, admin.id, support, false)
	w.rule(t, rita.id, sales, true)
	w.rule(t, rita.id, asia, false)
	token, _ := tokenOf(t, admin.client, usageOnly, a, b, c)
	for name, caller := range map[string]client{"owner": w.owner.client, "administrator": admin.client, "reporting": rita.client, "token": token,
		"operator": operator(t, graph.ScopeSupport)} {
		t.Run(name, func(t *testing.T) {
			for _, n := range belowUnits {
				n.compare(t, caller, w.account, "units", "Unit", "")
			}
		})
	}
	if n := w.owner.srv.Hits(); n != 0 {
		t.Errorf("@visible caught %d", n)
	}
}

// TestUnitReads reads a small tree whole, as its owner and as somebody who sees a part of it.
func TestUnitReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, hidden := w.unit(t, "Europe", ""), w.unit(t, "Hidden", "")
	sales, support := w.unit(t, "Sales", europe), w.unit(t, "Support", europe)
	a := w.keyIn(t, "A", sales)
	w.keyIn(t, "B", sales)
	w.keyIn(t, "C", support)
	w.keyIn(t, "D", hidden)
	w.keyIn(t, "Directly in it", europe)
	w.remove(t, w.keyIn(t, "Deleted", sales))
	rita := w.user(t, invitee{role: graph.RoleReporting, keys: []string{a}})
	w.rule(t, rita.id, hidden, false)
	const query = `{ account { units { totalCount nodes { name depth children { totalCount nodes { name depth ancestors { name } } }
		apiKeys { totalCount nodes { name } } all: apiKeys(includeDescendants: true) { totalCount nodes { name unit { name } } } } } } viewer { user { unitGrants { enabled unit { name } } } } }`
	w.owner.expect(t, query, nil, `{"data":{"account":{"units":{"totalCount":2,"nodes":[
		{"name":"Europe","depth":1,"children":{"totalCount":2,"nodes":[{"name":"Sales","depth":2,"ancestors":[{"name":"Europe"}]},{"name":"Support","depth":2,"ancestors":[{"name":"Europe"}]}]},
			"apiKeys":{"totalCount":1,"nodes":[{"name":"Directly in it"}]},"all":{"totalCount":4,"nodes":[{"name":"A","unit":{"name":"Sales"}},{"name":"B","unit":{"name":"Sales"}},
				{"name":"C","unit":{"name":"Support"}},{"name":"Directly in it","unit":{"name":"Europe"}}]}},
		{"name":"Hidden","depth":1,"children":{"totalCount":0,"nodes":[]},"apiKeys":{"totalCount":1,"nodes":[{"name":"D"}]},
			"all":{"totalCount":1,"nodes":[{"name":"D","unit":{"name":"Hidden"}}]}}]}},"viewer":{"user":{"unitGrants":[]}}}}`)
	rita.expect(t, query, nil, `{"data":{"account":{"units":{"totalCount":1,"nodes":[
		{"name":"Europe","depth":1,"children":{"totalCount":1,"nodes":[{"name":"Sales","depth":2,"ancestors":[{"name":"Europe"}]}]},
			"apiKeys":{"totalCount":0,"nodes":[]},"all":{"totalCount":1,"nodes":[{"name":"A","unit":{"name":"Sales"}}]}}]}},"viewer":{"user":{"unitGrants":[]}}}}`)
	w.rule(t, rita.id, hidden, true)
	if got := rita.text(t, `{ viewer { user { unitGrants { unit { name } } } } }`, nil, "viewer.user.unitGrants.0.unit.name"); got != "Hidden" {
		t.Errorf("one's own rule is for %q", got)
	}
}

// TestHiddenUnitsMatchNothing filters by units that are hidden, missing, or no units.
func TestHiddenUnitsMatchNothing(t *testing.T) {
	t.Parallel()
	w := newUnitWorld(t)
	const query = `query($u: ID!) { account { units(parentId: $u) { totalCount nodes { name } } apiKeys(filter: {unitId: $u}) { totalCount nodes { name } }
		all: apiKeys(filter: {unitId: $u, statuses: [ENABLED, DISABLED, DELETED]}) { totalCount } auditEvents(filter: {unitId: $u}) { nodes { summary } } } node(id: $u) { ... on Unit { name } } }`
	nothing := `{"data":{"account":{"units":{"totalCount":0,"nodes":[]},"apiKeys":{"totalCount":0,"nodes":[]},"all":{"totalCount":0},"auditEvents":{"nodes":[]}},"node":null}}`
	for name, id := range w.hiddenFromBlind() {
		if name == "account" {
			continue // no unit, and visible
		}
		t.Run(name, func(t *testing.T) { w.blind.expect(t, query, map[string]any{"u": id}, nothing) })
	}
	for _, id := range []string{w.hidden, w.below} {
		w.sees.expect(t, query, map[string]any{"u": id}, nothing)
	}
	shown := `{"data":{"account":{"units":{"totalCount":0,"nodes":[]},"apiKeys":{"totalCount":1,"nodes":[{"name":"Key"}]},"all":{"totalCount":1},
		"auditEvents":{"nodes":[{"summary":"Created the unit Seen."}]}},"node":{"name":"Seen"}}}`
	w.sees.expect(t, query, map[string]any{"u": w.seen}, shown)
	w.owner.expect(t, query, map[string]any{"u": w.seen}, shown)
	w.owner.expect(t, query, map[string]any{"u": w.hidden}, `{"data":{"account":{"units":{"totalCount":1,"nodes":[{"name":"Below"}]},"apiKeys":{"totalCount":1,
		"nodes":[{"name":"Hidden key"}]},"all":{"totalCount":1},"auditEvents":{"nodes":[{"summary":"Created the unit Hidden."}]}},"node":{"name":"Hidden"}}}`)
	w.blind.expect(t, query, map[string]any{"u": w.empty}, `{"data":{"account":{"units":{"totalCount":0,"nodes":[]},"apiKeys":{"totalCount":0,"nodes":[]},"all":{"totalCount":0},
		"auditEvents":{"nodes":[{"summary":"Created the unit Empty."}]}},"node":{"name":"Empty"}}}`)
}

// TestKeysBelowUnit: the filter by unit finds keys in it and below it, together with the other filters.
func TestKeysBelowUnit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	units := w.chain(t, 25)
	w.key(t, "Outside")
	deep, gone := w.keyIn(t, "Deepest", units[24]), w.keyIn(t, "Deleted", units[24])
	w.keyIn(t, "Middle", units[12])
	rita := w.user(t, invitee{role: graph.RoleReporting, keys: []string{deep}})
	w.remove(t, gone)
	for _, c := range []struct {
		by     client
		unit   string
		filter string
		want   string
	}{
		{w.owner.client, units[0], ``, "Deepest, Middle"},
		{w.owner.client, units[12], ``, "Deepest, Middle"},
		{w.owner.client, units[13], ``, "Deepest"},
		{w.owner.client, units[24], `, statuses: [DELETED]`, "Deleted"},
		{w.owner.client, units[0], `, search: "midd"`, "Middle"},
		{w.owner.client, units[0], `, enabledForUserId: "` + rita.id + `"`, "Deepest"},
		{w.owner.client, units[13], `, search: "midd"`, ""},
		{rita.client, units[0], ``, "Deepest"},
		{rita.client, units[12], ``, "Deepest"},
	} {
		a := c.by.post(t, `query($u: ID!) { account { apiKeys(filter: {unitId: $u`+c.filter+`}) { nodes { name } } } }`, map[string]any{"u": c.unit})
		sameText(t, "keys with "+c.filter, unitNames(t, a, "account.apiKeys.nodes"), c.want)
	}
	var depths []any
	for i := range units {
		depths = append(depths, float64(i+1))
	}
	var got []any
	for unit := range rita.allUnits(t) {
		got = append(got, unit["depth"])
	}
	if diff := gocmp.Diff(depths, got); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
}

// allUnits walks down what the caller sees, level by level.
func (c client) allUnits(t testing.TB) func(yield func(map[string]any) bool) {
	return func(yield func(map[string]any) bool) {
		next := []any{nil}
		for len(next) > 0 {
			parent := next[0]
			next = next[1:]
			list, _ := c.ask(t, `query($p: ID) { account { units(first: 100, parentId: $p) { nodes { id name depth } } } }`, map[string]any{"p": parent}, "account.units.nodes").([]any)
			for _, n := range list {
				unit := n.(map[string]any)
				next = append(next, unit["id"])
				if !yield(unit) {
					return
				}
			}
		}
	}
}
