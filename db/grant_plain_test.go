package db_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"grantwood/db"
	"grantwood/graph"
)

// situation is what a change of a grant meets: who makes it, about whom and what, what was set, and what happens meanwhile.
type situation struct {
	admin        bool   // by the administrator, not the owner
	user, key    string // of whom, for which
	before, unit string // what is set for the other user, for the key and for the units
	own, ownUnit string // what is set for the administrator
	meanwhile    string // what happens after the viewer was read
	state        graph.GrantState
	end          string
}

// plainStage is an account in which every situation can be arranged: an owner, an administrator and two others, and keys in units and
// outside of them.
type plainStage struct {
	*stagecraft
	ids map[string]graph.ID
}

func newPlainStage(t *testing.T) *plainStage {
	s := &plainStage{newStagecraft(t), map[string]graph.ID{}}
	for name, id := range map[string]graph.ID{
		"other": s.userID(1), "administrator": s.userID(0), "owner": s.owner.User.ID(),
		"master": s.keyIDs[0], "outer": s.keyIDs[1], "inner": s.keyIDs[3], "loose": s.keyIDs[5],
		"no user": {Kind: graph.KindUser, Account: s.id, Object: newIDs(1)[0]}, "no key": {Kind: graph.KindKey, Account: s.id, Object: newIDs(1)[0]},
		"foreign user": {Kind: graph.KindUser, Account: newIDs(1)[0], Object: s.userID(1).Object},
		"foreign key":  {Kind: graph.KindKey, Account: newIDs(1)[0], Object: s.keyIDs[5].Object},
		"no ID":        {},
	} {
		s.ids[name] = id
	}
	s.ids["deleted"] = s.keyIDs[4]
	s.exec(t, `UPDATE api_keys SET deleted_at = now(), secret_hash = NULL, secret_hint = NULL, secret_issued_at = NULL WHERE account_id = $1 AND key_id = $2`, s.keyIDs[4].Object)
	return s
}

func (s *plainStage) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := db.Pool(s.db).ExecContext(t.Context(), statement, append([]any{s.id}, args...)...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

var (
	rules       = []string{"", "on", "off", "on until later", "on until before"}
	unitRules   = []string{"", "on", "off"}
	targets     = []string{"other", "administrator", "owner", "no user", "foreign user", "no ID", "loose"}
	things      = []string{"loose", "master", "outer", "inner", "deleted", "no key", "foreign key", "no ID", "other"}
	occurrences = []string{"", "disabled", "suspended", "without capability", "raised", "becomes owner"}
	allStates   = []graph.GrantState{graph.GrantEnabled, graph.GrantDisabled, graph.GrantInherit, "TOGGLE"}
	ends        = []string{"", "later", "before"}
)

func drawSituation(r *rapid.T) situation {
	one := func(label string, from []string) string { return rapid.SampledFrom(from).Draw(r, label) }
	return situation{
		admin: rapid.Bool().Draw(r, "by the administrator"), user: one("user", append(targets, "other", "other", "other")), key: one("key", things),
		before: one("before", rules), unit: one("rule of the user", unitRules), own: one("own", append(rules, "on", "on")), ownUnit: one("own rule", unitRules),
		meanwhile: one("meanwhile", append(occurrences, "", "", "")), state: rapid.SampledFrom(allStates).Draw(r, "state"), end: one("end", ends),
	}
}

// oddities are situations in which one thing, at most, is not as plain as can be.
func oddities() []situation {
	var list []situation
	for _, admin := range []bool{false, true} {
		plain := situation{admin: admin, user: "other", key: "loose", own: "on", state: graph.GrantEnabled}
		add := func(values []string, set func(*situation, string)) {
			for _, value := range values {
				x := plain
				set(&x, value)
				list = append(list, x)
			}
		}
		add(targets, func(x *situation, s string) { x.user = s })
		add(things, func(x *situation, s string) { x.key = s })
		add(rules, func(x *situation, s string) { x.before = s })
		add(rules, func(x *situation, s string) { x.own = s })
		add(occurrences, func(x *situation, s string) { x.meanwhile = s })
		add(ends, func(x *situation, s string) { x.end = s })
		for _, state := range allStates {
			x := plain
			x.state = state
			list = append(list, x)
		}
	}
	return list
}

// arrange makes the situation, and gives the viewer and the change.
func (s *plainStage) arrange(t *testing.T, x situation, at time.Time) (*graph.Viewer, graph.SetGrantInput) {
	t.Helper()
	for _, table := range []string{"grants", "unit_grants", "live_events"} {
		s.exec(t, `DELETE FROM `+table+` WHERE account_id = $1`)
	}
	s.exec(t, `UPDATE accounts SET status = 'ACTIVE' WHERE account_id = $1`)
	s.exec(t, `UPDATE users SET is_primary = false, rules_version = 10, status = 'ACTIVE' WHERE account_id = $1 AND user_id <> $2`, s.owner.UserID())
	s.exec(t, `UPDATE users SET is_primary = true, rules_version = 10, status = 'ACTIVE', granted = '{}' WHERE account_id = $1 AND user_id = $2`, s.owner.UserID())
	s.exec(t, `UPDATE users SET granted = '{MANAGE_GRANTS}' WHERE account_id = $1 AND user_id = $2`, s.userID(0).Object)
	set := func(user graph.ID, rule, ofUnit string) {
		key := s.ids[x.key]
		if rule != "" && slices.Contains(s.keyIDs, key) {
			ends := map[string]time.Duration{"on until later": time.Hour, "on until before": -time.Hour}[rule]
			var end *time.Time
			if ends != 0 {
				instant := at.Add(ends)
				end = &instant
			}
			s.exec(t, `INSERT INTO grants (account_id, user_id, key_id, enabled, expires_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)`,
				user.Object, key.Object, rule != "off", end, at.Add(-2*time.Hour))
		}
		if ofUnit != "" {
			s.exec(t, `INSERT INTO unit_grants (account_id, user_id, unit_id, enabled, updated_at) SELECT $1, $2, unit_id, $3, now() FROM units WHERE account_id = $1 AND parent_id IS NULL`,
				user.Object, ofUnit == "on")
		}
	}
	set(s.userID(1), x.before, x.unit)
	set(s.userID(0), x.own, x.ownUnit)
	who := s.owner.UserID()
	if x.admin {
		who = s.userID(0).Object
	}
	v := must(db.ViewerOf(t.Context(), s.db, s.id, who, at))
	v.Request.Address, v.Request.ID = "192.0.2.1", newIDs(1)[0].String()
	if happens, ok := map[string]string{
		"disabled":           `UPDATE users SET is_primary = false, status = 'DISABLED' WHERE account_id = $1 AND user_id = $2`,
		"suspended":          `UPDATE accounts SET status = 'SUSPENDED' WHERE account_id = $1 AND $2::uuid IS NOT NULL`,
		"without capability": `UPDATE users SET is_primary = false, granted = '{VIEW_USAGE}' WHERE account_id = $1 AND user_id = $2`,
		"raised":             `UPDATE users SET rules_version = 11 WHERE account_id = $1 AND user_id = $2`,
	}[x.meanwhile]; ok {
		s.exec(t, happens, who)
	}
	if x.meanwhile == "becomes owner" {
		s.exec(t, `UPDATE users SET is_primary = false WHERE account_id = $1 AND is_primary`)
		s.exec(t, `UPDATE users SET is_primary = true, granted = '{}' WHERE account_id = $1 AND user_id = $2`, s.userID(1).Object)
	}
	in := graph.SetGrantInput{UserID: s.ids[x.user], KeyID: s.ids[x.key], State: x.state}
	if ends := map[string]time.Duration{"later": time.Hour, "before": -time.Hour}[x.end]; ends != 0 {
		end := at.Add(ends)
		in.ExpiresAt = &end
	}
	return v, in
}

// left gives all that a request can leave behind, without what no other has.
func (s *plainStage) left(t *testing.T, request string) []string {
	t.Helper()
	var list []string
	err := db.Pool(s.db).SelectContext(t.Context(), &list, `
		(SELECT to_jsonb(g)::text FROM grants g WHERE account_id = $1 ORDER BY user_id, key_id)
		UNION ALL (SELECT (to_jsonb(e) - 'event_id' - 'request_id')::text FROM audit_events e WHERE account_id = $1 AND request_id = $2 ORDER BY event_id)
		UNION ALL (SELECT (to_jsonb(l) - 'event_id')::text FROM live_events l WHERE account_id = $1 ORDER BY kind, event_id)
		UNION ALL (SELECT to_jsonb(u)::text FROM users u WHERE account_id = $1 ORDER BY user_id)`, s.id, request)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestPlainChangeIsTheChange: with one thing odd, and in random situations, a change in one statement answers and leaves what the change
// in steps does, or it leaves everything as it was. It is made whenever there is no reason against it.
func TestPlainChangeIsTheChange(t *testing.T) {
	t.Parallel()
	s := newPlainStage(t)
	for _, x := range oddities() {
		s.bothWays(t, t.Fatalf, x)
	}
	rapid.Check(t, func(r *rapid.T) { s.bothWays(t, r.Fatalf, drawSituation(r)) })
}

func (s *plainStage) bothWays(t *testing.T, fail func(string, ...any), x situation) {
	at := now().At
	v, in := s.arrange(t, x, at)
	arranged := s.left(t, v.Request.ID)
	want, refusal := db.SetGrantInSteps(t.Context(), s.db, v, in)
	stepwise := s.left(t, v.Request.ID)
	v, in = s.arrange(t, x, at)
	got, err := db.SetPlainGrant(t.Context(), s.db, v, in)
	left := s.left(t, v.Request.ID)
	switch {
	case err != nil:
		fail("%+v: %v", x, err)
	case got == nil && !slices.Equal(arranged, left):
		fail("%+v is no plain case and leaves (-before +after):\n%s", x, cmp.Diff(arranged, left))
	case got == nil && refusal == nil && !x.ends() && x.meanwhile != "raised":
		fail("%+v is as plain as can be, and made in steps", x)
	case got != nil && refusal != nil:
		fail("%+v is made, and would be refused: %v", x, refusal)
	case got != nil && !slices.Equal(stepwise, left):
		fail("%+v leaves (-in steps +at once):\n%s", x, cmp.Diff(stepwise, left))
	case got != nil && !reflect.DeepEqual(want, got):
		fail("%+v answers (-in steps +at once):\n%s", x, cmp.Diff(want, got, cmp.Exporter(func(reflect.Type) bool { return true })))
	}
}

// ends reports whether what was set for the pair ends by itself.
func (x situation) ends() bool {
	set := x.before
	if x.user == "administrator" {
		set = x.own
	}
	return set == "on until later" || set == "on until before"
}
