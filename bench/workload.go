package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"grantwood/bench/limit"
)

// ask is what one client asks: of the product and of gqlgen's tutorial, and of the limit.
type ask struct {
	variables map[string]any
	path      string // of the limit, with parameters
	body      any    // posted to the limit when it is not nil
}

// workload is something that clients ask again and again.
type workload struct {
	name, title string
	must, aim   float64 // cost of limit
	query       string
	token       func(*stage) string
	// asks are what a client asks in turn.
	asks func(s *stage, client int) []ask
	// shown is part of every answer that is right.
	shown string
}

// records is the size of a page of records.
const records = limit.PageRecords

// stage is what requests name of the data.
type stage struct {
	cast
	users, keys []string // IDs of users and keys whose grants are switched
	after       string   // cursor at the end of the first page of records
	seen        []string // IDs of keys that the reader sees; for growth
}

func owner(s *stage) string    { return s.Owner }
func reader(s *stage) string   { return s.Reader }
func operator(s *stage) string { return s.Operator }

func instant(t time.Time) string { return t.Format(time.RFC3339) }

// month is the beginning of the last 30 days.
func (s *stage) month() time.Time { return s.To.AddDate(0, 0, -30) }

const recordFields = `id product direction country quantity cost { amount } status occurredAt recordedAt reference`

// workloads are those that are asked over GraphQL; files has the others.
var workloads = []workload{
	{name: "W1", title: "dashboard home: first 50 keys with totals of 30 days", must: 0.80, aim: 1.5, token: reader,
		query: `query Home($from: DateTime!, $to: DateTime!) { viewer { kind capabilities user { id displayName email } }
			account { id name status currency apiKeys(first: 50) { nodes { id key name status
				usageReport(input: {from: $from, to: $to, timeZone: "UTC"}) { totals { records succeeded quantity cost { amount currency } } } }
			totalCount pageInfo { hasNextPage endCursor } } } }`,
		asks: func(s *stage, _ int) []ask {
			return []ask{{variables: s.period(), path: "/home?" + s.parameters()}}
		}},
	{name: "W2", title: "account tree: 100 users × 20 grants × key", must: 0.75, aim: 0.85, token: owner,
		query: `query Tree { account { id name users(first: 100) { nodes { id displayName email isPrimary status createdAt
			grants(first: 20) { nodes { enabled source key { id key name status } } } } } } }`,
		asks: func(*stage, int) []ask { return []ask{{path: "/tree"}} }},
	{name: "W3", title: "30 days of 100 keys by day and product", must: 0.90, aim: 1.7, token: reader,
		query: `query Report($from: DateTime!, $to: DateTime!) { account { usageReport(input: {from: $from, to: $to, groupBy: [DAY, PRODUCT], timeZone: "UTC"}) {
			rows { periodStart product totals { records quantity cost { amount } } } } } }`,
		asks: func(s *stage, _ int) []ask {
			return []ask{{variables: s.period(), path: "/report?" + s.parameters()}}
		}},
	{name: "W4", title: "1,000 records × 10 fields, second page", must: 0.80, aim: 0.95, token: reader,
		query: `query Records($first: Int!, $after: String, $from: DateTime!) { account { usage(first: $first, after: $after, filter: {from: $from}) {
			nodes { ` + recordFields + ` } pageInfo { hasNextPage endCursor } } } }`,
		asks: func(s *stage, _ int) []ask {
			return []ask{{variables: map[string]any{"first": records, "after": s.after, "from": instant(s.From)},
				path: "/records?" + url.Values{"after": {s.after}, "from": {instant(s.From)}}.Encode()}}
		}},
	{name: "W5", title: "switch one grant", must: 0.80, aim: 0.95, token: owner,
		query: `mutation Switch($in: SetGrantInput!) { setGrant(input: $in) { grant { id enabled source user { displayName } key { id name } }
			userErrors { code } } }`,
		shown: `"userErrors":[]`,
		asks: func(s *stage, client int) []ask {
			var list []ask
			for _, state := range []string{"ENABLED", "DISABLED"} {
				in := map[string]any{"userId": s.users[client%len(s.users)], "keyId": s.keys[client%len(s.keys)], "state": state}
				list = append(list, ask{variables: map[string]any{"in": in}, path: "/grant", body: in})
			}
			return list
		}},
	{name: "W7", title: "verify a key and its secret", must: 0.80, aim: 0.95, token: operator,
		query: `query Verify($key: String!, $secret: String!) { verifyApiKey(key: $key, secret: $secret) { result accountId keyId } }`,
		shown: `"VALID"`,
		asks: func(s *stage, _ int) []ask {
			in := map[string]any{"key": s.Key, "secret": s.Secret}
			return []ask{{variables: in, path: "/verify", body: in}}
		}},
}

func (s *stage) period() map[string]any {
	return map[string]any{"from": instant(s.month()), "to": instant(s.To)}
}

func (s *stage) parameters() string {
	return url.Values{"from": {instant(s.month())}, "to": {instant(s.To)}}.Encode()
}

// graphQL gives a client's requests as a GraphQL server at the address takes them.
func (w *workload) graphQL(s *stage, addr string, client int) [][]byte {
	var list [][]byte
	for _, a := range w.asks(s, client) {
		list = append(list, graphQL(addr, bearer(w.token(s)), w.query, a.variables))
	}
	return list
}

// graphQL writes a request for a document.
func graphQL(addr, authorization, query string, variables map[string]any) []byte {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		panic(fmt.Sprintf("the variables of %s: %v", query, err)) // they are texts and numbers
	}
	return wire("POST", addr, "/graphql", authorization, body)
}

// byHand gives them as the limit takes them.
func (w *workload) byHand(s *stage, addr string, client int) [][]byte {
	var list [][]byte
	for _, a := range w.asks(s, client) {
		if a.body == nil {
			list = append(list, wire("GET", addr, a.path, bearer(w.token(s)), nil))
			continue
		}
		body, err := json.Marshal(a.body)
		if err != nil {
			panic(fmt.Sprintf("the body of %s: %v", w.name, err)) // likewise
		}
		list = append(list, wire("POST", addr, a.path, bearer(w.token(s)), body))
	}
	return list
}
