package server_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/db/dbtest"
	"grantwood/graph"
)

func TestSwitchIsSeenAtTheNextRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.key(t, "Europe")
	u := w.user(t, invitee{role: graph.RoleReporting})
	for range 2 {
		w.grant(t, u.id, k, graph.GrantEnabled)
		if diff := cmp.Diff([]string{"Europe", "Master key"}, u.names(t)); diff != "" {
			t.Errorf("enabled (-want +got):\n%s", diff)
		}
		w.grant(t, u.id, k, graph.GrantDisabled)
		if diff := cmp.Diff([]string{"Master key"}, u.names(t)); diff != "" {
			t.Errorf("disabled (-want +got):\n%s", diff)
		}
	}
}

// wholeView reads everything that shows whether somebody sees a key.
const wholeView = `query($k: ID!) {
	node(id: $k) { id } nodes(ids: [$k]) { id }
	account { apiKeys { totalCount nodes { id } } grants { totalCount nodes { enabled source key { id } } } }
	viewer { user { grant(keyId: $k) { enabled } grants { totalCount nodes { key { id } } } } } }`

// view is the answer to wholeView of somebody who sees the master key, by default, and nothing else but keys with an
// explicit grant.
func (w *world) view(key string, keys ...string) string {
	list, grants, below := fmt.Sprintf(`{"id":%q}`, w.master), fmt.Sprintf(`{"enabled":true,"source":"DEFAULT","key":{"id":%q}}`, w.master),
		fmt.Sprintf(`{"key":{"id":%q}}`, w.master)
	node, grant := "null", "null"
	for _, k := range keys {
		list = fmt.Sprintf(`{"id":%q},`, k) + list // by name: before the master key
		grants += fmt.Sprintf(`,{"enabled":true,"source":"EXPLICIT","key":{"id":%q}}`, k)
		below += fmt.Sprintf(`,{"key":{"id":%q}}`, k)
		if k == key {
			node, grant = fmt.Sprintf(`{"id":%q}`, k), `{"enabled":true}`
		}
	}
	return fmt.Sprintf(`{"data":{"node":%s,"nodes":[%[1]s],
		"account":{"apiKeys":{"totalCount":%[2]d,"nodes":[%[3]s]},"grants":{"totalCount":%[2]d,"nodes":[%[4]s]}},
		"viewer":{"user":{"grant":%[5]s,"grants":{"totalCount":%[2]d,"nodes":[%[6]s]}}}}}`, node, 1+len(keys), list, grants, grant, below)
}

// endGrant makes a grant one whose time is over.
const endGrant = `UPDATE grants SET expires_at = now() - interval '1 microsecond' WHERE account_id = $1 AND user_id = $2 AND key_id = $3`

// TestExpiredGrantIsGoneEverywhere: the end of a grant takes effect by itself. Nothing else about the user changes, so that
// what is remembered about what they see must know the end too.
func TestExpiredGrantIsGoneEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, u := w.key(t, "Europe"), w.user(t, invitee{role: graph.RoleReporting})
	in := input{"userId": u.id, "keyId": k, "state": "ENABLED", "expiresAt": time.Now().Add(time.Hour).Format(time.RFC3339)}
	w.owner.done(t, toSetGrant, in)
	u.expect(t, wholeView, map[string]any{"k": k}, w.view(k, k))
	version := texts(t, `SELECT rules_version::text FROM users WHERE user_id = $1`, rowOf(u.id))
	w.edit(t, endGrant, rowOf(u.id), rowOf(k))
	u.expect(t, wholeView, map[string]any{"k": k}, w.view(k))
	if diff := cmp.Diff(version, texts(t, `SELECT rules_version::text FROM users WHERE user_id = $1`, rowOf(u.id))); diff != "" {
		t.Errorf("version of the rules (-before +after):\n%s", diff)
	}
	// The owner sees that the default decides; a grant without an end brings the key back.
	w.owner.expect(t, `query($u: ID!, $k: ID!) { node(id: $u) { ... on User { grant(keyId: $k) { enabled source expiresAt updatedAt } } } }`,
		map[string]any{"u": u.id, "k": k}, `{"data":{"node":{"grant":{"enabled":false,"source":"DEFAULT","expiresAt":null,"updatedAt":null}}}}`)
	w.grant(t, u.id, k, graph.GrantEnabled)
	u.expect(t, wholeView, map[string]any{"k": k}, w.view(k, k))
	// For the master key the default is to be enabled.
	w.owner.done(t, toSetGrant, with(in, "keyId", w.master))
	w.edit(t, endGrant, rowOf(u.id), rowOf(w.master))
	u.expect(t, wholeView, map[string]any{"k": k}, w.view(k, k))
}

// TestGrantEndsOnTime asks until a grant has ended: who asks before the end sees the key, who asks after it does not.
func TestGrantEndsOnTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, u := w.key(t, "Europe"), w.user(t, invitee{role: graph.RoleReporting})
	w.grant(t, u.id, k, graph.GrantEnabled)
	end := time.Now().Add(300 * time.Millisecond).Truncate(time.Microsecond)
	w.edit(t, `UPDATE grants SET expires_at = $3 WHERE account_id = $1 AND user_id = $2`, rowOf(u.id), end)
	w.edit(t, `UPDATE users SET rules_version = rules_version + 1 WHERE account_id = $1 AND user_id = $2`, rowOf(u.id)) // as setting it does
	own := client{apiOn(t, dbtest.Open(t)), u.token}
	var asked time.Time
	for asked.Before(end) {
		asked = time.Now()
		a := own.post(t, wholeView, map[string]any{"k": k})
		if time.Now().Before(end) {
			a.is(t, w.view(k, k))
		}
		if asked.After(end) {
			a.is(t, w.view(k))
		}
	}
	if n := own.srv.Hits(); n != 0 {
		t.Errorf("the second check has caught %d hidden objects: a statement forgot the end", n)
	}
}

// TestGrantsOfDeletedKey: a deleted key leaves the lists, and is still reached by those who see it.
func TestGrantsOfDeletedKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.key(t, "Deleted")
	sees := w.user(t, invitee{role: graph.RoleReporting, keys: []string{k}})
	blind := w.user(t, invitee{role: graph.RoleReporting})
	w.remove(t, k)
	const query = `query($k: ID!) { node(id: $k) { ... on ApiKey { name status } } account { apiKeys { totalCount }
		deleted: apiKeys(filter: {statuses: [DELETED]}) { totalCount nodes { name viewerGrant { enabled } } } grants { totalCount } } }`
	const gone = `"apiKeys":{"totalCount":1},"grants":{"totalCount":1}`
	sees.expect(t, query, map[string]any{"k": k}, `{"data":{"node":{"name":"Deleted","status":"DELETED"},"account":{`+gone+`,
		"deleted":{"totalCount":1,"nodes":[{"name":"Deleted","viewerGrant":{"enabled":true}}]}}}}`)
	blind.expect(t, query, map[string]any{"k": k}, `{"data":{"node":null,"account":{`+gone+`,"deleted":{"totalCount":0,"nodes":[]}}}}`)
}
