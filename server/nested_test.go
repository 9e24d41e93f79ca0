package server_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

// nestedCase is a selection below users or keys, with the variables that it may use.
type nestedCase struct {
	name, selection, fragments string
	variables                  map[string]any
}

// declared are the variables of every nested case.
const declared = `$two: Int, $half: Boolean, $no: Boolean!, $yes: Boolean!, $cursor: String`

const (
	wholePage = `totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }`
	onF       = ` { grants(first: 1) { nodes { enabled } } }`
)

var belowUsers = []nestedCase{
	{name: "plain", selection: `grants { ` + wholePage + ` nodes { id enabled source key { id name } user { id } } }`},
	{name: "edges", selection: `grants(first: 2) { edges { cursor node { id key { id } } } pageInfo { hasNextPage endCursor } }`},
	{name: "aliases", selection: `a: grants(first: 1) { nodes { id } } grants(first: 2) { nodes { key { name } } }
		b: grants(first: 2, enabled: true) { totalCount nodes { id enabled } }`},
	{name: "variables", variables: map[string]any{"two": 2, "half": false},
		selection: `grants(first: $two, enabled: $half, after: $cursor) { totalCount pageInfo { hasPreviousPage } nodes { key { id } } }`},
	{name: "absent variables", selection: `grants(first: $two, enabled: $half) { totalCount nodes { key { id } } }`},
	{name: "null variables", selection: `grants(first: $two, enabled: $half) { nodes { id } }`, variables: map[string]any{"two": nil, "half": nil}},
	{name: "left out", selection: `a: grants(first: 1) @skip(if: $yes) { nodes { id } } b: grants(first: 1) @include(if: $no) { nodes { id } }
		c: grants(first: 1) @skip(if: $no) @include(if: $yes) { nodes { id } totalCount @skip(if: $yes) }`},
	{name: "fragments", selection: `...F ... on User { grants(first: 2) { totalCount } } ... @include(if: $no) { grants(first: 2) { pageInfo { hasNextPage } } }`,
		fragments: `fragment F on User { grants(first: 2) { ...G } } fragment G on GrantConnection { nodes { ... on Grant { id } ... on Node { id }
			key { ...K } } } fragment K on ApiKey { name }`},
	{name: "interfaces", selection: `... on Node { ... on User { grants(first: 1) { nodes { ... on Node { ... on Grant { enabled } } } } }
		... on ApiKey { grants(first: 1) { totalCount } } }`},
	{name: "one fragment in several places", fragments: `fragment F on User` + onF,
		selection: `grants(first: 2) { nodes { a: user { ...F grants(first: 1) { totalCount pageInfo { hasNextPage } } } b: user { ...F }
			c: user { grants(first: 1) { totalCount } ...F } } }`},
	{name: "deep", selection: `grants(first: 2) { nodes { key { name viewerGrant { enabled source key { id } } grants(first: 2, enabled: true) { totalCount
		nodes { user { id displayName grants(first: 1) { nodes { id } } } } } } } }`},
	{name: "one page twice", selection: `grants(first: 2) { nodes { id } } grants(first: 2) { edges { node { key { id } } } totalCount }`},
	{name: "one grant", selection: `grant(keyId: "key_x") { enabled } grants(first: 1) { nodes { user { grants { totalCount } } } }`},
}

var belowKeys = []nestedCase{
	{name: "plain", selection: `grants { ` + wholePage + ` nodes { id enabled source user { id displayName } key { id } } } viewerGrant { id enabled }`},
	{name: "aliases", selection: `a: grants(first: 1) { nodes { id } } b: grants(first: 2, enabled: true) { totalCount nodes { id } }
		v: viewerGrant { source } viewerGrant { user { id } }`},
	{name: "variables", variables: map[string]any{"two": 1, "half": true},
		selection: `grants(first: $two, enabled: $half) { totalCount nodes { user { id } } } viewerGrant @skip(if: $yes) { id }`},
	{name: "one fragment in several places", fragments: `fragment F on ApiKey` + onF,
		selection: `grants(first: 2) { nodes { a: key { ...F grants(first: 1) { totalCount } } b: key { ...F }
			user { grants(first: 1) { nodes { key { ...F } } } } } }`},
}

// TestNestedPages: what is read for all users or keys of a list at once is what each of them gives alone.
func TestNestedPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.key(t, "A"), w.key(t, "B")
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{a}})
	w.user(t, invitee{role: graph.RoleReporting, keys: []string{a, b}, withoutMaster: true})
	w.grant(t, admin.id, w.master, graph.GrantEnabled)
	for name, c := range map[string]client{"owner": w.owner.client, "administrator": admin.client, "operator": operator(t, graph.ScopeSupport)} {
		cursor := c.text(t, `query($id: ID!) { node(id: $id) { ... on User { grants(first: 1) { pageInfo { endCursor } } } } }`, map[string]any{"id": admin.id},
			"node.grants.pageInfo.endCursor")
		t.Run(name, func(t *testing.T) {
			for _, n := range belowUsers {
				n.compare(t, c, w.account, "users", "User", cursor)
			}
			for _, n := range belowKeys {
				n.compare(t, c, w.account, "apiKeys", "ApiKey", cursor)
			}
		})
	}
}

// compare reads the selection below all elements of a list, as nodes, as edges and as both, and below each alone.
func (n nestedCase) compare(t *testing.T, c client, account, field, kind, cursor string) {
	t.Helper()
	variables := map[string]any{"id": account, "no": false, "yes": true, "cursor": cursor}
	for name, value := range n.variables {
		variables[name] = value
	}
	const head = `query($id: ID!, ` + declared + `) `
	// Every declared variable has to be used.
	const used = ` used: node(id: "") @include(if: $no) { ... on User { grants(first: $two, enabled: $half, after: $cursor) { totalCount } }
		... on ApiKey @skip(if: $yes) { id } }`
	s := "{ id ...S }"
	tail := ` fragment S on ` + kind + ` { ` + n.selection + ` } ` + n.fragments
	list := c.post(t, head+`{ account(id: $id) { list: `+field+` { nodes `+s+` } edges: `+field+` { edges { node `+s+` } }
		both: `+field+` { nodes `+s+` edges { node `+s+` } } }`+used+` }`+tail, variables)
	if !list.succeeded() {
		t.Errorf("%s: %s", n.name, list.Body)
		return
	}
	nodes, _ := list.at(t, "account.list.nodes").([]any)
	if len(nodes) < 2 {
		t.Errorf("%s: only %d elements", n.name, len(nodes))
	}
	edges := []any{}
	for _, node := range nodes {
		edges = append(edges, map[string]any{"node": node})
	}
	want := map[string]any{"list": map[string]any{"nodes": nodes}, "edges": map[string]any{"edges": edges},
		"both": map[string]any{"nodes": nodes, "edges": edges}}
	if diff := cmp.Diff(want, list.at(t, "account")); diff != "" {
		t.Errorf("%s: nodes and edges differ:\n%s", n.name, diff)
	}
	for _, node := range nodes {
		variables["id"] = node.(map[string]any)["id"]
		alone := c.post(t, head+`{ node(id: $id) `+`{ id ...S }`+used+` }`+tail, variables)
		if diff := cmp.Diff(node, alone.at(t, "node")); diff != "" {
			t.Errorf("%s: %v (-in the list +alone):\n%s", n.name, variables["id"], diff)
		}
	}
}
