package server_test

import (
	"fmt"
	"strings"
	"testing"

	"grantwood/graph"
)

const tooComplex = `{"errors":[{"extensions":{"code":"COMPLEXITY_LIMIT_EXCEEDED"}}]}`

// cubedBy selects nested pages of a size, seen from both ends.
func cubedBy(size string) string {
	return strings.ReplaceAll(`{ account { users(last: N) { edges { node { grants(first: N) { edges { node { key { grants(first: N) {
		totalCount } } } } } } } } } }`, "N", size)
}

// TestCost: nested pages multiply, however they are written; what a dashboard asks at most is allowed.
func TestCost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	many := ""
	for i := range 60 {
		many += fmt.Sprintf("a%d: users(first: 100) { nodes { grants(first: 20) { totalCount } } } ", i)
	}
	for name, c := range map[string]struct {
		query     string
		variables map[string]any
		refused   bool
	}{
		"100 users with 20 grants and their keys": {query: `{ account { users(first: 100) { totalCount pageInfo { hasNextPage endCursor }
			nodes { id displayName email role status grants(first: 20) { totalCount
				nodes { id enabled source expiresAt key { id name kind status isMaster } } } } } } }`},
		"the same with the default size": {query: `{ account { users(first: 100) { nodes { grants { nodes { key { id name } } } } } } }`},
		"a hundred cubed":                {query: cubed, refused: true},
		"in variables":                   {query: `query($n: Int) ` + cubedBy("$n"), variables: map[string]any{"n": 100}, refused: true},
		"small variables":                {query: `query($n: Int) ` + cubedBy("$n"), variables: map[string]any{"n": 10}},
		"variables with defaults":        {query: `query($n: Int = 100) ` + cubedBy("$n"), refused: true},
		"in fragments": {query: `{ account { users(first: 100) { ...A } } } fragment A on UserConnection { nodes { ...B } }
			fragment B on User { grants(first: 100) { ...C } }
			fragment C on GrantConnection { nodes { ... on Grant { key { grants(first: 100) { totalCount } } } } }`, refused: true},
		"by aliases": {query: `{ account { ` + many + `} }`, refused: true},
		"in a mutation": {query: `mutation { signOut { endedSessions } signIn(input: {email: "a@b.example", password: "x"}) {
			viewer ` + cubedBy("100") + ` } }`, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			if !c.refused {
				w.owner.ask(t, c.query, c.variables, "account")
				return
			}
			w.unchanged(t, func() { w.owner.expect(t, c.query, c.variables, tooComplex) })
		})
	}
}

// TestTokens: a long document is taken, one that is too long is not (see unrunnable).
func TestTokens(t *testing.T) {
	t.Parallel()
	operator(t, graph.ScopeVerify).expect(t, "{ nodes(ids: ["+strings.Repeat(`"x" `, 14_900)+"]) { id } }", nil,
		`{"data":{"nodes":null},"errors":[{"path":["nodes"],"extensions":{"code":"BAD_USER_INPUT","argument":["ids"]}}]}`)
}
