package server_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

// The viewers of the table, in the words of product.md.
var (
	everyUser = []string{"primary", "administrator", "developer", "reporting", "grants only", "users only", "tokens only", "audit only"}
	readers   = []string{"SUPPORT", "ADMIN"}
	machines  = []string{"token", "key"}

	usageReaders = []string{"primary", "administrator", "developer", "reporting"}
)

func either(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// visibilityRow is an object, and who sees it. Its ID may depend on the viewer's user.
type visibilityRow struct {
	object string
	id     func(own string) string
	who    []string
}

// stage is a world with a viewer of every kind. The key Seen is enabled for everybody, the key Hidden for the peer alone; each lies
// in a unit of its own.
type stage struct {
	*world
	seen         credential
	hidden       string
	seenUnit     string
	hiddenUnit   string
	partUnit     string // above both, where there is one
	peer         member
	people       map[string]member
	viewers      map[string]client
	token, other string // IDs of the token that is calling, and of another one
}

func newStage(t *testing.T) *stage {
	w := newWorld(t)
	s := &stage{world: w, seen: w.credential(t, "Seen"), hidden: w.key(t, "Hidden"), people: map[string]member{"primary": w.owner}, viewers: map[string]client{"nobody": nobody()}}
	s.seenUnit, s.hiddenUnit = w.unit(t, "Seen", ""), w.unit(t, "Hidden", "")
	w.owner.done(t, toMoveKey, input{"keyId": s.seen.id, "unitId": s.seenUnit})
	w.owner.done(t, toMoveKey, input{"keyId": s.hidden, "unitId": s.hiddenUnit})
	s.peer = w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{s.seen.id, s.hidden}})
	for name, i := range map[string]invitee{
		"administrator": {role: graph.RoleAdministrator}, "developer": {role: graph.RoleDeveloper}, "reporting": {role: graph.RoleReporting},
		"grants only": {capabilities: []graph.Capability{graph.ManageGrants}}, "users only": {capabilities: []graph.Capability{graph.ManageUsers}},
		"tokens only": {capabilities: []graph.Capability{graph.ManageTokens}}, "audit only": {capabilities: []graph.Capability{graph.ViewAudit}},
	} {
		i.keys = []string{s.seen.id}
		s.people[name] = w.user(t, i)
	}
	for name, m := range s.people {
		s.viewers[name] = m.client
	}
	s.viewers["token"], s.token = tokenOf(t, s.people["administrator"].client, usageOnly, s.seen.id)
	_, s.other = tokenOf(t, w.owner.client, usageOnly, s.hidden)
	s.viewers["key"] = keyed(w.owner.api, s.seen.key, s.seen.secret)
	for _, scope := range []graph.OperatorScope{graph.ScopeSupport, graph.ScopeAdmin, graph.ScopeIngest, graph.ScopeVerify} {
		s.viewers[string(scope)] = operator(t, scope)
	}
	return s
}

func (s *stage) grantOf(t *testing.T, user, key string) string {
	return s.owner.text(t, `query($u: ID!, $k: ID!) { node(id: $u) { ... on User { grant(keyId: $k) { id } } } }`, map[string]any{"u": user, "k": key}, "node.grant.id")
}

// ruleOf sets what a unit says about a user, and gives the ID of the rule.
func (s *stage) ruleOf(t *testing.T, user, unit string) string {
	s.rule(t, user, unit, false) // what is set for the keys decides
	return graph.ID{Kind: graph.KindUnitGrant, Account: graph.ParseID(s.account).Account, Object: rowOf(user), Second: rowOf(unit)}.String()
}

// event gives the ID of an event that the owner sees.
func (s *stage) event(t *testing.T, filter string) string {
	return s.owner.text(t, `{ account { auditEvents(first: 1, filter: {`+filter+`}) { nodes { id } } } }`, nil, "account.auditEvents.nodes.0.id")
}

// partly puts both units below another one, and gives the ID of a threshold on it.
func (s *stage) partly(t *testing.T) string {
	s.partUnit = s.unit(t, "Both", "")
	for _, u := range []string{s.seenUnit, s.hiddenUnit} {
		s.owner.ask(t, `mutation($u: ID!, $p: ID) { moveUnit(input: {unitId: $u, parentId: $p}) { userErrors { code } } }`, map[string]any{"u": u, "p": s.partUnit}, "moveUnit")
	}
	return s.owner.threshold(t, onUnit(s.partUnit, "10"))
}

func (s *stage) rows(t *testing.T) []visibilityRow {
	stranger := newWorld(t)
	invitation := s.owner.text(t, `mutation($e: String!) { inviteUser(input: {email: $e, access: {role: REPORTING}}) { userErrors { code } invitation { id } } }`,
		map[string]any{"e": address()}, "inviteUser.invitation.id")
	is := func(id string) func(string) string { return func(string) string { return id } }
	grants, rules, hiddenRules := map[string]string{}, map[string]string{}, map[string]string{}
	for name, m := range s.people {
		if name != "primary" {
			grants[m.id] = s.grantOf(t, m.id, s.seen.id)
			rules[m.id], hiddenRules[m.id] = s.ruleOf(t, m.id, s.seenUnit), s.ruleOf(t, m.id, s.hiddenUnit)
		}
	}
	additional, all := everyUser[1:], either(everyUser, readers)
	return []visibilityRow{
		{"ApiKey in V", is(s.seen.id), either(all, machines)},
		{"ApiKey, master", is(s.master), all},
		{"ApiKey not in V", is(s.hidden), either([]string{"primary"}, readers)},
		{"ApiKey of another account", is(stranger.master), readers},
		{"Grant, own", func(own string) string { return grants[own] }, additional},
		{"Grant of another user", is(s.grantOf(t, s.peer.id, s.seen.id)), either([]string{"primary", "administrator", "grants only"}, readers)},
		{"Grant of another user, key not in V", is(s.grantOf(t, s.peer.id, s.hidden)), either([]string{"primary"}, readers)},
		{"User, self", func(own string) string { return own }, everyUser},
		{"User, primary", is(s.owner.id), all},
		{"User, another", is(s.peer.id), either([]string{"primary", "administrator", "grants only", "users only"}, readers)},
		{"User of another account", is(stranger.owner.id), readers},
		{"Unit with a key in V", is(s.seenUnit), either(all, machines)},
		{"Unit with keys, none in V", is(s.hiddenUnit), either([]string{"primary"}, readers)},
		{"Unit, empty", is(s.unit(t, "Empty", "")), either([]string{"primary", "administrator"}, readers)},
		{"Unit, empty, below one with keys, none in V", is(s.unit(t, "Below", s.hiddenUnit)), either([]string{"primary"}, readers)},
		{"Unit of another account", is(stranger.unit(t, "Foreign", "")), readers},
		{"UnitGrant, own", func(own string) string { return rules[own] }, additional},
		{"UnitGrant, own, unit hidden", func(own string) string { return hiddenRules[own] }, nil},
		{"UnitGrant of another user", is(s.ruleOf(t, s.peer.id, s.seenUnit)), either([]string{"primary", "administrator", "grants only"}, readers)},
		{"UnitGrant of another user, unit hidden", is(s.ruleOf(t, s.peer.id, s.hiddenUnit)), either([]string{"primary"}, readers)},
		{"Invitation", is(invitation), either([]string{"primary", "administrator", "users only"}, readers)},
		{"AccessToken", is(s.other), either([]string{"primary", "administrator", "tokens only"}, readers)},
		{"AccessToken, itself", is(s.token), either([]string{"primary", "administrator", "tokens only", "token"}, readers)},
		{"AuditEvent", is(s.event(t, `actions: [USER_INVITED]`)), either([]string{"primary", "administrator", "audit only"}, readers)},
		{"AuditEvent, key in V", is(s.event(t, `keyId: "`+s.seen.id+`"`)), either([]string{"primary", "administrator", "audit only"}, readers)},
		{"AuditEvent, key not in V", is(s.event(t, `keyId: "`+s.hidden+`"`)), either([]string{"primary"}, readers)},
		{"UsageRecord, key in V", is(s.used(t, s.seen.id, "seen")), either(usageReaders, readers, machines)},
		{"UsageRecord, key not in V", is(s.used(t, s.hidden, "hidden")), either([]string{"primary"}, readers)},
		{"UsageRecord that was corrected", is(s.corrected(t)), nil},
		{"UsageRecord of another account", is(stranger.used(t, stranger.master, "elsewhere")), readers},
		{"UsageThreshold, key in V", is(s.owner.threshold(t, onKey(s.seen.id, "10"))), either(usageReaders, readers, machines)},
		{"UsageThreshold, key not in V", is(s.owner.threshold(t, onKey(s.hidden, "10"))), either([]string{"primary"}, readers)},
		{"UsageThreshold, every key of the unit in V", is(s.owner.threshold(t, onUnit(s.seenUnit, "10"))), either(usageReaders, readers, machines)},
		{"UsageThreshold, a key of the unit not in V", is(s.partly(t)), either([]string{"primary"}, readers)},
		{"UsageThreshold of another account", is(stranger.owner.threshold(t, onKey(stranger.master, "10"))), readers},
		{"AuditEvent, threshold on a unit, a key not in V", is(s.event(t, `actions: [USAGE_THRESHOLD_SET], unitId: "`+s.partUnit+`"`)), either([]string{"primary"}, readers)},
		{"AuditEvent, threshold on a unit, every key in V", is(s.event(t, `actions: [USAGE_THRESHOLD_SET], unitId: "`+s.seenUnit+`"`)), either([]string{"primary", "administrator"}, readers)},
		{"AuditEvent, unit visible", is(s.event(t, `actions: [UNIT_CHANGED], unitId: "`+s.seenUnit+`"`)), either([]string{"primary", "administrator", "audit only"}, readers)},
		{"AuditEvent, unit hidden", is(s.event(t, `actions: [UNIT_CHANGED], unitId: "`+s.hiddenUnit+`"`)), either([]string{"primary"}, readers)},
		{"Account, own", is(s.account), either(all, machines)},
		{"Account, another", is(stranger.account), readers},
	}
}

// TestVisibilityTable is the table "who sees what" of the product: its rows against every kind of viewer, by ID.
func TestVisibilityTable(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	rows := s.rows(t)
	for name, c := range s.viewers {
		var want, got []string
		idsOf := []string{}
		for _, row := range rows {
			idsOf = append(idsOf, row.id(s.people[name].id))
			if slices.Contains(row.who, name) {
				want = append(want, row.object)
			}
		}
		for i, row := range rows {
			if seen := c.post(t, `query($ids: [ID!]!) { nodes(ids: $ids) { id } }`, map[string]any{"ids": idsOf[i : i+1]}).at(t, "nodes.0.id"); seen != nil {
				got = append(got, row.object)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s sees (-want +got):\n%s", name, diff)
		}
	}
	s.details(t)
	if n := s.owner.srv.Hits(); n != 0 {
		t.Errorf("@visible caught %d", n)
	}
}

// details: status, capabilities, role and last sign-in of a user, keys of a token: what is filtered within an object.
func (s *stage) details(t *testing.T) {
	for name, c := range s.viewers {
		a := c.post(t, `query($u: ID!, $t: ID!) { user: node(id: $u) { ... on User { role status capabilities lastSignInAt } } token: node(id: $t) { ... on AccessToken { keys { name } createdBy { id } } } }`,
			map[string]any{"u": s.peer.id, "t": s.other})
		for _, field := range []string{"role", "status", "capabilities", "lastSignInAt"} {
			if got, want := a.at(t, "user."+field) != nil, slices.Contains(either([]string{"primary", "administrator", "users only"}, readers), name); got != want {
				t.Errorf("%s sees %s of another user: %v, want %v", name, field, got, want)
			}
		}
		if got, want := a.at(t, "token.keys.0") != nil, slices.Contains(either([]string{"primary"}, readers), name); got != want {
			t.Errorf("%s sees a key not in V below a token: %v, want %v", name, got, want)
		}
	}
}
