package db_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// account is a fresh account with its owner, for tests below HTTP.
type account struct {
	db    *db.DB
	id    graph.UUID
	owner *graph.Viewer
}

func now() graph.Request {
	return graph.Request{ID: "test", At: time.Now().UTC().Truncate(time.Microsecond)}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var addresses = make(chan string)

func init() {
	go func() {
		for i := 0; ; i++ {
			addresses <- fmt.Sprintf("person%d@db.example", i)
		}
	}()
}

func newAccount(t testing.TB) account {
	t.Helper()
	return newAccountOn(t, dbtest.Open(t))
}

func newAccountOn(t testing.TB, d *db.DB) account {
	t.Helper()
	o, _, err := d.CreateOperator(t.Context(), "Test", graph.ScopeList{graph.ScopeAdmin})
	if err != nil {
		t.Fatal(err)
	}
	made, err := d.CreateAccount(t.Context(), &graph.Viewer{Kind: graph.KindOperator, Operator: o, Request: now()},
		graph.CreateAccountInput{Name: "Test", Currency: "EUR", PrimaryEmail: <-addresses})
	if err != nil {
		t.Fatal(err)
	}
	a := account{db: d, id: made.Account.AccountID}
	a.owner = a.join(t, made.Invitation.Token)
	return a
}

func (a account) join(t testing.TB, token string) *graph.Viewer {
	t.Helper()
	s, err := a.db.AcceptInvitation(t.Context(), &graph.Viewer{Request: now()}, graph.AcceptInvitationInput{Token: token, Password: "correct horse battery"})
	if err != nil {
		t.Fatal(err)
	}
	return s.Viewer
}

func (a account) user(t testing.TB, role graph.Role) *graph.Viewer {
	t.Helper()
	made, err := a.db.InviteUser(t.Context(), a.owner, graph.InviteUserInput{Email: <-addresses, Access: graph.AccessInput{Role: &role}, ValidDays: 7})
	if err != nil {
		t.Fatal(err)
	}
	return a.join(t, made.Token)
}

// again authenticates anew what is known about the user, as the next request does.
func (a account) again(t testing.TB, v *graph.Viewer) *graph.Viewer {
	t.Helper()
	v.Request = now()
	fresh, _, err := a.db.Refresh(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return fresh
}

func window(order graph.Order) graph.Window {
	return graph.Window{Order: order, Limit: graph.MaxPageSize}
}

// TestVisibleKeysAgree sets grants at random and compares three answers about every user and key: the predicate in SQL (in
// lists, counts and look-ups), the set that @visible uses, and the words of the product, written down here once more.
func TestVisibleKeysAgree(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	users := []*graph.Viewer{a.user(t, graph.RoleReporting), a.user(t, graph.RoleAdministrator), a.user(t, graph.RoleDeveloper)}
	keys := []*graph.ApiKey{must(a.db.MasterKey(t.Context(), a.owner, a.id))}
	for i := range 6 {
		k, _, err := a.db.CreateApiKey(t.Context(), a.owner, graph.CreateApiKeyInput{Name: fmt.Sprint("Key ", i), Kind: graph.OtherKind})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	type cell struct{ user, key int }
	said := map[cell]graph.GrantState{} // what was set; nothing for what was never set
	rapid.Check(t, func(r *rapid.T) {
		for range rapid.IntRange(1, 4).Draw(r, "changes") {
			c := cell{rapid.IntRange(0, len(users)-1).Draw(r, "user"), rapid.IntRange(0, len(keys)-1).Draw(r, "key")}
			s := rapid.SampledFrom([]graph.GrantState{graph.GrantEnabled, graph.GrantDisabled, graph.GrantInherit}).Draw(r, "state")
			_, err := a.db.SetGrant(t.Context(), a.owner, graph.SetGrantInput{UserID: users[c.user].User.ID(), KeyID: keys[c.key].ID(), State: s})
			if err != nil {
				r.Fatal(err)
			}
			said[c] = s
		}
		for u := range users {
			users[u] = a.again(t, users[u])
			var want []string
			for k := range keys {
				switch said[cell{u, k}] {
				case graph.GrantEnabled:
					want = append(want, keys[k].Name)
				case graph.GrantDisabled:
				default:
					if keys[k].IsMaster {
						want = append(want, keys[k].Name)
					}
				}
			}
			compareVisible(t, r, a, users[u], keys, want)
		}
	})
}

func compareVisible(t *testing.T, r *rapid.T, a account, v *graph.Viewer, keys []*graph.ApiKey, want []string) {
	slices.Sort(want)
	page, err := a.db.KeysOf(t.Context(), v, a.id, window(graph.ByName), graph.ApiKeyFilter{}, db.Ask{Total: true})
	if err != nil {
		r.Fatal(err)
	}
	var listed, remembered, found []string
	for _, k := range page.Nodes {
		listed = append(listed, k.Name)
	}
	var all []graph.UUID
	for _, k := range keys {
		all = append(all, k.KeyID)
		if k.VisibleTo(v) {
			remembered = append(remembered, k.Name)
		}
	}
	for _, k := range must(a.db.Keys(t.Context(), v, a.id, all)) {
		found = append(found, k.Name)
	}
	grants := must(a.db.GrantsOfUsers(t.Context(), v, []*graph.User{v.User}, window(graph.ByCreation), nil, db.Ask{Total: true}))
	slices.Sort(listed)
	slices.Sort(remembered)
	slices.Sort(found)
	for what, got := range map[string][]string{"listed": listed, "remembered": remembered, "found": found} {
		if diff := cmp.Diff(want, got); diff != "" {
			r.Fatalf("%s (-want +got):\n%s", what, diff)
		}
	}
	if *page.Total != len(want) || *grants[v.UserID()].Total != len(want) {
		r.Fatalf("counted %d keys and %d grants, want %d", *page.Total, *grants[v.UserID()].Total, len(want))
	}
}

// TestGrantEndsByItself needs no job and no new version of the rules.
func TestGrantEndsByItself(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	u := a.user(t, graph.RoleReporting)
	k, _, err := a.db.CreateApiKey(t.Context(), a.owner, graph.CreateApiKeyInput{Name: "Lent", Kind: graph.OtherKind})
	if err != nil {
		t.Fatal(err)
	}
	end := a.owner.Request.At.Add(time.Hour)
	_, err = a.db.SetGrant(t.Context(), a.owner, graph.SetGrantInput{UserID: u.User.ID(), KeyID: k.ID(), State: graph.GrantEnabled, ExpiresAt: &end})
	if err != nil {
		t.Fatal(err)
	}
	u = a.again(t, u)
	for _, c := range []struct {
		at   time.Time
		want bool
	}{{end.Add(-time.Microsecond), true}, {end, false}, {end.Add(time.Hour), false}} {
		u.Request.At = c.at
		found := must(a.db.Keys(t.Context(), u, a.id, []graph.UUID{k.KeyID}))
		if got := len(found) == 1; got != c.want {
			t.Errorf("found by SQL at %s: %v, want %v", c.at.Sub(end), got, c.want)
		}
		if got := k.VisibleTo(u); got != c.want {
			t.Errorf("seen by the set at %s: %v, want %v", c.at.Sub(end), got, c.want)
		}
	}
}

// TestForeignAccountIsEmpty asks every function that reads about an account from another account, and as nobody.
func TestForeignAccountIsEmpty(t *testing.T) {
	t.Parallel()
	a, b := newAccount(t), newAccount(t)
	u := a.user(t, graph.RoleAdministrator)
	k := must(a.db.MasterKey(t.Context(), a.owner, a.id))
	top := a.unit(t, "Top", nil)
	units := []*graph.Unit{top, a.unit(t, "Below", top)}
	if _, err := a.db.SetUnitGrant(t.Context(), a.owner, graph.SetUnitGrantInput{UserID: u.User.ID(), UnitID: top.ID(), State: graph.GrantEnabled}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.db.CreateApiKey(t.Context(), a.owner, graph.CreateApiKeyInput{Name: "Below", Kind: graph.OtherKind, UnitID: ptr(units[1].ID())}); err != nil {
		t.Fatal(err)
	}
	ids := []graph.UUID{k.KeyID, u.UserID(), a.owner.UserID(), a.id, top.UnitID, units[1].UnitID}
	q := must(a.db.RequestApiKey(t.Context(), a.owner, graph.RequestApiKeyInput{Name: "Wanted", Kind: graph.OtherKind, Reason: "x"}))
	id, _, err := a.db.SetGrants(t.Context(), a.owner, graph.SetGrantsInput{Changes: []graph.SetGrantInput{{UserID: u.User.ID(), KeyID: k.ID(), State: graph.GrantDisabled}}})
	if err != nil {
		t.Fatal(err)
	}
	operation := must(a.db.AuditEvents(t.Context(), a.owner, a.id, []graph.UUID{id.Object}))
	for name, v := range map[string]*graph.Viewer{"owner of another account": b.owner, "nobody": {Request: now()}} {
		ctx, ask := t.Context(), db.Ask{Total: true, Previous: true, Next: true}
		got := []any{
			must(a.db.Account(ctx, v, a.id)) != nil, must(a.db.PrimaryUser(ctx, v, a.id)) != nil, must(a.db.MasterKey(ctx, v, a.id)) != nil,
			len(must(a.db.Users(ctx, v, a.id, ids))), len(must(a.db.Keys(ctx, v, a.id, ids))),
			len(must(a.db.Grants(ctx, v, a.id, []db.Pair{{User: u.UserID(), Key: k.KeyID}}))),
			len(must(a.db.Invitations(ctx, v, a.id, ids))), len(must(a.db.AuditEvents(ctx, v, a.id, ids))),
			*must(a.db.UsersOf(ctx, v, a.id, window(graph.ByName), graph.UserFilter{}, ask)).Total,
			*must(a.db.KeysOf(ctx, v, a.id, window(graph.ByName), graph.ApiKeyFilter{}, ask)).Total,
			*must(a.db.GrantsOf(ctx, v, a.id, window(graph.ByUserAndKey), graph.GrantFilter{}, ask)).Total,
			*must(a.db.InvitationsOf(ctx, v, a.id, window(graph.ByCreationDes), nil, ask)).Total,
			len(must(a.db.AuditEventsOf(ctx, v, a.id, window(graph.ByCreationDes), graph.AuditEventFilter{}, ask)).Nodes),
			len(must(a.db.KeyRequests(ctx, v, a.id, []graph.UUID{q.RequestID}))),
			*must(a.db.KeyRequestsOf(ctx, v, a.id, window(graph.ByCreationDes), nil, ask)).Total,
			*must(a.db.PendingKeyRequests(ctx, v, window(graph.ByCreation), ask)).Total,
			*must(a.db.GrantsOfUsers(ctx, v, []*graph.User{u.User}, window(graph.ByCreation), nil, ask))[u.UserID()].Total,
			len(must(a.db.Units(ctx, v, a.id, ids))), len(must(a.db.AncestorsOf(ctx, v, units))),
			*must(a.db.UnitsOf(ctx, v, a.id, window(graph.ByName), nil, ask)).Total,
			*must(a.db.UnitsOf(ctx, v, a.id, window(graph.ByName), ptr(top.ID()), ask)).Total,
			*must(a.db.ChildrenOf(ctx, v, units, window(graph.ByName), ask))[top.UnitID].Total,
			*must(a.db.KeysOfUnits(ctx, v, units, window(graph.ByName), true, ask))[top.UnitID].Total,
			*must(a.db.KeysOf(ctx, v, a.id, window(graph.ByName), graph.ApiKeyFilter{UnitID: ptr(top.ID())}, ask)).Total,
			len(must(a.db.UnitGrants(ctx, v, a.id, []db.UserAndUnit{{User: u.UserID(), Unit: top.UnitID}}))),
			len(must(a.db.UnitGrantsOfUsers(ctx, v, []*graph.User{u.User}))), len(must(a.db.UnitGrantsOfUnits(ctx, v, units))),
			*must(a.db.GrantsOfKeys(ctx, v, []*graph.ApiKey{k}, window(graph.ByCreation), nil, ask))[k.KeyID].Total,
			len(must(a.db.AccessMatrix(ctx, v, a.id, nil)).UserIds), len(must(a.db.AccessMatrix(ctx, v, a.id, nil)).KeyIds),
			len(must(a.db.GrantChangesOf(ctx, v, operation, window(graph.ByKeyAndPlace), ask))[operation[0].EventID].Nodes),
			len(sheetKeys(a.db.GrantSheet(ctx, v, a.id, nil))),
		}
		for i, g := range got {
			if g != false && g != 0 {
				t.Errorf("%s: answer %d is %v", name, i, g)
			}
		}
	}
}
