package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"grantwood/graph"
)

var toSetGrant = mutation{
	field: "setGrant", inputType: "SetGrantInput", results: []string{"grant"},
	selection: "grant { id user { id } key { id } enabled source expiresAt updatedAt }",
}

func TestSetGrant(t *testing.T) {
	t.Parallel()
	bad := input{"userId": "", "keyId": "", "state": "DISABLED", "expiresAt": "2016-06-29T09:00:00Z"}
	t.Run("done", setGrantDone)
	t.Run("repeated", setGrantRepeated)
	t.Run("unauthenticated", notSignedIn(toSetGrant, bad))
	t.Run("forbidden", forbidden(toSetGrant, graph.ManageGrants, bad))
	people := newGrantPeople(t) // the rest changes nothing in it
	t.Run("hidden", people.hiddenKey)
	t.Run("missing", people.missing)
	t.Run("invalid", people.invalid)
	t.Run("own", people.own)
	t.Run("primary user", people.primary)
	t.Run("deleted key", people.deletedKey)
}

// grantPeople are a world in which every change of a grant is refused: a hidden and a deleted key, somebody who sees what was
// deleted and the master key, and somebody who sees nothing.
type grantPeople struct {
	w               *world
	hidden, deleted string
	u, sees, blind  member
}

var grantStates = []string{"ENABLED", "DISABLED", "INHERIT"}

// grantChange is a change of a grant and what comes of it.
type grantChange struct {
	key, name, state string
	end              any // text, or nil for none
	enabled          bool
	changes          string
}

// answer is what the change answers. What only the server knows is taken from what it says.
func (c grantChange) answer(t testing.TB, a answer, user string) string {
	t.Helper()
	source, updated, end := "EXPLICIT", a.at(t, "setGrant.grant.updatedAt"), "null"
	if c.state == "INHERIT" {
		source = "DEFAULT"
	} else {
		updated = instant(t, updated).Format(time.RFC3339Nano)
	}
	if c.end != nil {
		end = fmt.Sprintf("%q", c.end)
	}
	id := graph.ID{Kind: graph.KindGrant, Account: graph.ParseID(user).Account, Object: rowOf(user), Second: rowOf(c.key)}
	at, err := json.Marshal(updated)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"data":{"setGrant":{"userErrors":[],"grant":{"id":%q,"user":{"id":%q},"key":{"id":%q},"enabled":%t,"source":%q,
		"expiresAt":%s,"updatedAt":%s}}}}`, id, user, c.key, c.enabled, source, end, at)
}

// event is what the change leaves in the audit trail.
func (c grantChange) event(by, user member) event {
	action := map[string]string{"ENABLED": "GRANT_ENABLED", "DISABLED": "GRANT_DISABLED", "INHERIT": "GRANT_RESET"}[c.state]
	sentence := map[string]string{"ENABLED": "Enabled the key %s for %s.", "DISABLED": "Disabled the key %s for %s.",
		"INHERIT": "Reset the key %s for %s to its default."}[c.state]
	return event{Action: action, Actor: by.id, ActorLabel: by.display(), User: user.id, Key: c.key, Summary: fmt.Sprintf(sentence, c.name, user.display()),
		Changes: c.changes, IPAddress: "127.0.0.1"}
}

func setGrantDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, u := w.key(t, "Europe"), w.user(t, invitee{role: graph.RoleReporting})
	admin := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageGrants}, keys: []string{k}})
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
	for _, c := range []grantChange{
		{k, "Europe", "ENABLED", nil, true, "state: INHERIT -> ENABLED"},
		{k, "Europe", "ENABLED", end, true, "expiresAt:  -> " + end},
		{k, "Europe", "DISABLED", nil, false, "state: ENABLED -> DISABLED; expiresAt: " + end + " -> "},
		{k, "Europe", "INHERIT", nil, false, "state: DISABLED -> INHERIT"},
		{w.master, "Master key", "DISABLED", nil, false, "state: INHERIT -> DISABLED"},
		{w.master, "Master key", "INHERIT", nil, true, "state: DISABLED -> INHERIT"},
		{w.master, "Master key", "ENABLED", nil, true, "state: INHERIT -> ENABLED"},
	} {
		a := admin.done(t, toSetGrant, input{"userId": u.id, "keyId": c.key, "state": c.state, "expiresAt": c.end})
		a.is(t, c.answer(t, a, u.id))
		w.tells(t, a, c.event(admin, u))
		seen := `{"data":{"node":null}}`
		if c.enabled {
			seen = `{"data":{"node":{"id":"` + c.key + `"}}}`
		}
		u.expect(t, `query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": c.key}, seen)
	}
}

// setGrantRepeated: a repeated call says the same to the byte, and changes nothing: no second event, no later time.
func setGrantRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, u := w.key(t, "Europe"), w.user(t, invitee{role: graph.RoleReporting})
	end := time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano)
	for _, in := range []input{
		{"userId": u.id, "keyId": k, "state": "INHERIT"}, // from the beginning
		{"userId": u.id, "keyId": k, "state": "ENABLED"},
		{"userId": u.id, "keyId": k, "state": "ENABLED", "expiresAt": end},
		{"userId": u.id, "keyId": k, "state": "DISABLED"},
		{"userId": u.id, "keyId": k, "state": "INHERIT"},
		{"userId": u.id, "keyId": w.master, "state": "DISABLED"},
	} {
		first := w.owner.done(t, toSetGrant, in)
		w.unchanged(t, func() {
			if second := w.owner.done(t, toSetGrant, in); !bytes.Equal(first.Body, second.Body) {
				t.Errorf("first %s\nthen %s", first.Body, second.Body)
			}
		})
	}
}

// hiddenKey: a key that the caller does not see is as good as none, be it deleted or the master key.
func (p grantPeople) hiddenKey(t *testing.T) {
	t.Parallel()
	ids := p.w.noKeys(t)
	ids["hidden"], ids["hidden and deleted"], ids["hidden master key"] = p.hidden, p.deleted, p.w.master
	for _, state := range grantStates {
		p.w.alike(t, p.blind.client, toSetGrant, func(id string) input { return input{"userId": p.u.id, "keyId": id, "state": state} }, ids,
			toSetGrant.refused(problem("NOT_FOUND", "input.keyId")))
	}
}

func (p grantPeople) missing(t *testing.T) {
	t.Parallel()
	p.w.alike(t, p.w.owner.client, toSetGrant, func(id string) input { return input{"userId": id, "keyId": p.w.master, "state": "DISABLED"} },
		p.w.noUsers(t), toSetGrant.refused(problem("NOT_FOUND", "input.userId")))
	p.w.alike(t, p.w.owner.client, toSetGrant, func(id string) input { return input{"userId": p.u.id, "keyId": id, "state": "DISABLED"} },
		p.w.noKeys(t), toSetGrant.refused(problem("NOT_FOUND", "input.keyId")))
}

func (p grantPeople) invalid(t *testing.T) {
	t.Parallel()
	in := input{"userId": p.u.id, "keyId": p.w.master}
	past, future := time.Now().Add(-time.Second).Format(time.RFC3339Nano), time.Now().Add(time.Hour).Format(time.RFC3339)
	p.w.unchanged(t, func() {
		for _, c := range []struct{ state, end string }{{"ENABLED", past}, {"ENABLED", "0001-01-01T00:00:00Z"}, {"DISABLED", future}, {"INHERIT", future}} {
			p.w.owner.fails(t, toSetGrant, with(in, "state", c.state, "expiresAt", c.end), toSetGrant.refused(problem("INVALID", "input.expiresAt")))
		}
		for _, end := range []any{"tomorrow", "2036-06-29", "2036-06-29T09:00:00", "2036-02-30T09:00:00Z", 2093245200, ""} {
			p.w.owner.fails(t, toSetGrant, with(in, "state", "ENABLED", "expiresAt", end),
				`{"data":{"setGrant":null},"errors":[{"path":["setGrant"],"extensions":{"code":"BAD_USER_INPUT","argument":["input","expiresAt"]}}]}`)
		}
		p.w.owner.fails(t, toSetGrant, with(in, "state", "TOGGLE"),
			`{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["in","state"]}}]}`)
	})
}

// own: nobody changes their own grants, not even to lose something.
func (p grantPeople) own(t *testing.T) {
	t.Parallel()
	p.refuses(t, p.sees.client, p.sees.id, p.w.master, problem("NOT_ALLOWED", "input.userId"))
}

// primary: the primary user has no grants.
func (p grantPeople) primary(t *testing.T) {
	t.Parallel()
	for _, c := range []client{p.w.owner.client, p.sees.client} {
		p.refuses(t, c, p.w.owner.id, p.w.master, problem("NOT_ALLOWED", "input.userId"))
	}
}

// deletedKey: the grants of a deleted key are frozen.
func (p grantPeople) deletedKey(t *testing.T) {
	t.Parallel()
	for _, c := range []client{p.w.owner.client, p.sees.client} {
		p.refuses(t, c, p.u.id, p.deleted, problem("INVALID_STATE", "input.keyId"))
	}
}

// refuses checks that no state can be set.
func (p grantPeople) refuses(t *testing.T, c client, user, key, problem string) {
	t.Helper()
	p.w.unchanged(t, func() {
		for _, state := range grantStates {
			c.fails(t, toSetGrant, input{"userId": user, "keyId": key, "state": state}, toSetGrant.refused(problem))
		}
	})
}
