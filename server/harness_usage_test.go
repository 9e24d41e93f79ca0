package server_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"grantwood/graph"
)

// publicKey gives the public part of a key of the world by its ID.
func (w *world) publicKey(t testing.TB, id string) string {
	t.Helper()
	return w.owner.text(t, `query($id: ID!) { node(id: $id) { ... on ApiKey { key } } }`, map[string]any{"id": id}, "node.key")
}

// use is a record of a key, given by its public part, that is fine in every respect.
func use(key, reference string, at time.Time, changes ...any) input {
	return with(input{"key": key, "reference": reference, "product": "SMS", "country": "DE", "quantity": 1, "cost": "0.0125", "occurredAt": at.Format(time.RFC3339Nano)}, changes...)
}

// uses adds records, all of which must be new.
func uses(t testing.TB, records ...input) {
	t.Helper()
	operator(t, graph.ScopeIngest).expect(t, toIngest.document(), variables(input{"records": records, "strict": true}),
		`{"data":{"ingestUsage":{"userErrors":[],"accepted":`+number(len(records))+`,"duplicates":0,"refused":[]}}}`)
}

// used adds a record of a key of the world a minute ago, and gives its ID.
func (w *world) used(t testing.TB, key, reference string, changes ...any) string {
	t.Helper()
	at := time.Now().UTC().Add(-time.Minute).Truncate(time.Microsecond)
	uses(t, use(w.publicKey(t, key), reference, at, changes...))
	account := graph.ParseID(w.account).Account
	return graph.ID{Kind: graph.KindUsage, Account: account, Object: graph.UsageRecordID(account, at, reference)}.String()
}

// corrected adds a record of the key that everybody sees, and corrects it.
func (s *stage) corrected(t testing.TB) string {
	t.Helper()
	id := s.used(t, s.seen.id, "wrong")
	s.used(t, s.seen.id, "right", "replaces", "wrong")
	return id
}

// sorted joins texts in their order.
func sorted(list []string) string {
	list = slices.Sorted(slices.Values(list))
	return strings.Join(list, " ")
}
