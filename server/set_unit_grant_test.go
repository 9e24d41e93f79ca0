package server_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

var toSetUnitGrant = mutation{
	field: "setUnitGrant", inputType: "SetUnitGrantInput", results: []string{"unitGrant", "affectedKeys"},
	selection: "unitGrant { id user { id } unit { id } enabled updatedAt } affectedKeys",
}

func TestSetUnitGrant(t *testing.T) {
	t.Parallel()
	bad := input{"userId": "", "unitId": "", "state": "DISABLED"}
	t.Run("done", setUnitGrantDone)
	t.Run("repeated", setUnitGrantRepeated)
	t.Run("unauthenticated", notSignedIn(toSetUnitGrant, bad))
	t.Run("forbidden", forbidden(toSetUnitGrant, graph.ManageGrants, bad))
	w := newWorld(t) // the rest changes nothing in it
	f := unitPeople{w: w, europe: w.unit(t, "Europe", ""), asia: w.unit(t, "Asia", "")}
	f.france = w.unit(t, "France", f.europe)
	shop := w.keyIn(t, "Shop", f.france)
	w.keyIn(t, "Port", f.asia)
	f.u = w.user(t, invitee{role: graph.RoleReporting})
	f.ruled = w.user(t, invitee{role: graph.RoleAdministrator})
	w.rule(t, f.ruled.id, f.europe, true)
	f.lent = w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{shop}})
	f.excepted = w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{shop}})
	w.rule(t, f.excepted.id, f.europe, true)
	w.rule(t, f.excepted.id, f.france, false)
	f.none = w.noUnits(t)
	t.Run("hidden", f.hiddenUnit)
	t.Run("missing", f.missing)
	t.Run("invalid", f.invalid)
	t.Run("own and primary", f.ownAndPrimary)
	t.Run("without an enabling rule", f.withoutRule)
}

// unitPeople are a world in which every change of a rule is refused.
type unitPeople struct {
	w                    *world
	europe, france, asia string
	none                 map[string]string // IDs of no unit
	u                    member
	ruled                member // has a rule that enables Europe
	lent                 member // sees Europe and France by a single key
	excepted             member // has such a rule, but one that disables France beside a single key in it
}

var ruleStates = []string{"ENABLED", "DISABLED", "INHERIT"}

func setUnitGrantDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe := w.unit(t, "Europe", "")
	france := w.unit(t, "France", europe)
	w.keyIn(t, "Berlin", europe)
	w.keyIn(t, "Paris", france)
	u := w.user(t, invitee{role: graph.RoleReporting, withoutMaster: true})
	admin := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageGrants}, withoutMaster: true})
	w.rule(t, admin.id, europe, true)
	for i, c := range []struct {
		unit, name, state, was string
		affected               int
		names                  []string
	}{
		{europe, "Europe", "ENABLED", "INHERIT", 2, []string{"Berlin", "Paris"}},
		{france, "France", "DISABLED", "INHERIT", 1, []string{"Berlin"}},
		{europe, "Europe", "DISABLED", "ENABLED", 1, []string{}},
		{france, "France", "ENABLED", "DISABLED", 1, []string{"Paris"}},
		{france, "France", "INHERIT", "ENABLED", 1, []string{}},
		{europe, "Europe", "INHERIT", "DISABLED", 0, []string{}},
	} {
		a := admin.done(t, toSetUnitGrant, input{"userId": u.id, "unitId": c.unit, "state": c.state})
		rule := "null"
		if c.state != "INHERIT" {
			id := graph.ID{Kind: graph.KindUnitGrant, Account: graph.ParseID(w.account).Account, Object: rowOf(u.id), Second: rowOf(c.unit)}
			at := instant(t, a.at(t, "setUnitGrant.unitGrant.updatedAt")).Format(time.RFC3339Nano)
			rule = fmt.Sprintf(`{"id":%q,"user":{"id":%q},"unit":{"id":%q},"enabled":%t,"updatedAt":%q}`, id, u.id, c.unit, c.state == "ENABLED", at)
		}
		a.is(t, fmt.Sprintf(`{"data":{"setUnitGrant":{"userErrors":[],"unitGrant":%s,"affectedKeys":%d}}}`, rule, c.affected))
		does := map[string]string{"ENABLED": "Enabled", "DISABLED": "Disabled", "INHERIT": "Reset"}[c.state]
		w.tells(t, a, event{Action: "UNIT_GRANT_CHANGED", Actor: admin.id, ActorLabel: admin.display(), User: u.id, Unit: c.unit, IPAddress: "127.0.0.1",
			Summary: fmt.Sprintf("%s the keys in and below the unit %s for %s.", does, c.name, u.display()), Changes: "state: " + c.was + " -> " + c.state})
		if diff := cmp.Diff(c.names, u.names(t)); diff != "" {
			t.Errorf("step %d: keys (-want +got):\n%s", i, diff)
		}
	}
}

// TestRuleReachesTheFuture: a rule over a thousand keys is one row, works at the next request, and shows a key that is made
// later; a grant that is set for a key overrides it.
func TestRuleReachesTheFuture(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe := w.unit(t, "Europe", "")
	france := w.unit(t, "France", europe)
	w.edit(t, `INSERT INTO api_keys (account_id, key_id, key, name, kind, unit_id, created_at)
		SELECT $1, gen_random_uuid(), 'made' || n, 'Made ' || n, 'OTHER', $2, now() FROM generate_series(1, 1000) n`, rowOf(france))
	w.edit(t, `UPDATE accounts SET tree_version = tree_version + 1, max_api_keys = 2000 WHERE account_id = $1`)
	u := w.user(t, invitee{role: graph.RoleReporting, withoutMaster: true})
	count := func(want float64) {
		t.Helper()
		if got := u.ask(t, `{ account { apiKeys { totalCount } } }`, nil, "account.apiKeys.totalCount"); got != want {
			t.Errorf("%v keys are visible, want %v", got, want)
		}
	}
	count(0)
	before := w.rows(t)
	a := w.owner.done(t, toSetUnitGrant, input{"userId": u.id, "unitId": europe, "state": "ENABLED"})
	if got := a.at(t, "setUnitGrant.affectedKeys"); got != 1000.0 {
		t.Errorf("%v keys are affected", got)
	}
	if made := len(w.rows(t)) - len(before); made != 3 { // the rule, its event in the trail and the one for subscriptions
		t.Errorf("the rule made %d rows", made)
	}
	count(1000)
	k := w.keyIn(t, "Later", france)
	count(1001)
	w.grant(t, u.id, k, graph.GrantDisabled)
	count(1000)
	w.grant(t, u.id, k, graph.GrantInherit)
	count(1001)
	u.expect(t, `query($k: ID!) { node(id: $k) { ... on ApiKey { viewerGrant { enabled source inheritedFrom { id } expiresAt updatedAt explanation {
		source enabled unit { name } reason } } } } }`, map[string]any{"k": k}, fmt.Sprintf(`{"data":{"node":{"viewerGrant":{"enabled":true,"source":"UNIT",
		"inheritedFrom":{"id":%q},"expiresAt":null,"updatedAt":null,"explanation":[
			{"source":"EXPLICIT","enabled":null,"unit":null,"reason":"Nothing is set for this user and this key."},
			{"source":"UNIT","enabled":null,"unit":{"name":"France"},"reason":"The unit France has no rule for this user."},
			{"source":"UNIT","enabled":true,"unit":{"name":"Europe"},"reason":"The unit Europe enables all keys in and below it for this user."}]}}}}`, europe))
	if n := u.srv.Hits(); n != 0 {
		t.Errorf("@visible caught %d objects", n)
	}
}

// TestRuleHandsOnNoMore: an administrator who lacks something below the unit hands on the rest, and learns from nothing that
// there is more.
func TestRuleHandsOnNoMore(t *testing.T) {
	t.Parallel()
	answers := map[bool][]byte{}
	for _, hides := range []bool{false, true} {
		w := newWorld(t)
		europe := w.unit(t, "Europe", "")
		w.keyIn(t, "Berlin", europe)
		admin := w.user(t, invitee{role: graph.RoleAdministrator, withoutMaster: true})
		w.rule(t, admin.id, europe, true)
		u := w.user(t, invitee{role: graph.RoleReporting, withoutMaster: true})
		var france string
		if hides {
			france = w.unit(t, "France", europe)
			w.rule(t, admin.id, france, false)
			w.keyIn(t, "Paris", france)
			w.grant(t, admin.id, w.keyIn(t, "Rome", europe), graph.GrantDisabled)
		}
		a := admin.done(t, mutation{field: "setUnitGrant", inputType: "SetUnitGrantInput", selection: "affectedKeys unitGrant { enabled unit { name children { totalCount } } }"},
			input{"userId": u.id, "unitId": europe, "state": "ENABLED"})
		answers[hides] = a.Body
		if got := len(admin.entries(t, w.account, a)); got != 1 {
			t.Errorf("hides %v: the administrator reads %d events", hides, got)
		}
		if got := u.names(t); !slices.Equal(got, []string{"Berlin"}) {
			t.Errorf("hides %v: the user got %v", hides, got)
		}
		if hides {
			w.keyIn(t, "Lyon", france)
			if got := u.names(t); !slices.Equal(got, []string{"Berlin"}) {
				t.Errorf("the user got %v", got)
			}
			if got := len(w.owner.entries(t, w.account, a)); got != 3 { // the rule, the one for France, the key Rome
				t.Errorf("the owner reads %d events", got)
			}
		}
	}
	if !bytes.Equal(answers[true], answers[false]) {
		t.Errorf("with something hidden %s\nwithout %s", answers[true], answers[false])
	}
}

// setUnitGrantRepeated: a repeated call leaves the same rule and changes nothing: no second event, no later time.
func setUnitGrantRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, u := w.unit(t, "Europe", ""), w.user(t, invitee{role: graph.RoleReporting})
	w.keyIn(t, "Berlin", europe)
	for _, state := range []string{"INHERIT", "ENABLED", "DISABLED", "INHERIT"} {
		in := input{"userId": u.id, "unitId": europe, "state": state}
		first := w.owner.done(t, toSetUnitGrant, in)
		w.unchanged(t, func() {
			second := w.owner.done(t, toSetUnitGrant, in)
			second.is(t, strings.Replace(string(first.Body), `"affectedKeys":1`, `"affectedKeys":0`, 1))
		})
	}
}

// hiddenUnit: a unit that the caller does not see is as good as none.
func (f unitPeople) hiddenUnit(t *testing.T) {
	t.Parallel()
	ids := maps.Clone(f.none)
	ids["hidden"] = f.asia
	for _, state := range ruleStates {
		f.w.alike(t, f.ruled.client, toSetUnitGrant, func(id string) input { return input{"userId": f.u.id, "unitId": id, "state": state} }, ids,
			toSetUnitGrant.refused(problem("NOT_FOUND", "input.unitId")))
	}
}

func (f unitPeople) missing(t *testing.T) {
	t.Parallel()
	f.w.alike(t, f.w.owner.client, toSetUnitGrant, func(id string) input { return input{"userId": id, "unitId": f.europe, "state": "DISABLED"} },
		f.w.noUsers(t), toSetUnitGrant.refused(problem("NOT_FOUND", "input.userId")))
	f.w.alike(t, f.w.owner.client, toSetUnitGrant, func(id string) input { return input{"userId": f.u.id, "unitId": id, "state": "DISABLED"} },
		f.none, toSetUnitGrant.refused(problem("NOT_FOUND", "input.unitId")))
}

func (f unitPeople) invalid(t *testing.T) {
	t.Parallel()
	f.w.unchanged(t, func() {
		f.w.owner.fails(t, toSetUnitGrant, input{"userId": f.u.id, "unitId": f.europe, "state": "TOGGLE"},
			`{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["in","state"]}}]}`)
	})
}

func (f unitPeople) ownAndPrimary(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		by   client
		user string
	}{{f.ruled.client, f.ruled.id}, {f.ruled.client, f.w.owner.id}, {f.w.owner.client, f.w.owner.id}} {
		f.refuses(t, c.by, c.user, f.europe, "input.userId")
	}
}

// withoutRule: to see a unit is not enough, nor is a rule above it when a nearer one disables.
func (f unitPeople) withoutRule(t *testing.T) {
	t.Parallel()
	f.refuses(t, f.lent.client, f.u.id, f.france, "input.unitId")
	f.refuses(t, f.lent.client, f.u.id, f.europe, "input.unitId")
	f.refuses(t, f.excepted.client, f.u.id, f.france, "input.unitId")
}

func (f unitPeople) refuses(t *testing.T, c client, user, unit, path string) {
	t.Helper()
	f.w.unchanged(t, func() {
		for _, state := range ruleStates {
			c.fails(t, toSetUnitGrant, input{"userId": user, "unitId": unit, "state": state}, toSetUnitGrant.refused(problem("NOT_ALLOWED", path)))
		}
	})
}
