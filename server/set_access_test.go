package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

const matrixFields = "{ userIds keyIds rows }"

var toSetAccess = mutation{
	field: "setAccess", inputType: "SetAccessInput", results: []string{"operationId", "enabled", "disabled", "matrix"},
	selection: "operationId enabled disabled matrix " + matrixFields,
}

func TestSetAccess(t *testing.T) {
	t.Parallel()
	bad := input{"userIds": []string{}, "keyIds": []string{"", ""}, "state": "ENABLED"}
	t.Run("done", setAccessDone)
	t.Run("repeated", setAccessRepeated)
	t.Run("unauthenticated", notSignedIn(toSetAccess, bad))
	t.Run("forbidden", forbidden(toSetAccess, graph.ManageGrants, bad))
	p := newGrantPeople(t)
	t.Run("hidden", p.setAccessHidden)
	t.Run("missing", p.setAccessMissing)
	t.Run("invalid", p.setAccessInvalid)
	t.Run("refused", p.setAccessRefused)
}

// access is the input of setAccess.
func access(users, keys []string, state string) input {
	return input{"userIds": users, "keyIds": keys, "state": state}
}

// enabled gives, for each user of a matrix, the keys that are enabled, in its order.
func enabled(t testing.TB, matrix any) map[string][]string {
	t.Helper()
	raw, err := json.Marshal(matrix)
	if err != nil {
		t.Fatal(err)
	}
	var m struct{ UserIds, KeyIds, Rows []string }
	if err := json.Unmarshal(raw, &m); err != nil || len(m.Rows) != len(m.UserIds) || m.KeyIds == nil {
		t.Fatalf("a matrix of %d users with %d rows: %v", len(m.UserIds), len(m.Rows), err)
	}
	if !slices.IsSortedFunc(m.UserIds, byObject) || !slices.IsSortedFunc(m.KeyIds, byObject) {
		t.Error("users or keys are not in the order of their creation")
	}
	found := map[string][]string{}
	for i, row := range m.Rows {
		set, err := base64.StdEncoding.DecodeString(row)
		if err != nil || len(set) != (len(m.KeyIds)+7)/8 {
			t.Fatalf("a row of %d bytes for %d keys: %v", len(set), len(m.KeyIds), err)
		}
		found[m.UserIds[i]] = []string{}
		for k, key := range m.KeyIds {
			if set[k/8]>>(k%8)&1 == 1 {
				found[m.UserIds[i]] = append(found[m.UserIds[i]], key)
			}
		}
	}
	return found
}

func byObject(a, b string) int {
	x, y := rowOf(a), rowOf(b)
	return bytes.Compare(x[:], y[:])
}

// answered compares everything that setAccess or undoGrantOperation answers but the ID of the operation, which it gives.
func (a answer) answered(t testing.TB, field string, on, off int, rows map[string][]string) any {
	t.Helper()
	got, _ := a.at(t, field).(map[string]any)
	if got == nil || got["enabled"] != float64(on) || got["disabled"] != float64(off) {
		t.Fatalf("want %d enabled and %d disabled: %s", on, off, a.Body)
	}
	if diff := cmp.Diff(rows, enabled(t, got["matrix"])); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	return got["operationId"]
}

func setAccessDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, asia := w.key(t, "Europe"), w.key(t, "Asia")
	rita, dora := w.user(t, invitee{role: graph.RoleReporting, keys: []string{asia}}), w.user(t, invitee{role: graph.RoleDeveloper})
	admin := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageGrants, graph.ViewAudit}, keys: []string{europe, asia}})
	people, keys := []string{dora.id, rita.id}, []string{asia, europe, w.master}
	a := admin.done(t, toSetAccess, access(people, keys, "ENABLED"))
	all := []string{w.master, europe, asia}
	operation := a.answered(t, "setAccess", 3, 0, map[string][]string{rita.id: all, dora.id: all})
	w.tells(t, a, event{Action: "GRANTS_CHANGED", Actor: admin.id, ActorLabel: admin.display(), Summary: "Set a block of grants.", IPAddress: "127.0.0.1"})
	admin.hasCells(t, operation, rita.email+" Master key: INHERIT -> ENABLED", dora.email+" Master key: INHERIT -> ENABLED",
		rita.email+" Europe: INHERIT -> ENABLED", dora.email+" Europe: INHERIT -> ENABLED", dora.email+" Asia: INHERIT -> ENABLED")
	if diff := cmp.Diff([]string{"Asia", "Europe", "Master key"}, rita.names(t)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	admin.done(t, toSetAccess, access(people, keys[:2], "DISABLED")).answered(t, "setAccess", 0, 4, map[string][]string{rita.id: {}, dora.id: {}})
	admin.done(t, toSetAccess, access(people[:1], keys, "INHERIT")).answered(t, "setAccess", 0, 0, map[string][]string{dora.id: {w.master}})
	if diff := cmp.Diff([]string{"Master key"}, rita.names(t)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	// What has ended does not count, neither before nor after.
	w.owner.done(t, toSetGrants, changes(with(pair(dora.id, asia, "ENABLED"), "expiresAt", inAnHour())))
	w.edit(t, endGrant, rowOf(dora.id), rowOf(asia))
	admin.done(t, toSetAccess, access(people[:1], keys[:1], "ENABLED")).answered(t, "setAccess", 1, 0, map[string][]string{dora.id: {asia}})
}

func setAccessRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, u := w.key(t, "Europe"), w.user(t, invitee{role: graph.RoleReporting})
	for _, state := range []string{"INHERIT", "ENABLED", "DISABLED", "INHERIT"} {
		in := access([]string{u.id}, []string{k, w.master}, state)
		w.owner.done(t, toSetAccess, in)
		w.unchanged(t, func() {
			second, third := w.owner.done(t, toSetAccess, in), w.owner.done(t, toSetAccess, in)
			rows := map[string][]string{u.id: map[string][]string{"INHERIT": {w.master}, "ENABLED": {w.master, k}, "DISABLED": {}}[state]}
			if operation := second.answered(t, "setAccess", 0, 0, rows); operation != nil || !bytes.Equal(second.Body, third.Body) {
				t.Errorf("repeated %s\nonce more %s", second.Body, third.Body)
			}
		})
	}
}

func (p grantPeople) setAccessHidden(t *testing.T) {
	t.Parallel()
	ids := p.w.noKeys(t)
	ids["hidden"], ids["hidden and deleted"], ids["hidden master key"] = p.hidden, p.deleted, p.w.master
	for _, state := range grantStates {
		p.w.alike(t, p.blind.client, toSetAccess, func(id string) input { return access([]string{p.u.id}, []string{id}, state) }, ids,
			toSetAccess.refused(problem("NOT_FOUND", "input.keyIds.0")))
	}
}

func (p grantPeople) setAccessMissing(t *testing.T) {
	t.Parallel()
	p.w.alike(t, p.w.owner.client, toSetAccess, func(id string) input {
		return access([]string{p.u.id, id}, []string{p.hidden, "key_0", p.w.master}, "ENABLED")
	}, p.w.noUsers(t), toSetAccess.refused(problem("NOT_FOUND", "input.userIds.1"), problem("NOT_FOUND", "input.keyIds.1")))
}

func (p grantPeople) setAccessInvalid(t *testing.T) {
	t.Parallel()
	many := make([]string, 1001)
	for i := range many {
		many[i] = graph.ID{Kind: graph.KindKey, Account: graph.ParseID(p.w.account).Account, Object: graph.UUID{1, byte(i >> 8), byte(i)}}.String()
	}
	p.w.unchanged(t, func() {
		p.w.owner.fails(t, toSetAccess, access([]string{}, []string{}, "ENABLED"),
			toSetAccess.refused(violation("input.userIds", "min=1"), violation("input.keyIds", "min=1")))
		p.w.owner.fails(t, toSetAccess, access([]string{p.u.id, p.u.id}, many, "ENABLED"),
			toSetAccess.refused(violation("input.userIds", "unique"), violation("input.keyIds", "max=1000")))
		p.w.owner.fails(t, toSetAccess, access([]string{p.u.id}, []string{p.hidden}, "TOGGLE"),
			`{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["in","state"]}}]}`)
	})
}

// setAccessRefused: the owner, oneself and a deleted key, each at its place, and nothing of what would be allowed is done.
func (p grantPeople) setAccessRefused(t *testing.T) {
	t.Parallel()
	p.w.unchanged(t, func() {
		for _, state := range grantStates {
			p.sees.fails(t, toSetAccess, access([]string{p.sees.id, p.u.id, p.w.owner.id}, []string{p.w.master, p.deleted}, state), toSetAccess.refused(
				problem("NOT_ALLOWED", "input.userIds.0"), problem("NOT_ALLOWED", "input.userIds.2"), problem("INVALID_STATE", "input.keyIds.1")))
		}
	})
}

// TestAccessMatrix reads the matrix as the owner, as somebody who sees a part, as an operator, and by units.
func TestAccessMatrix(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, asia, gone := w.key(t, "Europe"), w.key(t, "Asia"), w.key(t, "Gone")
	rita := w.user(t, invitee{role: graph.RoleReporting, keys: []string{asia, gone}})
	admin := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageGrants}, keys: []string{europe, gone}, withoutMaster: true})
	top := w.unit(t, "Top", "")
	inner, hidden := w.unit(t, "Inner", top), w.unit(t, "Hidden", "")
	w.place(t, europe, inner)
	w.place(t, asia, hidden)
	w.remove(t, gone)
	w.rule(t, rita.id, top, true)
	matrix := func(c client, arguments string) map[string][]string {
		return enabled(t, c.ask(t, fmt.Sprintf(`query($id: ID!) { account(id: $id) { accessMatrix%s %s } }`, arguments, matrixFields), map[string]any{"id": w.account}, "account.accessMatrix"))
	}
	in := func(unit string) string { return fmt.Sprintf("(unitId: %q)", unit) }
	nothing := map[string][]string{rita.id: {}, admin.id: {}}
	support := operator(t, graph.ScopeSupport)
	for name, c := range map[string]struct {
		c         client
		arguments string
		want      map[string][]string
	}{
		"owner":                  {w.owner.client, "", map[string][]string{rita.id: {w.master, europe, asia}, admin.id: {europe}}},
		"support":                {support, "", map[string][]string{rita.id: {w.master, europe, asia}, admin.id: {europe}}},
		"who sees one key":       {admin.client, "", map[string][]string{rita.id: {europe}, admin.id: {europe}}},
		"unit":                   {w.owner.client, in(inner), map[string][]string{rita.id: {europe}, admin.id: {europe}}},
		"unit above":             {admin.client, in(top), map[string][]string{rita.id: {europe}, admin.id: {europe}}},
		"another unit":           {w.owner.client, in(hidden), map[string][]string{rita.id: {asia}, admin.id: {}}},
		"hidden unit":            {admin.client, in(hidden), nothing},
		"missing unit":           {admin.client, in("unt_0"), nothing},
		"what is no unit":        {w.owner.client, in(europe), nothing},
		"unit of another acount": {w.owner.client, in(otherWorld(t).account), nothing},
	} {
		if diff := cmp.Diff(c.want, matrix(c.c, c.arguments)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	rita.expect(t, `{ account { accessMatrix { rows } } }`, nil,
		`{"data":{"account":{"accessMatrix":null}},"errors":[{"path":["account","accessMatrix"],"extensions":{"code":"FORBIDDEN"}}]}`)
}
