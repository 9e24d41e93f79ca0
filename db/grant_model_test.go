package db_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"grantwood/db"
	"grantwood/graph"
)

// The model of grants: what was set, in the words of the product, with nothing of SQL and of graph in it.

type cell struct{ user, key int }

// setting is what is set for a cell, and when it was.
type setting struct {
	enabled bool
	end     time.Time // zero for none
	at      time.Time
}

func (s *setting) same(other *setting) bool {
	if s == nil || other == nil {
		return s == other
	}
	return s.enabled == other.enabled && s.end.Equal(other.end)
}

func (s *setting) String() string {
	switch {
	case s == nil:
		return "INHERIT"
	case !s.enabled:
		return "DISABLED"
	case s.end.IsZero():
		return "ENABLED"
	}
	return "ENABLED until " + s.end.UTC().Format(time.RFC3339Nano)
}

// done is an operation: what was and is set for each cell that it changed.
type done struct {
	id            graph.ID
	at            time.Time
	before, after map[cell]*setting
}

// model plays an account: the user at 0 is an administrator who sees what is enabled for them; the key at 0 is the master key.
type model struct {
	users, keys int
	inherited   map[cell]bool // what units and the default say
	set         map[cell]*setting
	clock       time.Time
	operations  []done
}

func (m *model) enabled(c cell) bool {
	if s := m.set[c]; s != nil && (s.end.IsZero() || s.end.After(m.clock)) {
		return s.enabled
	}
	return m.inherited[c]
}

// visible gives the keys that the owner or the administrator sees.
func (m *model) visible(byAdmin bool) []int {
	var keys []int
	for k := range m.keys {
		if !byAdmin || m.enabled(cell{0, k}) {
			keys = append(keys, k)
		}
	}
	return keys
}

// apply sets what differs, and says how many effective grants became enabled and disabled.
func (m *model) apply(wanted map[cell]*setting) (o done, on, off int) {
	o = done{at: m.clock, before: map[cell]*setting{}, after: map[cell]*setting{}}
	for c, s := range wanted {
		if m.set[c].same(s) {
			continue
		}
		was := m.enabled(c)
		o.before[c], o.after[c] = m.set[c], s
		delete(m.set, c)
		if s != nil {
			m.set[c] = &setting{s.enabled, s.end, m.clock}
		}
		switch is := m.enabled(c); {
		case is && !was:
			on++
		case was && !is:
			off++
		}
	}
	return o, on, off
}

// undo gives what undoing wants to set; false when the caller sees nothing of the operation.
func (m *model) undo(o done, byAdmin bool) (map[cell]*setting, bool) {
	visible, wanted, seen := m.visible(byAdmin), map[cell]*setting{}, false
	for c, after := range o.after {
		if !slices.Contains(visible, c.key) {
			continue
		}
		seen = true
		now := m.set[c]
		if own := byAdmin && c.user == 0; !own && now.same(after) && (now == nil || now.at.Equal(o.at)) {
			wanted[c] = o.before[c]
		}
	}
	return wanted, seen
}

// stagecraft is an account that follows a model.
type stagecraft struct {
	account
	*model
	people []*graph.Viewer
	keyIDs []graph.ID
}

func newStagecraft(t *testing.T) *stagecraft {
	s := &stagecraft{account: newAccount(t), model: &model{users: 4, keys: 6, inherited: map[cell]bool{}, set: map[cell]*setting{}, clock: now().At}}
	s.keyIDs = append(s.keyIDs, must(s.db.MasterKey(t.Context(), s.owner, s.id)).ID())
	for k := range s.keys - 1 {
		key, _, err := s.db.CreateApiKey(t.Context(), s.owner, graph.CreateApiKeyInput{Name: fmt.Sprint("Key ", k), Kind: graph.OtherKind})
		if err != nil {
			t.Fatal(err)
		}
		s.keyIDs = append(s.keyIDs, key.ID())
	}
	for u := range s.users {
		s.people = append(s.people, s.user(t, []graph.Role{graph.RoleAdministrator, graph.RoleReporting}[min(u, 1)]))
		s.inherited[cell{u, 0}] = true
	}
	// Keys 1 to 4 lie in two units, one below the other; the nearest rule counts.
	pool, units := db.Pool(s.db), newIDs(2)
	exec := func(statement string, args ...any) {
		if _, err := pool.ExecContext(t.Context(), statement, append([]any{s.id}, args...)...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	exec(`INSERT INTO units (account_id, unit_id, parent_id, name, kind, created_at) VALUES ($1, $2, NULL, 'Top', 'OTHER', now()), ($1, $3, $2, 'Inner', 'OTHER', now())`, units[0], units[1])
	exec(`INSERT INTO unit_paths (account_id, unit_id, distance, above_id) VALUES ($1, $2, 0, $2), ($1, $3, 0, $3), ($1, $3, 1, $2)`, units[0], units[1])
	for k := 1; k <= 4; k++ {
		exec(`UPDATE api_keys SET unit_id = $2 WHERE account_id = $1 AND key_id = $3`, units[k/3], s.keyIDs[k].Object)
	}
	for u, rules := range map[int][2]string{0: {"t", ""}, 1: {"t", "f"}, 2: {"", "t"}} {
		for i, rule := range rules {
			if rule != "" {
				exec(`INSERT INTO unit_grants (account_id, user_id, unit_id, enabled, updated_at) VALUES ($1, $2, $3, $4, now())`, s.people[u].UserID(), units[i], rule)
			}
		}
		for k := 1; k <= 4; k++ {
			s.inherited[cell{u, k}] = cmp.Or(rules[k/3], rules[0]) == "t"
		}
	}
	exec(`UPDATE accounts SET tree_version = tree_version + 1 WHERE account_id = $1`)
	exec(`UPDATE users SET rules_version = rules_version + 1 WHERE account_id = $1`)
	return s
}

// caller gives the owner or the administrator at the time of the clock.
func (s *stagecraft) caller(t *testing.T, byAdmin bool) *graph.Viewer {
	if !byAdmin {
		s.owner.Request.At = s.clock
		return s.owner
	}
	return s.fresh(t, 0)
}

func (s *stagecraft) fresh(t *testing.T, user int) *graph.Viewer {
	v := s.people[user]
	v.Request.At = s.clock
	s.people[user], _, _ = must3(s.db.Refresh(t.Context(), v))
	return s.people[user]
}

func must3[A, B any](a A, b B, err error) (A, B, error) {
	if err != nil {
		panic(err)
	}
	return a, b, nil
}

// TestGrantsFollowTheModel runs random operations, with ends and as two callers, and compares after each of them: the operation's
// answer, what its event says, and the effective state of every pair, from SQL, from the second source, and from the model.
func TestGrantsFollowTheModel(t *testing.T) {
	t.Parallel()
	s := newStagecraft(t)
	rapid.Check(t, func(r *rapid.T) {
		for range rapid.IntRange(1, 5).Draw(r, "operations") {
			s.clock = s.clock.Add(time.Duration(rapid.IntRange(1, 90).Draw(r, "seconds")) * time.Second)
			byAdmin := rapid.Bool().Draw(r, "as the administrator")
			switch rapid.IntRange(0, 3).Draw(r, "kind") {
			case 0:
				s.setAccess(t, r, byAdmin)
			case 1:
				s.setGrants(t, r, byAdmin)
			default:
				s.undoSome(t, r, byAdmin)
			}
			s.compare(t, r)
		}
	})
}

func (s *stagecraft) drawState(r *rapid.T) (graph.GrantState, *setting) {
	switch rapid.IntRange(0, 2).Draw(r, "state") {
	case 0:
		return graph.GrantEnabled, &setting{enabled: true}
	case 1:
		return graph.GrantDisabled, &setting{}
	}
	return graph.GrantInherit, nil
}

// targets draws users who may be changed and keys that may be seen by nobody but the owner.
func (s *stagecraft) targets(r *rapid.T, byAdmin bool) (users, keys []int) {
	least := 0
	if byAdmin {
		least = 1 // nobody changes their own grants
	}
	users = rapid.SliceOfNDistinct(rapid.IntRange(least, s.users-1), 1, 3, rapid.ID).Draw(r, "users")
	keys = rapid.SliceOfNDistinct(rapid.IntRange(0, s.keys-1), 1, 4, rapid.ID).Draw(r, "keys")
	return users, keys
}

func (s *stagecraft) mayUse(byAdmin bool, keys []int) bool {
	visible := s.visible(byAdmin)
	return !slices.ContainsFunc(keys, func(k int) bool { return !slices.Contains(visible, k) })
}

func (s *stagecraft) userID(u int) graph.ID { return s.people[u].User.ID() }

func (s *stagecraft) setAccess(t *testing.T, r *rapid.T, byAdmin bool) {
	users, keys := s.targets(r, byAdmin)
	state, what := s.drawState(r)
	in, wanted := graph.SetAccessInput{State: state}, map[cell]*setting{}
	for _, u := range users {
		in.UserIds = append(in.UserIds, s.userID(u))
		for _, k := range keys {
			wanted[cell{u, k}] = what
		}
	}
	for _, k := range keys {
		in.KeyIds = append(in.KeyIds, s.keyIDs[k])
	}
	got, err := s.db.SetAccess(t.Context(), s.caller(t, byAdmin), in)
	if !s.mayUse(byAdmin, keys) {
		s.refused(r, err)
		return
	}
	o, on, off := s.apply(wanted)
	s.finished(t, r, o, got.ID, err)
	if got.Enabled != on || got.Disabled != off {
		r.Fatalf("%d enabled and %d disabled, want %d and %d", got.Enabled, got.Disabled, on, off)
	}
}

func (s *stagecraft) setGrants(t *testing.T, r *rapid.T, byAdmin bool) {
	users, keys := s.targets(r, byAdmin)
	var in graph.SetGrantsInput
	wanted := map[cell]*setting{}
	for _, u := range users {
		for _, k := range keys {
			state, what := s.drawState(r)
			change := graph.SetGrantInput{UserID: s.userID(u), KeyID: s.keyIDs[k], State: state}
			if state == graph.GrantEnabled && rapid.Bool().Draw(r, "ends") {
				end := s.clock.Add(time.Duration(rapid.IntRange(1, 300).Draw(r, "lasts")) * time.Second)
				what.end, change.ExpiresAt = end, &end
			}
			in.Changes, wanted[cell{u, k}] = append(in.Changes, change), what
		}
	}
	id, grants, err := s.db.SetGrants(t.Context(), s.caller(t, byAdmin), in)
	if !s.mayUse(byAdmin, keys) {
		s.refused(r, err)
		return
	}
	o, _, _ := s.apply(wanted)
	s.finished(t, r, o, id, err)
	for i, c := range in.Changes {
		if g := grants[i]; g.User.ID() != c.UserID || g.Key.ID() != c.KeyID {
			r.Fatalf("grant %d is that of %s for %s", i, g.User.ID(), g.Key.ID())
		}
	}
}

func (s *stagecraft) undoSome(t *testing.T, r *rapid.T, byAdmin bool) {
	if len(s.operations) == 0 {
		return
	}
	back := rapid.IntRange(0, min(4, len(s.operations)-1)).Draw(r, "back")
	old := s.operations[len(s.operations)-1-back]
	got, err := s.db.UndoGrantOperation(t.Context(), s.caller(t, byAdmin), graph.UndoGrantOperationInput{OperationID: old.id})
	wanted, seen := s.undo(old, byAdmin)
	if !seen {
		s.refused(r, err)
		return
	}
	o, on, off := s.apply(wanted)
	s.finished(t, r, o, got.ID, err)
	if got.Enabled != on || got.Disabled != off {
		r.Fatalf("%d enabled and %d disabled, want %d and %d", got.Enabled, got.Disabled, on, off)
	}
}

func (s *stagecraft) refused(r *rapid.T, err error) {
	if graph.ErrorCode(err) != graph.NotFound {
		r.Fatalf("a hidden key is met with %v", err)
	}
}

// finished compares what an operation noted with the model.
func (s *stagecraft) finished(t *testing.T, r *rapid.T, o done, id *graph.ID, err error) {
	if err != nil {
		r.Fatal(err)
	}
	if (id == nil) != (len(o.after) == 0) {
		r.Fatalf("the operation is %v after %d changes", id, len(o.after))
	}
	if id == nil {
		return
	}
	o.id = *id
	s.operations = append(s.operations, o)
	want := map[string]string{}
	for c := range o.after {
		want[fmt.Sprint(s.userID(c.user), s.keyIDs[c.key])] = fmt.Sprint(o.before[c], " -> ", o.after[c])
	}
	events := must(s.db.AuditEvents(t.Context(), s.owner, s.id, []graph.UUID{id.Object}))
	page := must(s.db.GrantChangesOf(t.Context(), s.owner, events, window(graph.ByKeyAndPlace), db.Ask{}))[id.Object]
	got := map[string]string{}
	for _, c := range page.Nodes {
		got[fmt.Sprint(c.User.ID(), c.Key.ID())] = fmt.Sprint(saidBy(c.Before), " -> ", saidBy(c.After))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		r.Fatalf("changes (-want +got):\n%s", diff)
	}
}

func saidBy(rule *graph.Rule) *setting {
	if rule == nil {
		return nil
	}
	s := &setting{enabled: rule.Enabled}
	if rule.ExpiresAt != nil {
		s.end = *rule.ExpiresAt
	}
	return s
}

// compare reads every pair from the matrix of the owner, from that of the administrator, and from the second source.
func (s *stagecraft) compare(t *testing.T, r *rapid.T) {
	want, seen, second := map[cell]bool{}, map[cell]bool{}, map[cell]bool{}
	adminSees := s.visible(true)
	for u := range s.users {
		v := s.fresh(t, u)
		for k := range s.keys {
			c := cell{u, k}
			want[c], second[c] = s.enabled(c), v.SeesKey(s.id, s.keyIDs[k].Object)
			if slices.Contains(adminSees, k) {
				seen[c] = want[c]
			}
		}
	}
	for what, got := range map[string]map[cell]bool{"matrix of the owner": s.matrix(t, false), "second source": second} {
		if !maps.Equal(want, got) {
			r.Fatalf("%s (-want +got):\n%s", what, gocmp.Diff(want, got, gocmp.AllowUnexported(cell{})))
		}
	}
	if got := s.matrix(t, true); !maps.Equal(seen, got) {
		r.Fatalf("matrix of the administrator (-want +got):\n%s", gocmp.Diff(seen, got, gocmp.AllowUnexported(cell{})))
	}
}

func (s *stagecraft) matrix(t *testing.T, byAdmin bool) map[cell]bool {
	m := must(s.db.AccessMatrix(t.Context(), s.caller(t, byAdmin), s.id, nil))
	found := map[cell]bool{}
	for i, user := range m.UserIds {
		u := slices.IndexFunc(s.people, func(v *graph.Viewer) bool { return v.User.ID() == user })
		for k, key := range m.KeyIds {
			found[cell{u, slices.Index(s.keyIDs, key)}] = m.Enabled[i].Has(k)
		}
	}
	return found
}
