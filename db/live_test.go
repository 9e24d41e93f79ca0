package db_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

// ear follows something and tells what it hears in words.
type ear struct {
	*db.Subscription
	names map[graph.UUID]string
	last  *graph.ID
}

func (a account) listen(t testing.TB, d *db.DB, v *graph.Viewer, q db.LiveQuery, names map[graph.UUID]string) *ear {
	t.Helper()
	// Of its own, as that of a request: subscriptions read it while tests set the time of the next change.
	s, err := d.Follow(t.Context(), v.Again(now().At), q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &ear{Subscription: s, names: names}
}

// word says what an event tells.
func (e *ear) word(x db.LiveEvent) string {
	switch x := x.(type) {
	case *graph.GrantChangedEvent:
		e.last = &x.EventID
		text := fmt.Sprint(e.names[x.UserID.Object], " ", e.names[x.KeyID.Object], " ", x.Enabled)
		if x.Grant == nil {
			text += " gone"
		}
		return text
	case *graph.KeyToggledEvent:
		e.last = &x.EventID
		return e.names[x.Key.KeyID] + " " + string(x.Status)
	case *graph.UsageAddedEvent:
		e.last = &x.EventID
		return fmt.Sprint(e.names[x.Key.KeyID], " ", x.Totals.Records, " ", len(x.Records))
	}
	return "?"
}

// hear waits for the next event.
func (e *ear) hear(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, x, err := e.Next(ctx)
	if err != nil {
		return string(graph.ErrorCode(err))
	}
	return e.word(x)
}

func (e *ear) expect(t testing.TB, want ...string) {
	t.Helper()
	got := make([]string, len(want))
	for i := range want {
		if t.Failed() {
			t.FailNow()
		}
		got[i] = e.hear(t)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
}

// expectAll is expect in whatever order.
func (e *ear) expectAll(t testing.TB, want ...string) {
	t.Helper()
	got := make([]string, len(want))
	for i := range want {
		got[i] = e.hear(t)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
}

// scene is an account with an administrator, who sees the keys A and B, and a reporter, who sees A. The master key is hidden from both.
type scene struct {
	account
	admin, reporter *graph.Viewer
	keys            map[string]*graph.ApiKey
	names           map[graph.UUID]string
}

func newScene(t testing.TB) *scene { return newSceneOn(t, newAccount(t)) }

func newSceneOn(t testing.TB, a account) *scene {
	t.Helper()
	s := &scene{account: a, keys: map[string]*graph.ApiKey{}, names: map[graph.UUID]string{}}
	s.admin, s.reporter = a.user(t, graph.RoleAdministrator), a.user(t, graph.RoleReporting)
	s.keys["M"] = must(a.db.MasterKey(t.Context(), a.owner, a.id))
	for _, name := range []string{"A", "B", "C", "D"} {
		s.keys[name], _ = a.key(t, name)
	}
	for name, k := range s.keys {
		s.names[k.KeyID] = name
	}
	s.names[a.owner.UserID()], s.names[s.admin.UserID()], s.names[s.reporter.UserID()] = "owner", "admin", "reporter"
	for _, g := range []struct {
		v    *graph.Viewer
		keys string
		s    graph.GrantState
	}{{s.admin, "AB", graph.GrantEnabled}, {s.admin, "M", graph.GrantDisabled}, {s.reporter, "A", graph.GrantEnabled}, {s.reporter, "M", graph.GrantDisabled}} {
		for _, key := range strings.Split(g.keys, "") {
			s.set(t, g.v, key, g.s)
		}
	}
	s.admin, s.reporter = s.renewed(t, s.admin), s.renewed(t, s.reporter)
	return s
}

// renewed gives the viewer of the same session as of now.
func (s *scene) renewed(t testing.TB, v *graph.Viewer) *graph.Viewer {
	t.Helper()
	return s.again(t, v)
}

func (s *scene) set(t testing.TB, user *graph.Viewer, key string, state graph.GrantState) {
	t.Helper()
	s.setUntil(t, user, key, state, nil)
}

func (s *scene) setUntil(t testing.TB, user *graph.Viewer, key string, state graph.GrantState, end *time.Time) {
	t.Helper()
	s.owner.Request = now()
	_, err := s.db.SetGrant(t.Context(), s.owner, graph.SetGrantInput{UserID: user.User.ID(), KeyID: s.keys[key].ID(), State: state, ExpiresAt: end})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *scene) toggle(t testing.TB, d *db.DB, key string, enabled bool) {
	t.Helper()
	s.owner.Request = now()
	if _, err := d.SetApiKeyEnabled(t.Context(), s.owner, graph.SetApiKeyEnabledInput{KeyID: s.keys[key].ID(), Enabled: enabled}); err != nil {
		t.Fatal(err)
	}
}

var (
	grantsOf = db.LiveQuery{Topic: db.TopicGrants}
	keysOf   = db.LiveQuery{Topic: db.TopicKeys}
	usageOf  = db.LiveQuery{Topic: db.TopicUsage}
)

// TestGrantChanged goes through who is told of what: the table of who sees what, as far as it concerns grants.
func TestGrantChanged(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	owner, admin, reporter := s.listen(t, s.db, s.owner, grantsOf, s.names), s.listen(t, s.db, s.admin, grantsOf, s.names), s.listen(t, s.db, s.reporter, grantsOf, s.names)
	// The administrator sees B and hears of it; nobody else hears of C but the owner and whom it concerns.
	s.set(t, s.reporter, "C", graph.GrantEnabled)
	s.set(t, s.reporter, "B", graph.GrantEnabled)
	owner.expect(t, "reporter C true", "reporter B true")
	admin.expect(t, "reporter B true")
	reporter.expect(t, "reporter C true", "reporter B true")
	// What changes nothing is not told: neither a grant that says what was so, nor one for a key that stays hidden.
	s.set(t, s.reporter, "D", graph.GrantDisabled)
	s.set(t, s.reporter, "D", graph.GrantInherit)
	s.set(t, s.admin, "C", graph.GrantDisabled)
	// Losing a key is told once, without the grant.
	s.set(t, s.reporter, "C", graph.GrantDisabled)
	owner.expect(t, "reporter C false")
	reporter.expect(t, "reporter C false gone")
	s.set(t, s.admin, "B", graph.GrantDisabled)
	owner.expect(t, "admin B false")
	admin.expect(t, "admin B false gone")
	// Who lost a key hears no more of it, whoever's grant it is.
	s.set(t, s.reporter, "B", graph.GrantDisabled)
	s.set(t, s.admin, "A", graph.GrantDisabled)
	owner.expect(t, "reporter B false", "admin A false")
	reporter.expect(t, "reporter B false gone")
	admin.expect(t, "admin A false gone")
	s.set(t, s.admin, "A", graph.GrantEnabled)
	owner.expect(t, "admin A true")
	admin.expect(t, "admin A true")
}

func TestGrantChangedByOperations(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	owner, admin, reporter := s.listen(t, s.db, s.owner, grantsOf, s.names), s.listen(t, s.db, s.admin, grantsOf, s.names), s.listen(t, s.db, s.reporter, grantsOf, s.names)
	s.owner.Request = now()
	done, err := s.db.SetAccess(t.Context(), s.owner, graph.SetAccessInput{UserIds: []graph.ID{s.admin.User.ID(), s.reporter.User.ID()},
		KeyIds: []graph.ID{s.keys["A"].ID(), s.keys["B"].ID(), s.keys["C"].ID()}, State: graph.GrantEnabled})
	if err != nil {
		t.Fatal(err)
	}
	owner.expectAll(t, "admin C true", "reporter B true", "reporter C true")
	reporter.expectAll(t, "reporter B true", "reporter C true")
	admin.expectAll(t, "admin C true", "reporter B true", "reporter C true") // C became visible, and so did the reporter's grant for it
	s.owner.Request = now()
	if _, err := s.db.UndoGrantOperation(t.Context(), s.owner, graph.UndoGrantOperationInput{OperationID: *done.ID}); err != nil {
		t.Fatal(err)
	}
	admin.expectAll(t, "admin C false gone", "reporter B false")
	s.set(t, s.reporter, "D", graph.GrantEnabled)
	reporter.expectAll(t, "reporter B false gone", "reporter C false gone")
	reporter.expect(t, "reporter D true")
}

func TestGrantChangedByUnits(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	unit := func(name string, parent *graph.ID) *graph.Unit {
		s.owner.Request = now()
		return must(s.db.CreateUnit(t.Context(), s.owner, graph.CreateUnitInput{Name: name, Kind: graph.OtherKind, ParentID: parent}))
	}
	world := unit("World", nil)
	worldID := world.ID()
	asia, other := unit("Asia", &worldID), unit("Other", nil)
	asiaID, otherID := asia.ID(), other.ID()
	move := func(key string, to *graph.ID) {
		s.owner.Request = now()
		must(s.db.MoveApiKey(t.Context(), s.owner, graph.MoveApiKeyInput{KeyID: s.keys[key].ID(), UnitID: to}))
	}
	rule := func(u graph.ID, state graph.GrantState) {
		s.owner.Request = now()
		must(s.db.SetUnitGrant(t.Context(), s.owner, graph.SetUnitGrantInput{UserID: s.reporter.User.ID(), UnitID: u, State: state}))
	}
	move("C", &asiaID)
	reporter := s.listen(t, s.db, s.reporter, grantsOf, s.names)
	keys := s.listen(t, s.db, s.reporter, keysOf, s.names)
	rule(worldID, graph.GrantEnabled)
	reporter.expect(t, "reporter C true")
	move("D", &asiaID) // becomes visible by a move
	reporter.expect(t, "reporter D true")
	keys.expect(t, "D ENABLED")
	s.owner.Request = now()
	_, _, err := s.db.MoveUnit(t.Context(), s.owner, graph.MoveUnitInput{UnitID: asiaID, ParentID: &otherID})
	if err != nil {
		t.Fatal(err)
	}
	reporter.expectAll(t, "reporter C false gone", "reporter D false gone")
	s.owner.Request = now()
	made, _, err := s.db.CreateApiKey(t.Context(), s.owner, graph.CreateApiKeyInput{Name: "E", Kind: graph.OtherKind, UnitID: &worldID})
	if err != nil {
		t.Fatal(err)
	}
	s.names[made.KeyID] = "E"
	reporter.expect(t, "reporter E true")
	rule(worldID, graph.GrantInherit)
	reporter.expect(t, "reporter E false gone")
}

// TestWithheldKeysAreNotTold: an administrator's rule must not reach keys that they do not see, and its user hears of none of these.
func TestWithheldKeysAreNotTold(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.owner.Request = now()
	u := must(s.db.CreateUnit(t.Context(), s.owner, graph.CreateUnitInput{Name: "World", Kind: graph.OtherKind}))
	id := u.ID()
	for _, key := range []string{"B", "C"} {
		s.owner.Request = now()
		must(s.db.MoveApiKey(t.Context(), s.owner, graph.MoveApiKeyInput{KeyID: s.keys[key].ID(), UnitID: &id}))
	}
	s.owner.Request = now()
	must(s.db.SetUnitGrant(t.Context(), s.owner, graph.SetUnitGrantInput{UserID: s.admin.User.ID(), UnitID: id, State: graph.GrantEnabled}))
	s.set(t, s.admin, "C", graph.GrantDisabled)
	admin := s.renewed(t, s.admin)
	reporter := s.listen(t, s.db, s.reporter, grantsOf, s.names)
	must(s.db.SetUnitGrant(t.Context(), admin, graph.SetUnitGrantInput{UserID: s.reporter.User.ID(), UnitID: id, State: graph.GrantEnabled}))
	s.set(t, s.reporter, "D", graph.GrantEnabled)
	reporter.expect(t, "reporter B true", "reporter D true")
}

// TestGrantChangedByItsEnd: a grant that ends by itself is told of when it does; not when it was set anew.
func TestGrantChangedByItsEnd(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	reporter := s.listen(t, s.db, s.reporter, grantsOf, s.names)
	soon, later := time.Now().Add(4*time.Second).UTC().Truncate(time.Microsecond), time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	s.setUntil(t, s.reporter, "B", graph.GrantEnabled, &soon)
	s.setUntil(t, s.reporter, "C", graph.GrantEnabled, &soon)
	s.setUntil(t, s.reporter, "C", graph.GrantEnabled, &later)
	reporter.expect(t, "reporter B true", "reporter C true", "reporter B false gone")
	s.set(t, s.reporter, "D", graph.GrantEnabled)
	reporter.expect(t, "reporter D true")
}

func TestGrantChangedByJoiningAndHandingOver(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.listen(t, s.db, s.admin, grantsOf, s.names)
	owner := s.listen(t, s.db, s.owner, grantsOf, s.names)
	role := graph.RoleReporting
	s.owner.Request = now()
	made := must(s.db.InviteUser(t.Context(), s.owner, graph.InviteUserInput{Email: <-addresses, Access: graph.AccessInput{Role: &role}, ValidDays: 7,
		KeyIds: []graph.ID{s.keys["A"].ID(), s.keys["C"].ID()}}))
	s.names[s.join(t, made.Token).UserID()] = "joined"
	admin.expect(t, "joined A true")
	owner.expectAll(t, "joined A true", "joined C true", "joined M true")
	s.owner.Request = now()
	_, err := s.db.TransferOwnership(t.Context(), s.owner, graph.TransferOwnershipInput{UserID: s.admin.User.ID(), CurrentPassword: "correct horse battery",
		FormerOwnerAccess: graph.AccessInput{Role: &role}})
	if err != nil {
		t.Fatal(err)
	}
	lost := []string{"owner A false", "owner B false", "owner C false", "owner D false"}
	admin.expectAll(t, append([]string{"admin M true gone", "admin C true gone", "admin D true gone"}, lost...)...)
	for i := range lost {
		lost[i] += " gone"
	}
	owner.expectAll(t, lost...)
}

func TestKeyToggled(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	token := must(s.db.Authenticate(t.Context(), s.token(t, s.owner, s.keys["A"], s.keys["C"]), now()))
	reporter, admin := s.listen(t, s.db, s.reporter, keysOf, s.names), s.listen(t, s.db, s.admin, keysOf, s.names)
	machine := s.listen(t, s.db, token, keysOf, s.names)
	s.toggle(t, s.db, "C", false)
	s.toggle(t, s.db, "B", false)
	name := "Renamed"
	s.owner.Request = now()
	must(s.db.UpdateApiKey(t.Context(), s.owner, graph.UpdateApiKeyInput{KeyID: s.keys["A"].ID(), Name: &name}))
	s.owner.Request = now()
	must(s.db.UpdateApiKey(t.Context(), s.owner, graph.UpdateApiKeyInput{KeyID: s.keys["A"].ID(), Name: &name})) // nothing new
	admin.expect(t, "B DISABLED", "A ENABLED")
	reporter.expect(t, "A ENABLED")
	machine.expect(t, "C DISABLED", "A ENABLED")
	s.owner.Request = now()
	must(s.db.DeleteApiKey(t.Context(), s.owner, graph.ApiKeyIdInput{KeyID: s.keys["A"].ID()}))
	reporter.expect(t, "A DELETED")
	machine.expect(t, "A DELETED")
}

// TestSeveralProcesses: what one process changes reaches those who listen to another, by a hint, and without one by looking.
func TestSeveralProcesses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		poll time.Duration
		mute bool
	}{{"a hint", time.Hour, false}, {"no hint", 50 * time.Millisecond, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			writer, reader := dbtest.OpenNamed(t, dbtest.SharedName()), dbtest.OpenNamed(t, dbtest.SharedName())
			db.PollLive(reader, c.poll)
			if c.mute {
				db.MuteLive(writer)
			}
			e := s.listen(t, reader, s.reporter, keysOf, s.names)
			time.Sleep(200 * time.Millisecond) // until it hears; hints before that may be lost
			s.toggle(t, writer, "A", false)
			e.expect(t, "A DISABLED")
		})
	}
}

// TestNothingIsLostOutOfOrder: an event that becomes visible after ones that were made later is told of all the same.
func TestNothingIsLostOutOfOrder(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	e := s.listen(t, s.db, s.reporter, keysOf, s.names)
	tx := db.Pool(s.db).MustBegin()
	defer func() { _ = tx.Rollback() }()
	tx.MustExec(`INSERT INTO live_events (account_id, event_id, at, kind, key_ids) VALUES ($1, $2, now(), 'KEY', ARRAY[$3::uuid])`, s.id, newIDs(1)[0], s.keys["A"].KeyID)
	s.set(t, s.reporter, "B", graph.GrantEnabled)
	s.toggle(t, s.db, "B", false)
	e.expect(t, "B DISABLED")
	after := e.last
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	e.expect(t, "A ENABLED")
	again := s.listen(t, s.db, s.reporter, db.LiveQuery{Topic: db.TopicKeys, After: after}, s.names)
	again.expect(t, "A ENABLED")
}
