package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"grantwood/db/dbtest"
	"grantwood/graph"
)

// TestSabotageShowsNothing lets the predicate of SQL lie: the paths of units say that a hidden unit lies in an enabled one,
// while the tree, from which the second source decides, does not. Whatever SQL lets through is caught by @visible and
// counted, and nothing of it is shown on any way.
func TestSabotageShowsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, asia := w.unit(t, "Europe", ""), w.unit(t, "Asia", "")
	w.keyIn(t, "Berlin", europe)
	hidden := w.keyIn(t, "Tokyo", asia)
	reader := w.user(t, invitee{role: graph.RoleAdministrator, withoutMaster: true})
	w.rule(t, reader.id, europe, true)
	w.edit(t, `INSERT INTO unit_paths (account_id, unit_id, distance, above_id) VALUES ($1, $2, 1, $3)`, rowOf(asia), rowOf(europe))
	for _, c := range []struct {
		query string
		want  string
	}{
		{`{ account { apiKeys { nodes { name } } } }`, `{"data":{"account":{"apiKeys":{"nodes":[{"name":"Berlin"}]}}}}`},
		{`{ account { apiKeys { edges { node { name } } } } }`, `{"data":{"account":{"apiKeys":{"edges":[{"node":{"name":"Berlin"}}]}}}}`},
		{`query($k: ID!) { node(id: $k) { id } }`, `{"data":{"node":null}}`},
		{`query($k: ID!, $u: ID!) { nodes(ids: [$k, $u]) { id } }`, `{"data":{"nodes":[null,null]}}`},
		{`{ account { units { nodes { name children { nodes { name } } } } } }`, `{"data":{"account":{"units":{"nodes":[{"name":"Europe","children":{"nodes":[]}}]}}}}`},
		{`{ account { units { nodes { apiKeys(includeDescendants: true) { nodes { name unit { name } } } } } } }`,
			`{"data":{"account":{"units":{"nodes":[{"apiKeys":{"nodes":[{"name":"Berlin","unit":{"name":"Europe"}}]}}]}}}}`},
		{`query($k: ID!) { viewer { user { grant(keyId: $k) { enabled } } } }`, `{"data":{"viewer":{"user":{"grant":null}}}}`},
		{`{ viewer { user { grants { nodes { key { name } } } } } }`, `{"data":{"viewer":{"user":{"grants":{"nodes":[{"key":{"name":"Berlin"}}]}}}}}`},
		{`query($u: ID!) { account { auditEvents(filter: {unitId: $u}) { nodes { summary } } } }`, `{"data":{"account":{"auditEvents":{"nodes":[]}}}}`},
		{`query($k: ID!) { account { auditEvents(filter: {keyId: $k}) { nodes { summary } } } }`, `{"data":{"account":{"auditEvents":{"nodes":[]}}}}`},
	} {
		alone := client{apiOn(t, dbtest.Open(t)), reader.token} // counts for itself
		a := alone.expect(t, c.query, map[string]any{"k": hidden, "u": asia}, c.want)
		if strings.Contains(string(a.Body), "Tokyo") || strings.Contains(string(a.Body), "Asia") {
			t.Errorf("%s shows %s", c.query, a.Body)
		}
		children := strings.Contains(c.query, "children") // goes by the parent, which is true
		if n := alone.srv.Hits(); n == 0 && !children {
			t.Errorf("%s: nothing was caught, so SQL did not lie", c.query)
		}
	}
}

// TestGrantEndsWithoutAJob lends a key for a moment and watches it end by itself: for lists, counts, nodes and own grants of
// the user, and for a token of theirs. Nothing else happens in the account meanwhile.
func TestGrantEndsWithoutAJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.keyIn(t, "Lent", w.unit(t, "Europe", ""))
	u := w.user(t, invitee{role: graph.RoleAdministrator, withoutMaster: true})
	end := time.Now().Add(3 * time.Second).UTC().Truncate(time.Microsecond)
	w.owner.done(t, toSetGrant, input{"userId": u.id, "keyId": k, "state": "ENABLED", "expiresAt": end.Format(time.RFC3339Nano)})
	partner := client{u.api, u.text(t, `mutation($k: ID!, $e: DateTime!) { createAccessToken(input: {name: "Partner", keyIds: [$k], expiresAt: $e}) {
		userErrors { code } token } }`, map[string]any{"k": k, "e": time.Now().Add(time.Hour).Format(time.RFC3339)}, "createAccessToken.token")}
	const lists = `query($k: ID!) { account { apiKeys { totalCount nodes { id } } units { totalCount nodes { id } } } node(id: $k) { id } }`
	unit := w.owner.text(t, `{ account { units { nodes { id } } } }`, nil, "account.units.nodes.0.id")
	seen := fmt.Sprintf(`{"data":{"account":{"apiKeys":{"totalCount":1,"nodes":[{"id":%q}]},"units":{"totalCount":1,"nodes":[{"id":%q}]}},"node":{"id":%[1]q}}}`, k, unit)
	const gone = `{"data":{"account":{"apiKeys":{"totalCount":0,"nodes":[]},"units":{"totalCount":0,"nodes":[]}},"node":null}}`
	for ended := false; !ended; time.Sleep(20 * time.Millisecond) { // asks again, waits for nothing
		for _, c := range []client{u.client, partner} {
			before := time.Now()
			a := c.post(t, lists, map[string]any{"k": k})
			switch after := time.Now(); {
			case after.Before(end):
				a.is(t, seen)
			case !before.Before(end):
				a.is(t, gone)
				ended = true
			default: // the grant ended while the request was on its way
			}
		}
	}
	u.expect(t, `query($k: ID!) { account { auditEvents(filter: {keyId: $k}) { nodes { id } } } viewer { user { grant(keyId: $k) { id } unitGrants { id } } } }`,
		map[string]any{"k": k}, `{"data":{"account":{"auditEvents":{"nodes":[]}},"viewer":{"user":{"grant":null,"unitGrants":[]}}}}`)
	if n := u.srv.Hits(); n != 0 {
		t.Errorf("@visible caught %d objects", n)
	}
}
