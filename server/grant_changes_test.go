package server_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

// operations lists the IDs of the operations that somebody finds in the audit trail with a filter.
func (c client) operations(t testing.TB, filter map[string]any) []string {
	t.Helper()
	found := []string{}
	f := map[string]any{"actions": []string{"GRANTS_CHANGED"}}
	for name, value := range filter {
		f[name] = value
	}
	list, _ := c.ask(t, `query($f: AuditEventFilter) { account { auditEvents(first: 100, filter: $f) { nodes { id } } } }`, map[string]any{"f": f}, "account.auditEvents.nodes").([]any)
	for _, n := range list {
		found = append(found, n.(map[string]any)["id"].(string))
	}
	return found
}

// TestOperationsInTheTrail: an operation is in the trail of whoever sees one of the keys, with what it changed for these alone.
func TestOperationsInTheTrail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, asia := w.key(t, "Europe"), w.key(t, "Asia")
	rita, dora := w.user(t, invitee{role: graph.RoleReporting}), w.user(t, invitee{role: graph.RoleDeveloper})
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{europe}, withoutMaster: true})
	auditor := w.user(t, invitee{capabilities: []graph.Capability{graph.ViewAudit}, keys: []string{europe, asia}, withoutMaster: true})
	hidden := w.owner.set(t, pair(rita.id, asia, "ENABLED"), pair(rita.id, w.master, "ENABLED")).(string)
	both := w.owner.set(t, pair(dora.id, asia, "ENABLED"), pair(dora.id, europe, "ENABLED"), pair(rita.id, europe, "ENABLED")).(string)
	line := func(m member, rest string) string { return m.email + " " + rest }
	node := func(c client) any {
		return c.post(t, `query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": hidden}).at(t, "node.id")
	}
	for _, step := range []struct {
		name       string
		do         func()
		c          client
		operations []string
		cells      []string // of both
	}{
		{"owner", func() {}, w.owner.client, []string{both, hidden}, []string{line(rita, "Europe: INHERIT -> ENABLED"), line(dora, "Europe: INHERIT -> ENABLED"), line(dora, "Asia: INHERIT -> ENABLED")}},
		{"support", func() {}, operator(t, graph.ScopeSupport), nil, []string{line(rita, "Europe: INHERIT -> ENABLED"), line(dora, "Europe: INHERIT -> ENABLED"), line(dora, "Asia: INHERIT -> ENABLED")}},
		{"who sees one key", func() {}, admin.client, []string{both}, []string{line(rita, "Europe: INHERIT -> ENABLED"), line(dora, "Europe: INHERIT -> ENABLED")}},
		{"who sees no other users", func() {}, auditor.client, []string{both, hidden}, []string{"? Europe: INHERIT -> ENABLED", "? Europe: INHERIT -> ENABLED", "? Asia: INHERIT -> ENABLED"}},
		{"who sees the other key now", func() {
			w.grant(t, admin.id, asia, graph.GrantEnabled)
			w.grant(t, admin.id, europe, graph.GrantDisabled)
		}, admin.client, []string{both, hidden}, []string{line(dora, "Asia: INHERIT -> ENABLED")}},
		{"by a rule for a unit", func() {
			w.grant(t, admin.id, asia, graph.GrantInherit)
			unit := w.unit(t, "Holder", "")
			w.place(t, asia, unit)
			w.rule(t, admin.id, unit, true)
		}, admin.client, []string{both, hidden}, []string{line(dora, "Asia: INHERIT -> ENABLED")}},
		{"a user is gone", func() {
			w.owner.ask(t, `mutation($u: ID!) { removeUser(input: {userId: $u}) { userErrors { code } } }`, map[string]any{"u": dora.id}, "removeUser")
		}, w.owner.client, []string{both, hidden}, []string{line(rita, "Europe: INHERIT -> ENABLED"), "? Europe: INHERIT -> ENABLED", "? Asia: INHERIT -> ENABLED"}},
		{"a key is gone", func() {
			w.grant(t, auditor.id, asia, graph.GrantDisabled)
			w.remove(t, asia)
		}, w.owner.client, []string{both, hidden}, []string{line(rita, "Europe: INHERIT -> ENABLED"), "? Europe: INHERIT -> ENABLED", "? Asia: INHERIT -> ENABLED"}},
	} {
		step.do()
		if step.operations != nil {
			if diff := cmp.Diff(step.operations, step.c.operations(t, nil)); diff != "" {
				t.Errorf("%s: operations (-want +got):\n%s", step.name, diff)
			}
			if got := node(step.c) != nil; got != slices.Contains(step.operations, hidden) {
				t.Errorf("%s: by its ID, the operation is found: %v", step.name, got)
			}
		}
		if diff := cmp.Diff(step.cells, step.c.cells(t, both)); diff != "" {
			t.Errorf("%s: cells (-want +got):\n%s", step.name, diff)
		}
	}
	w.grant(t, auditor.id, europe, graph.GrantDisabled)
	if got := auditor.operations(t, nil); len(got) != 0 {
		t.Errorf("who sees neither key finds %v", got)
	}
	auditor.expect(t, `query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": both}, `{"data":{"node":null}}`)
}

// TestOperationsByFilter: an operation is found by each user and each visible key whose grants it changed.
func TestOperationsByFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, asia := w.key(t, "Europe"), w.key(t, "Asia")
	rita, dora := w.user(t, invitee{role: graph.RoleReporting}), w.user(t, invitee{role: graph.RoleDeveloper})
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{europe}})
	o := w.owner.set(t, pair(rita.id, asia, "ENABLED"), pair(dora.id, europe, "ENABLED")).(string)
	other := w.owner.set(t, pair(dora.id, w.master, "ENABLED")).(string)
	for name, c := range map[string]struct {
		c      client
		filter map[string]any
		want   []string
	}{
		"no filter":                       {w.owner.client, nil, []string{other, o}},
		"key":                             {w.owner.client, map[string]any{"keyId": asia}, []string{o}},
		"another key":                     {w.owner.client, map[string]any{"keyId": w.master}, []string{other}},
		"user":                            {w.owner.client, map[string]any{"userId": rita.id}, []string{o}},
		"another user":                    {w.owner.client, map[string]any{"userId": dora.id}, []string{other, o}},
		"who did it":                      {w.owner.client, map[string]any{"userId": w.owner.id}, []string{other, o}},
		"a user of whom nothing changed":  {w.owner.client, map[string]any{"userId": admin.id}, []string{}},
		"user and key of different cells": {w.owner.client, map[string]any{"userId": rita.id, "keyId": europe}, []string{o}},
		"visible key":                     {admin.client, map[string]any{"keyId": europe}, []string{o}},
		"hidden key":                      {admin.client, map[string]any{"keyId": asia}, []string{}},
		"user with a visible key":         {admin.client, map[string]any{"userId": dora.id}, []string{other, o}},
		"user with a hidden key alone":    {admin.client, map[string]any{"userId": rita.id}, []string{}},
	} {
		if diff := cmp.Diff(c.want, c.c.operations(t, c.filter)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestPagesOfGrantChanges: other events have none; pages know what precedes and follows; cursors of other lists are refused.
func TestPagesOfGrantChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, u := w.key(t, "Europe"), w.user(t, invitee{role: graph.RoleReporting})
	o := w.owner.set(t, pair(u.id, europe, "ENABLED"), pair(u.id, w.master, "DISABLED"))
	w.owner.expect(t, `{ account { auditEvents(filter: {actions: [USER_JOINED]}, first: 1) { nodes { grantChanges { nodes { stateAfter } pageInfo { hasNextPage } } } } } }`, nil,
		`{"data":{"account":{"auditEvents":{"nodes":[{"grantChanges":{"nodes":[],"pageInfo":{"hasNextPage":false}}}]}}}}`)
	const page = `query($id: ID!, $after: String) { node(id: $id) { ... on AuditEvent { grantChanges(first: 1, after: $after) {
		edges { cursor node { key { name grants(first: 1) { totalCount } } user { grants(first: 1) { totalCount } } } } pageInfo { hasNextPage hasPreviousPage } } } } }`
	first := w.owner.post(t, page, map[string]any{"id": o})
	cursor := first.at(t, "node.grantChanges.edges.0.cursor")
	w.owner.post(t, `query($id: ID!, $after: String) { node(id: $id) { ... on AuditEvent { grantChanges(first: 1, after: $after) { edges { node { key { name } stateBefore stateAfter } }
		pageInfo { hasNextPage hasPreviousPage } } } } }`, map[string]any{"id": o, "after": cursor}).is(t, `{"data":{"node":{"grantChanges":{
		"edges":[{"node":{"key":{"name":"Europe"},"stateBefore":"INHERIT","stateAfter":"ENABLED"}}],"pageInfo":{"hasNextPage":false,"hasPreviousPage":true}}}}}`)
	second := w.owner.post(t, page, map[string]any{"id": o, "after": cursor})
	for i, a := range []answer{first, second} {
		name := []string{"Master key", "Europe"}[i]
		if a.at(t, "node.grantChanges.edges.0.node.key.name") != name || a.at(t, "node.grantChanges.edges.0.node.key.grants.totalCount") != 1.0 ||
			a.at(t, "node.grantChanges.edges.0.node.user.grants.totalCount") != 2.0 {
			t.Errorf("page %d: %s", i, a.Body)
		}
	}
	refused := `{"data":{"node":null},"errors":[{"path":["node","grantChanges"],"extensions":{"code":"BAD_USER_INPUT","argument":["after"]}}]}`
	other := w.owner.text(t, `{ account { grants(first: 1) { edges { cursor } } } }`, nil, "account.grants.edges.0.cursor")
	for _, after := range []any{"nonsense", other} {
		w.owner.expect(t, page, map[string]any{"id": o, "after": after}, refused)
	}
}
