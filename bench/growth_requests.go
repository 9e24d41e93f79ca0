package main

import (
	"encoding/base64"
)

// growthPage is the size of pages of records where an account may have few of them.
const growthPage = 50

// question is a request to an account of the database for growth.
type question struct {
	title, query, shown string
	// who shows a credential.
	who func(c *samples, a *sample) string
	// variables are those of the requests of a client, which it makes in turn.
	variables func(c *samples, a *sample, client int) []map[string]any
}

// requests gives those of a client to an account, as they are sent.
func (q *question) requests(c *samples, a *sample, addr string, client int) [][]byte {
	var list [][]byte
	for _, v := range q.variables(c, a, client) {
		list = append(list, graphQL(addr, q.who(c, a), q.query, v))
	}
	return list
}

func byOwner(_ *samples, a *sample) string    { return bearer(a.Owner) }
func byReader(_ *samples, a *sample) string   { return bearer(a.Reader) }
func byFew(_ *samples, a *sample) string      { return bearer(a.Few) }
func byOperator(c *samples, _ *sample) string { return bearer(c.Operator) }
func byKeyItself(_ *samples, a *sample) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(a.Key+":"+a.Secret))
}

// always are the same variables for every client.
func always(variables func(c *samples, a *sample) map[string]any) func(*samples, *sample, int) []map[string]any {
	return func(c *samples, a *sample, _ int) []map[string]any { return []map[string]any{variables(c, a)} }
}

func noVariables(*samples, *sample) map[string]any { return nil }

// lastMonth is the period of the last 30 days.
func lastMonth(c *samples, _ *sample) map[string]any {
	return map[string]any{"from": instant(c.To.AddDate(0, 0, -30)), "to": instant(c.To)}
}

// pageOfAll is a page of records from the beginning on.
func pageOfAll(c *samples, _ *sample) map[string]any {
	return map[string]any{"first": growthPage, "from": instant(c.From)}
}

func keyAndSecret(_ *samples, a *sample) map[string]any {
	return map[string]any{"key": a.Key, "secret": a.Secret}
}

const (
	keysQuery    = `query Keys { account { apiKeys(first: 50) { nodes { id key name status } pageInfo { hasNextPage endCursor } } } }`
	countQuery   = `query Count { account { apiKeys(first: 50) { nodes { id key name status } totalCount pageInfo { hasNextPage endCursor } } } }`
	totalsQuery  = `query Totals($from: DateTime!, $to: DateTime!) { account { apiKeys(first: 50) { nodes { id key name status ` + totalsField + ` } pageInfo { hasNextPage endCursor } } } }`
	totalsField  = `usageReport(input: {from: $from, to: $to, timeZone: "UTC"}) { totals { records succeeded quantity cost { amount currency } } }`
	recordsQuery = `query Records($first: Int!, $from: DateTime!) { account { usage(first: $first, filter: {from: $from}) {
		nodes { ` + recordFields + ` } pageInfo { hasNextPage endCursor } } } }`
)

// keyGrowth are the requests whose cost is measured by the number of keys of an account.
var keyGrowth = []question{
	{title: "first 50 keys, of all", query: keysQuery, who: byOwner, variables: always(noVariables)},
	{title: "first 50 keys, of 100 visible ones", query: keysQuery, who: byReader, variables: always(noVariables)},
	{title: "first 50 keys and `totalCount`, of all", query: countQuery, who: byOwner, variables: always(noVariables)},
	{title: "first 50 keys with totals of 30 days, of all", query: totalsQuery, who: byOwner, variables: always(lastMonth)},
	{title: "first 50 keys with totals of 30 days, of 100 visible ones", query: totalsQuery, who: byReader, variables: always(lastMonth)},
	{title: "W2: 100 users × 20 grants × key", query: workloadNamed("W2").query, who: byOwner, variables: always(noVariables)},
	{title: "50 records, of 100 visible keys", query: recordsQuery, who: byReader, variables: always(pageOfAll)},
	{title: "50 records, of 6 visible keys", query: recordsQuery, who: byFew, variables: always(pageOfAll)},
	{title: "W7: verify a key and its secret", query: workloadNamed("W7").query, shown: `"VALID"`, who: byOperator, variables: always(keyAndSecret)},
	{title: "report of 30 days by day and product, of all keys", query: workloadNamed("W3").query, who: byOwner, variables: always(lastMonth)},
	{title: "W5: switch one grant", query: workloadNamed("W5").query, shown: workloadNamed("W5").shown, who: byOwner,
		variables: func(_ *samples, a *sample, client int) (list []map[string]any) {
			for _, state := range []string{"ENABLED", "DISABLED"} {
				list = append(list, map[string]any{"in": map[string]any{"userId": a.Users[client%len(a.Users)],
					"keyId": a.Switched[client%len(a.Switched)], "state": state}})
			}
			return list
		}},
}

// accountGrowth are those whose cost is measured by the number of accounts that are active at once.
var accountGrowth = []question{
	{title: "W1: dashboard home, all 20 keys with totals of 30 days", query: workloadNamed("W1").query, who: byReader, variables: always(lastMonth)},
	{title: "first 50 keys", query: keysQuery, who: byReader, variables: always(noVariables)},
	{title: "50 records, asked by a key about itself", query: recordsQuery, who: byKeyItself, variables: always(pageOfAll)},
	{title: "W7: verify a key and its secret", query: workloadNamed("W7").query, shown: `"VALID"`, who: byOperator, variables: always(keyAndSecret)},
}

// recordGrowth are those whose cost is measured by the number of records of an account.
var recordGrowth = []workload{
	workloadTitled("W1"), workloadTitled("W3"), workloadTitled("W4"),
	{title: "W4's first page", token: reader, query: recordsQuery, asks: func(s *stage, _ int) []ask {
		return []ask{{variables: map[string]any{"first": records, "from": instant(s.From)}}}
	}},
	{title: "50 records of one key", token: reader, query: `query OfKey($id: ID!, $first: Int!, $from: DateTime!) { node(id: $id) { ... on ApiKey {
		usage(first: $first, filter: {from: $from}) { nodes { ` + recordFields + ` } pageInfo { hasNextPage endCursor } } } } }`,
		shown: `"hasNextPage":true`,
		asks: func(s *stage, client int) []ask {
			return []ask{{variables: map[string]any{"id": s.seen[client%len(s.seen)], "first": growthPage, "from": instant(s.From)}}}
		}},
}

// workloadNamed gives a workload by its name.
func workloadNamed(name string) workload {
	for _, w := range workloads {
		if w.name == name {
			return w
		}
	}
	panic("there is no workload " + name)
}

// workloadTitled gives a workload with its name in the title.
func workloadTitled(name string) workload {
	w := workloadNamed(name)
	w.title = name + ": " + w.title
	return w
}
