package server_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

var toUndo = mutation{
	field: "undoGrantOperation", inputType: "UndoGrantOperationInput", results: []string{"operationId", "enabled", "disabled", "matrix"},
	selection: "operationId enabled disabled matrix " + matrixFields,
}

func TestUndoGrantOperation(t *testing.T) {
	t.Parallel()
	bad := input{"operationId": ""}
	t.Run("done", undoDone)
	t.Run("repeated", undoRepeated)
	t.Run("left alone", undoLeavesAlone)
	t.Run("unauthenticated", notSignedIn(toUndo, bad))
	t.Run("forbidden", forbidden(toUndo, graph.ManageGrants, bad))
	t.Run("hidden", undoHidden)
	t.Run("missing", undoMissing)
	t.Run("invalid", undoInvalid)
}

func undo(operation any) input { return input{"operationId": operation} }

// set runs setGrants, which must change something, and gives the operation.
func (c client) set(t testing.TB, list ...input) any {
	t.Helper()
	operation := c.done(t, toSetGrants, changes(list...)).at(t, "setGrants.operationId")
	if operation == nil {
		t.Fatalf("nothing changed by %v", list)
	}
	return operation
}

// states gives what is set for a user, by the name of the key, as the API says it.
func (w *world) states(t testing.TB, user string) map[string]string {
	t.Helper()
	list := w.owner.ask(t, `query($id: ID!) { node(id: $id) { ... on User { grants(first: 100) { nodes { key { name } enabled source expiresAt } } } } }`,
		map[string]any{"id": user}, "node.grants.nodes").([]any)
	found := map[string]string{}
	for _, n := range list {
		g := n.(map[string]any)
		if g["source"] == "EXPLICIT" {
			found[g["key"].(map[string]any)["name"].(string)] = fmt.Sprint(g["enabled"], " ", g["expiresAt"])
		}
	}
	return found
}

func undoDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, asia := w.key(t, "Europe"), w.key(t, "Asia")
	rita, dora := w.user(t, invitee{role: graph.RoleReporting, keys: []string{asia}}), w.user(t, invitee{role: graph.RoleDeveloper})
	admin := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageGrants, graph.ViewAudit}, keys: []string{europe, asia}})
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
	w.owner.set(t, with(pair(dora.id, europe, "ENABLED"), "expiresAt", end), pair(dora.id, w.master, "DISABLED"))
	before := []map[string]string{w.states(t, rita.id), w.states(t, dora.id)}
	operation := admin.set(t, pair(rita.id, asia, "DISABLED"), pair(rita.id, europe, "ENABLED"), pair(dora.id, europe, "INHERIT"), pair(dora.id, w.master, "ENABLED"))
	after := []map[string]string{w.states(t, rita.id), w.states(t, dora.id)}
	a := admin.done(t, toUndo, undo(operation))
	undone := a.answered(t, "undoGrantOperation", 2, 2, map[string][]string{rita.id: {w.master, asia}, dora.id: {europe}})
	w.tells(t, a, event{Action: "GRANTS_CHANGED", Actor: admin.id, ActorLabel: admin.display(), Summary: "Put grants back as they were before an operation.", IPAddress: "127.0.0.1"})
	admin.hasCells(t, undone, dora.email+" Master key: ENABLED -> DISABLED", rita.email+" Europe: ENABLED -> INHERIT",
		dora.email+" Europe: INHERIT -> ENABLED (expiresAfter "+end+")", rita.email+" Asia: DISABLED -> ENABLED")
	if diff := cmp.Diff(before, []map[string]string{w.states(t, rita.id), w.states(t, dora.id)}); diff != "" {
		t.Errorf("put back (-want +got):\n%s", diff)
	}
	// Undoing is an operation, and is undone.
	w.owner.done(t, toUndo, undo(undone)).answered(t, "undoGrantOperation", 2, 2, map[string][]string{rita.id: {w.master, europe}, dora.id: {w.master}})
	if diff := cmp.Diff(after, []map[string]string{w.states(t, rita.id), w.states(t, dora.id)}); diff != "" {
		t.Errorf("undone twice (-want +got):\n%s", diff)
	}
}

func undoRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, u := w.key(t, "Europe"), w.user(t, invitee{role: graph.RoleReporting})
	operation := w.owner.set(t, pair(u.id, k, "ENABLED"), pair(u.id, w.master, "DISABLED"))
	rows := map[string][]string{u.id: {w.master}}
	w.owner.done(t, toUndo, undo(operation)).answered(t, "undoGrantOperation", 1, 1, rows)
	w.unchanged(t, func() {
		for range 2 {
			if second := w.owner.done(t, toUndo, undo(operation)).answered(t, "undoGrantOperation", 0, 0, rows); second != nil {
				t.Errorf("undone again as %v", second)
			}
		}
	})
}

// undoLeavesAlone: what somebody changed since, also to what it was and back; grants for deleted keys; of those who are gone, who
// own the account now, and who undoes. An end that is past by now is put back, and does not count.
func undoLeavesAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, asia, africa, gone := w.key(t, "Europe"), w.key(t, "Asia"), w.key(t, "Africa"), w.key(t, "Gone")
	rita, left := w.user(t, invitee{role: graph.RoleReporting}), w.user(t, invitee{role: graph.RoleReporting})
	admin, heir := w.user(t, invitee{role: graph.RoleAdministrator}), w.user(t, invitee{role: graph.RoleAdministrator})
	w.owner.set(t, with(pair(rita.id, africa, "ENABLED"), "expiresAt", inAnHour()))
	var all []input
	for _, k := range []string{europe, asia, gone} {
		for _, u := range []member{rita, left, admin, heir} {
			all = append(all, pair(u.id, k, "ENABLED"))
		}
	}
	operation := w.owner.set(t, append(all, pair(rita.id, africa, "DISABLED"))...)
	w.edit(t, `UPDATE grant_changes SET expires_before = ARRAY['2016-06-29T09:00:00Z'::timestamptz] WHERE account_id = $1 AND key_id = $2 AND expires_before[1] IS NOT NULL`, rowOf(africa))
	w.grant(t, rita.id, asia, graph.GrantDisabled)
	w.grant(t, rita.id, asia, graph.GrantEnabled)
	w.remove(t, gone)
	w.owner.ask(t, `mutation($u: ID!) { removeUser(input: {userId: $u}) { userErrors { code } } }`, map[string]any{"u": left.id}, "removeUser")
	operator(t, graph.ScopeAdmin).ask(t, `mutation($a: ID!, $u: ID!) { updateAccount(input: {accountId: $a, primaryUserId: $u}) { userErrors { code } } }`,
		map[string]any{"a": w.account, "u": heir.id}, "updateAccount")
	// The administrator sees Europe and Asia, by what the operation gave them.
	undone := admin.done(t, toUndo, undo(operation)).answered(t, "undoGrantOperation", 0, 1, map[string][]string{rita.id: {asia}, admin.id: {europe, asia}})
	admin.hasCells(t, undone, rita.email+" Europe: ENABLED -> INHERIT")
	undone = heir.done(t, toUndo, undo(operation)).answered(t, "undoGrantOperation", 0, 2, map[string][]string{rita.id: {asia}, admin.id: {}})
	heir.hasCells(t, undone, admin.email+" Europe: ENABLED -> INHERIT", admin.email+" Asia: ENABLED -> INHERIT",
		rita.email+" Africa: DISABLED -> ENABLED (expiresAfter 2016-06-29T09:00:00Z)")
	if n := count(t, w, "grants WHERE expires_at = '2016-06-29T09:00:00Z'"); n != "1" {
		t.Errorf("%s grants with an end that is past", n)
	}
}

// undoHidden: an operation that changed nothing that the caller sees is as good as none.
func undoHidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, u := w.key(t, "Hidden"), w.user(t, invitee{role: graph.RoleReporting})
	blind := w.user(t, invitee{role: graph.RoleAdministrator, withoutMaster: true})
	ids := w.noOperations(t)
	ids["hidden"] = w.owner.set(t, pair(u.id, k, "ENABLED")).(string)
	w.alike(t, blind.client, toUndo, func(id string) input { return undo(id) }, ids, toUndo.refused(problem("NOT_FOUND", "input.operationId")))
}

func undoMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.alike(t, w.owner.client, toUndo, func(id string) input { return undo(id) }, w.noOperations(t), toUndo.refused(problem("NOT_FOUND", "input.operationId")))
}

// noOperations are IDs under which there is no operation, by what they are.
func (w *world) noOperations(t testing.TB) map[string]string {
	t.Helper()
	other := otherWorld(t)
	ids := w.noObjects(graph.KindAuditEvent, other.operation, w.master)
	ids["another event"] = w.owner.text(t, `{ account { auditEvents(first: 1) { nodes { id } } } }`, nil, "account.auditEvents.nodes.0.id")
	return ids
}

// undoInvalid: what is no ID names no operation; a number is an ID in GraphQL, and none of ours.
func undoInvalid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.unchanged(t, func() {
		w.owner.fails(t, toUndo, undo(true), `{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["in","operationId"]}}]}`)
		w.owner.fails(t, toUndo, undo(42), toUndo.refused(problem("NOT_FOUND", "input.operationId")))
	})
}
