package server_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/db/dbtest"
	"grantwood/demo"
)

// path is a way on which somebody might meet keys: an operation that asks for the name of every key as keyName.
type path struct {
	name      string
	query     string
	variables func(o demoObjects, own string) map[string]any // own is the ID of the caller's user
}

// namesIn gives the names of keys, each once, wherever the answer has them.
func namesIn(t testing.TB, a answer) []string {
	t.Helper()
	var names []string
	var walk func(v any)
	walk = func(v any) {
		switch x := v.(type) {
		case map[string]any:
			if name, ok := x["keyName"].(string); ok {
				names = append(names, name)
			}
			for _, inner := range x {
				walk(inner)
			}
		case []any:
			for _, inner := range x {
				walk(inner)
			}
		}
	}
	walk(a.at(t, "account"))
	walk(a.at(t, "nodes"))
	slices.Sort(names)
	return slices.Compact(names)
}

func ids(list []object) []string {
	out := []string{}
	for _, o := range list {
		out = append(out, o.ID)
	}
	return out
}

var ways = []path{
	{name: "list of keys", query: `{ account { apiKeys(first: 100) { nodes { keyName: name } } } }`},
	{name: "edges", query: `{ account { apiKeys(first: 100) { edges { node { keyName: name } } } } }`},
	{name: "backwards", query: `{ account { apiKeys(last: 100) { nodes { keyName: name } } } }`},
	{name: "by creation", query: `{ account { apiKeys(first: 100, orderBy: {field: CREATED_AT, direction: DESC}) { nodes { keyName: name } } } }`},
	{name: "every state", query: `{ account { apiKeys(first: 100, filter: {statuses: [ENABLED, DISABLED, DELETED]}) { nodes { keyName: name } } } }`},
	{name: "enabled for oneself", query: `query($u: ID!) { account { apiKeys(first: 100, filter: {enabledForUserId: $u}) { nodes { keyName: name } } } }`,
		variables: func(_ demoObjects, own string) map[string]any { return map[string]any{"u": own} }},
	{name: "grants", query: `query($u: ID!) { account { grants(first: 100, filter: {enabled: true, userId: $u}) { nodes { key { keyName: name } } } } }`,
		variables: func(_ demoObjects, own string) map[string]any { return map[string]any{"u": own} }},
	{name: "users and their grants", query: `{ account { users(first: 100) { nodes { grants(first: 100) { nodes { key { keyName: name } } } } } } }`},
	{name: "all at once by ID", query: `query($ids: [ID!]!) { nodes(ids: $ids) { ... on ApiKey { keyName: name } } }`,
		variables: func(o demoObjects, _ string) map[string]any { return map[string]any{"ids": ids(o.keys)} }},
	{name: "usage", query: `{ account { usage(first: 100, filter: {products: ["VERIFY"]}) { nodes { key { keyName: name } } } } }`},
	{name: "usage of each key", query: `{ account { apiKeys(first: 100) { nodes { usage(first: 1, filter: {products: ["VOICE"], ` + everAgo + `}) { edges { node { key { keyName: name } } } } } } } }`},
	{name: "usage by ID", query: `query($ids: [ID!]!) { nodes(ids: $ids) { ... on UsageRecord { key { keyName: name } } } }`,
		variables: func(o demoObjects, _ string) map[string]any {
			list := []string{}
			for _, u := range o.usage {
				if strings.HasPrefix(u.Traces[1], "verify ") {
					list = append(list, u.ID)
				}
			}
			return map[string]any{"ids": list}
		}},
	{name: "grants by ID", query: `query($ids: [ID!]!) { nodes(ids: $ids) { ... on Grant { key { keyName: name } } } }`,
		variables: func(o demoObjects, own string) map[string]any {
			list := []string{}
			for pair, id := range o.grants {
				if pair[0] == own {
					list = append(list, id)
				}
			}
			return map[string]any{"ids": list}
		}},
}

// expectedKeys gives the names of the keys that each fixed person sees in the account that they enter.
func expectedKeys(o demoObjects) map[string][]string {
	all := func(account string) []string {
		var names []string
		for _, k := range o.keys {
			if k.Account == account {
				names = append(names, k.Name)
			}
		}
		return names
	}
	admin := []string{"Master key"}
	for _, name := range all(demo.Globex) {
		if strings.HasPrefix(name, "Europe: ") || strings.HasPrefix(name, "Americas: ") {
			admin = append(admin, name)
		}
	}
	return map[string][]string{
		"owner@globex.example":      all(demo.Globex),
		"admin@globex.example":      admin,
		"developer@globex.example":  {"Master key", "Europe: Web shop", "Europe: Mobile app", "Europe: Two-factor login", "Europe: Order tracking", "Europe: Chat"},
		"reporting@globex.example":  {"Asia Pacific: Sales", "Asia Pacific: Support"},
		"contractor@globex.example": {"Americas: Chat", "Americas: Mobile app", "Americas: Web shop"},
		"owner@initech.example":     all(demo.Initech),
	}
}

// TestWhoSeesWhichKeys goes every way to keys as every fixed person.
func TestWhoSeesWhichKeys(t *testing.T) {
	t.Parallel()
	a := apiOn(t, dbtest.OpenNamed(t, demoDatabase(t)))
	o := readDemo(t, a)
	for email, want := range expectedKeys(o) {
		slices.Sort(want)
		c := signIn(t, a, email)
		own := c.text(t, `{ viewer { user { id } } }`, nil, "viewer.user.id")
		owner := strings.HasPrefix(email, "owner@")
		for _, p := range ways {
			if owner && strings.HasPrefix(p.name, "grants") {
				continue // the primary user has no grants
			}
			variables := map[string]any{}
			if p.variables != nil {
				variables = p.variables(o, own)
			}
			got := c.post(t, p.query, variables)
			if diff := cmp.Diff(want, namesIn(t, got)); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s\n%s", email, p.name, diff, got.Body)
			}
		}
		if got := c.ask(t, `{ account { apiKeys { totalCount } } }`, nil, "account.apiKeys.totalCount"); got != float64(len(want)) {
			t.Errorf("%s counts %v keys, want %d", email, got, len(want))
		}
	}
	if hits := a.srv.Hits(); hits != 0 {
		t.Errorf("@visible caught %d objects that SQL let through", hits)
	}
}

// TestHiddenObjectsLeaveNoTrace looks for the IDs, public keys and addresses of hidden objects in everything that the
// corpus of operations answers.
func TestHiddenObjectsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	a := apiOn(t, dbtest.OpenNamed(t, demoDatabase(t)))
	done := prepareOperations(t, a)
	o := readDemo(t, a)
	o.operations = done
	for email, visible := range expectedKeys(o) {
		c := signIn(t, a, email)
		account := c.text(t, `{ account { name } }`, nil, "account.name")
		hidden := hiddenTraces(o, email, account, visible)
		for _, op := range corpus(o) {
			body := string(c.post(t, op.query, op.variables).Body)
			for _, trace := range hidden {
				if strings.Contains(body, trace) && !op.names(trace) {
					t.Errorf("%s: %s\n%v\nbetrays %s:\n%.1000s", email, op.query, op.variables, trace, body)
				}
			}
		}
	}
}

// hiddenTraces gives what would betray the objects that are hidden from a person in their account. The contractor is in
// both accounts under one address: what a visible object shows betrays nothing.
func hiddenTraces(o demoObjects, email, account string, visibleKeys []string) []string {
	var shown, hidden []string
	sort := func(visible bool, traces []string) {
		if visible {
			shown = append(shown, traces...)
		} else {
			hidden = append(hidden, traces...)
		}
	}
	for _, k := range o.keys {
		sort(k.Account == account && slices.Contains(visibleKeys, k.Name), k.Traces)
	}
	for _, u := range o.usage {
		sort(u.Account == account && slices.Contains(visibleKeys, u.Name), u.Traces)
	}
	seesAll := strings.HasPrefix(email, "owner@") || email == "admin@globex.example"
	for _, u := range o.users {
		sort(u.Account == account && (seesAll || slices.Contains(u.Traces, email) || slices.Contains(u.Traces, "owner@globex.example")), u.Traces)
	}
	return slices.DeleteFunc(hidden, func(trace string) bool { return slices.Contains(shown, trace) })
}
