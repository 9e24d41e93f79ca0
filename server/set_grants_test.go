package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

var toSetGrants = mutation{
	field: "setGrants", inputType: "SetGrantsInput", results: []string{"grants", "operationId"},
	selection: "grants { user { id } key { id } enabled source expiresAt } operationId",
}

func TestSetGrants(t *testing.T) {
	t.Parallel()
	bad := input{"changes": []input{}}
	t.Run("done", setGrantsDone)
	t.Run("repeated", setGrantsRepeated)
	t.Run("unauthenticated", notSignedIn(toSetGrants, bad))
	t.Run("forbidden", forbidden(toSetGrants, graph.ManageGrants, bad))
	p := newGrantPeople(t)
	t.Run("hidden", p.setGrantsHidden)
	t.Run("missing", p.setGrantsMissing)
	t.Run("invalid", p.setGrantsInvalid)
	t.Run("refused", p.setGrantsRefused)
}

// newGrantPeople makes a world in which every change of a grant is refused.
func newGrantPeople(t *testing.T) grantPeople {
	w := newWorld(t)
	k := w.key(t, "Deleted")
	p := grantPeople{w: w, deleted: k, hidden: w.key(t, "Hidden"), u: w.user(t, invitee{role: graph.RoleReporting}),
		sees:  w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{k}}),
		blind: w.user(t, invitee{role: graph.RoleAdministrator, withoutMaster: true})}
	w.remove(t, k)
	return p
}

// pair is one of the changes of setGrants.
func pair(user, key, state string) input { return input{"userId": user, "keyId": key, "state": state} }

func changes(list ...input) input { return input{"changes": list} }

// cells gives as c what an operation changed, a line for each grant by its user and key, such as "rita Europe: INHERIT -> ENABLED".
func (c client) cells(t testing.TB, operation any) []string {
	t.Helper()
	list := []string{}
	for after := any(nil); ; {
		a := c.post(t, `query($id: ID!, $after: String) { node(id: $id) { ... on AuditEvent { grantChanges(first: 3, after: $after) { pageInfo { hasNextPage endCursor }
			nodes { user { email } key { name } stateBefore expiresBefore stateAfter expiresAfter } } } } }`, map[string]any{"id": operation, "after": after})
		page, _ := a.at(t, "node.grantChanges").(map[string]any)
		if page == nil {
			t.Fatalf("changes of %v: %s", operation, a.Body)
		}
		for _, n := range page["nodes"].([]any) {
			list = append(list, cellLine(n.(map[string]any)))
		}
		info := page["pageInfo"].(map[string]any)
		if info["hasNextPage"] != true {
			return list
		}
		after = info["endCursor"]
	}
}

func cellLine(n map[string]any) string {
	user := "?"
	if u, ok := n["user"].(map[string]any); ok {
		user = u["email"].(string)
	}
	line := fmt.Sprintf("%s %s: %s -> %s", user, n["key"].(map[string]any)["name"], n["stateBefore"], n["stateAfter"])
	for _, end := range []string{"expiresBefore", "expiresAfter"} {
		if n[end] != nil {
			line += fmt.Sprintf(" (%s %s)", end, n[end])
		}
	}
	return line
}

func (c client) hasCells(t testing.TB, operation any, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), c.cells(t, operation)); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
}

func setGrantsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, asia := w.key(t, "Europe"), w.key(t, "Asia")
	rita, dora := w.user(t, invitee{role: graph.RoleReporting, keys: []string{asia}}), w.user(t, invitee{role: graph.RoleDeveloper})
	admin := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageGrants, graph.ViewAudit}, keys: []string{europe, asia}})
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
	a := admin.done(t, toSetGrants, changes(
		with(pair(dora.id, asia, "ENABLED"), "expiresAt", end),
		pair(rita.id, europe, "ENABLED"),
		pair(dora.id, europe, "INHERIT"), // as it is
		pair(rita.id, asia, "INHERIT"),
		pair(rita.id, w.master, "DISABLED")))
	operation := a.at(t, "setGrants.operationId")
	grant := func(user, key string, enabled bool, source, end string) string {
		return fmt.Sprintf(`{"user":{"id":%q},"key":{"id":%q},"enabled":%t,"source":%q,"expiresAt":%s}`, user, key, enabled, source, end)
	}
	a.is(t, fmt.Sprintf(`{"data":{"setGrants":{"userErrors":[],"grants":[%s],"operationId":%q}}}`, strings.Join([]string{
		grant(dora.id, asia, true, "EXPLICIT", `"`+end+`"`), grant(rita.id, europe, true, "EXPLICIT", "null"), grant(dora.id, europe, false, "DEFAULT", "null"),
		grant(rita.id, asia, false, "DEFAULT", "null"), grant(rita.id, w.master, false, "EXPLICIT", "null")}, ","), operation))
	w.tells(t, a, event{Action: "GRANTS_CHANGED", Actor: admin.id, ActorLabel: admin.display(), Summary: "Set many grants at once.", IPAddress: "127.0.0.1"})
	admin.hasCells(t, operation,
		rita.email+" Master key: INHERIT -> DISABLED",
		rita.email+" Europe: INHERIT -> ENABLED",
		rita.email+" Asia: ENABLED -> INHERIT",
		dora.email+" Asia: INHERIT -> ENABLED (expiresAfter "+end+")")
	if diff := cmp.Diff([][]string{{"Europe"}, {"Asia", "Master key"}}, [][]string{rita.names(t), dora.names(t)}); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// setGrantsRepeated: what is so already makes no operation, and the answer is the same otherwise.
func setGrantsRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, u := w.key(t, "Europe"), w.user(t, invitee{role: graph.RoleReporting})
	end := time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano)
	in := changes(with(pair(u.id, k, "ENABLED"), "expiresAt", end), pair(u.id, w.master, "DISABLED"))
	first := w.owner.done(t, toSetGrants, in)
	operation, err := json.Marshal(first.at(t, "setGrants.operationId"))
	if err != nil {
		t.Fatal(err)
	}
	w.unchanged(t, func() {
		for range 2 {
			second := w.owner.done(t, toSetGrants, in)
			if want := bytes.Replace(first.Body, operation, []byte("null"), 1); !bytes.Equal(want, second.Body) {
				t.Errorf("want %s\ngot  %s", want, second.Body)
			}
		}
	})
}

func (p grantPeople) setGrantsHidden(t *testing.T) {
	t.Parallel()
	ids := p.w.noKeys(t)
	ids["hidden"], ids["hidden and deleted"], ids["hidden master key"] = p.hidden, p.deleted, p.w.master
	for _, state := range grantStates {
		p.w.alike(t, p.blind.client, toSetGrants, func(id string) input { return changes(pair(p.u.id, id, state), pair("nonsense", id, state)) }, ids,
			toSetGrants.refused(problem("NOT_FOUND", "input.changes.0.keyId"), problem("NOT_FOUND", "input.changes.1.userId"), problem("NOT_FOUND", "input.changes.1.keyId")))
	}
}

func (p grantPeople) setGrantsMissing(t *testing.T) {
	t.Parallel()
	p.w.alike(t, p.w.owner.client, toSetGrants, func(id string) input {
		return changes(pair(p.u.id, p.hidden, "ENABLED"), pair(id, p.w.master, "DISABLED"))
	}, p.w.noUsers(t), toSetGrants.refused(problem("NOT_FOUND", "input.changes.1.userId")))
}

func (p grantPeople) setGrantsInvalid(t *testing.T) {
	t.Parallel()
	past, future := time.Now().Add(-time.Second).Format(time.RFC3339Nano), time.Now().Add(time.Hour).Format(time.RFC3339)
	many := make([]input, 501)
	for i := range many {
		many[i] = pair(p.u.id, p.hidden, "ENABLED")
	}
	p.w.unchanged(t, func() {
		p.w.owner.fails(t, toSetGrants, changes(
			with(pair(p.u.id, p.hidden, "ENABLED"), "expiresAt", past), with(pair(p.u.id, p.w.master, "DISABLED"), "expiresAt", future),
			pair(p.u.id, p.hidden, "DISABLED"), pair(p.u.id, p.w.master, "ENABLED"), pair(p.u.id, p.hidden, "ENABLED")),
			toSetGrants.refused(problem("INVALID", "input.changes.0.expiresAt"), problem("INVALID", "input.changes.1.expiresAt"),
				problem("INVALID", "input.changes.2"), problem("INVALID", "input.changes.3"), problem("INVALID", "input.changes.4")))
		p.w.owner.fails(t, toSetGrants, changes([]input{}...), toSetGrants.refused(violation("input.changes", "min=1")))
		p.w.owner.fails(t, toSetGrants, changes(many...), toSetGrants.refused(violation("input.changes", "max=500")))
		p.w.owner.fails(t, toSetGrants, changes(with(pair(p.u.id, p.hidden, "ENABLED"), "expiresAt", "tomorrow")),
			`{"data":{"setGrants":null},"errors":[{"path":["setGrants"],"extensions":{"code":"BAD_USER_INPUT","argument":["input","changes","0","expiresAt"]}}]}`)
	})
}

// setGrantsRefused: the owner, oneself and a deleted key, each at its place, and nothing of what would be allowed is done.
func (p grantPeople) setGrantsRefused(t *testing.T) {
	t.Parallel()
	p.w.unchanged(t, func() {
		for _, state := range grantStates {
			p.sees.fails(t, toSetGrants, changes(pair(p.u.id, p.w.master, state), pair(p.sees.id, p.w.master, state), pair(p.w.owner.id, p.deleted, state),
				pair(p.u.id, p.deleted, state)), toSetGrants.refused(problem("NOT_ALLOWED", "input.changes.1.userId"), problem("NOT_ALLOWED", "input.changes.2.userId"),
				problem("INVALID_STATE", "input.changes.2.keyId"), problem("INVALID_STATE", "input.changes.3.keyId")))
		}
	})
}
