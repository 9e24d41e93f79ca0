package db_test

import (
	"crypto/sha256"
	"crypto/subtle"
	stdsql "database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lib/pq"
	"pgregory.net/rapid"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// token makes an access token as v and gives its text.
func (a account) token(t testing.TB, v *graph.Viewer, keys ...*graph.ApiKey) string {
	t.Helper()
	in := graph.CreateAccessTokenInput{Name: "Partner", Capabilities: []graph.Capability{graph.ViewUsage, graph.RotateSecrets}, ExpiresAt: time.Now().Add(time.Hour)}
	for _, k := range keys {
		in.KeyIds = append(in.KeyIds, k.ID())
	}
	_, text, err := a.db.CreateAccessToken(t.Context(), v, in)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (a account) key(t testing.TB, name string) (*graph.ApiKey, string) {
	t.Helper()
	k, secret, err := a.db.CreateApiKey(t.Context(), a.owner, graph.CreateApiKeyInput{Name: name, Kind: graph.OtherKind})
	if err != nil {
		t.Fatal(err)
	}
	return k, secret
}

// TestTokensKeysAgree sets grants of a token's creator at random and compares three answers about every key: the predicate
// in SQL, the set that @visible uses, and list ∩ what the creator sees. A second token belongs to the owner.
func TestTokensKeysAgree(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	creator := a.user(t, graph.RoleAdministrator)
	keys := []*graph.ApiKey{must(a.db.MasterKey(t.Context(), a.owner, a.id))}
	for i := range 6 {
		k, _ := a.key(t, fmt.Sprint("Key ", i))
		keys = append(keys, k)
		must(a.db.SetGrant(t.Context(), a.owner, graph.SetGrantInput{UserID: creator.User.ID(), KeyID: k.ID(), State: graph.GrantEnabled}))
	}
	listed := keys[:4]
	token, ofOwner := a.token(t, creator, listed...), a.token(t, a.owner, listed...)
	all := []string{}
	for _, k := range listed {
		all = append(all, k.Name)
	}
	rapid.Check(t, func(r *rapid.T) {
		k := rapid.SampledFrom(keys).Draw(r, "key")
		s := rapid.SampledFrom([]graph.GrantState{graph.GrantEnabled, graph.GrantDisabled, graph.GrantInherit}).Draw(r, "state")
		_, err := a.db.SetGrant(t.Context(), a.owner, graph.SetGrantInput{UserID: creator.User.ID(), KeyID: k.ID(), State: s})
		if err != nil {
			r.Fatal(err)
		}
		creator = a.again(t, creator)
		var want []string
		for _, k := range listed {
			if len(must(a.db.Keys(t.Context(), creator, a.id, []graph.UUID{k.KeyID}))) == 1 {
				want = append(want, k.Name)
			}
		}
		compareToken(t, r, a, token, keys, want)
		compareToken(t, r, a, ofOwner, keys, all)
	})
}

func compareToken(t *testing.T, r *rapid.T, a account, text string, keys []*graph.ApiKey, want []string) {
	v := must(a.db.Authenticate(t.Context(), text, now()))
	page, err := a.db.KeysOf(t.Context(), v, a.id, window(graph.ByName), graph.ApiKeyFilter{}, db.Ask{Total: true})
	if err != nil {
		r.Fatal(err)
	}
	var listed, remembered []string
	for _, k := range page.Nodes {
		listed = append(listed, k.Name)
	}
	for _, k := range keys {
		if k.VisibleTo(v) {
			remembered = append(remembered, k.Name)
		}
	}
	for _, list := range [][]string{want, listed, remembered} {
		slices.Sort(list)
	}
	if diff := cmp.Diff(want, listed); diff != "" || *page.Total != len(want) {
		r.Fatalf("listed, %d (-want +got):\n%s", *page.Total, diff)
	}
	if diff := cmp.Diff(want, remembered); diff != "" {
		r.Fatalf("remembered (-want +got):\n%s", diff)
	}
}

// TestRefreshSeesTheToken finds out in the middle of a request what has changed about a token.
func TestRefreshSeesTheToken(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	creator := a.user(t, graph.RoleAdministrator)
	k, _ := a.key(t, "Europe")
	set := func(s graph.GrantState) {
		must(a.db.SetGrant(t.Context(), a.owner, graph.SetGrantInput{UserID: creator.User.ID(), KeyID: k.ID(), State: s}))
	}
	set(graph.GrantEnabled)
	v := must(a.db.Authenticate(t.Context(), a.token(t, creator, k), now()))
	if fresh, changed, err := a.db.Refresh(t.Context(), v); fresh != v || changed || err != nil {
		t.Errorf("nothing has changed: %v, %v", changed, err)
	}
	set(graph.GrantDisabled)
	fresh, changed, err := a.db.Refresh(t.Context(), v)
	if err != nil || !changed || k.VisibleTo(fresh) || !k.VisibleTo(v) {
		t.Errorf("a grant has changed: %v, %v", changed, err)
	}
	must(a.db.RevokeAccessToken(t.Context(), a.owner, graph.AccessTokenIDInput{AccessTokenID: v.AccessToken.ID()}))
	fresh, changed, err = a.db.Refresh(t.Context(), v)
	if err != nil || !changed || fresh.Kind != graph.Nobody {
		t.Errorf("the token is revoked: %v, %v, %v", fresh.Kind, changed, err)
	}
}

// TestChangeByToken takes what a token may do from the database when it changes something, and names the token as the actor.
func TestChangeByToken(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	pool := connect(t, dbtest.SharedName())
	creator := a.user(t, graph.RoleAdministrator)
	master := must(a.db.MasterKey(t.Context(), a.owner, a.id))
	v := must(a.db.Authenticate(t.Context(), a.token(t, creator, master), now()))
	newest := func() *graph.AuditEvent {
		return must(a.db.AuditEventsOf(t.Context(), a.owner, a.id, window(graph.ByCreationDes), graph.AuditEventFilter{}, db.Ask{})).Nodes[0]
	}
	if err := db.RotatesAs(t.Context(), a.db, v); err != nil {
		t.Fatal(err)
	}
	e := newest()
	if actor, ok := e.Actor().(*graph.AccessToken); !ok || actor.TokenID != v.AccessToken.TokenID || e.ActorLabel != "Partner" {
		t.Errorf("the actor is %v, %q", e.Actor(), e.ActorLabel)
	}
	for _, step := range []struct {
		name, statement string
		want            graph.Code
	}{
		{"the creator loses the capability", `UPDATE users SET granted = '{VIEW_USAGE}' WHERE account_id = $1 AND user_id = $2`, graph.Forbidden},
		{"and gets it again", `UPDATE users SET granted = '{ROTATE_SECRETS}' WHERE account_id = $1 AND user_id = $2`, ""},
		{"the account is suspended", `UPDATE accounts SET status = 'SUSPENDED' WHERE account_id = $1 AND $2::uuid IS NOT NULL`, graph.AccountSuspended},
		{"and reactivated", `UPDATE accounts SET status = 'ACTIVE' WHERE account_id = $1 AND $2::uuid IS NOT NULL`, ""},
		{"the creator is disabled", `UPDATE users SET status = 'DISABLED' WHERE account_id = $1 AND user_id = $2`, graph.Unauthenticated},
		{"and enabled", `UPDATE users SET status = 'ACTIVE' WHERE account_id = $1 AND user_id = $2`, ""},
		{"the token is revoked", `UPDATE access_tokens SET revoked_at = created_at WHERE account_id = $1 AND created_by = $2`, graph.Unauthenticated},
	} {
		pool.MustExec(step.statement, a.id, creator.UserID())
		err, got := db.RotatesAs(t.Context(), a.db, v), graph.Code("")
		if err != nil {
			got = graph.ErrorCode(err)
		}
		if got != step.want {
			t.Errorf("%s: %q, want %q: %v", step.name, got, step.want, err)
		}
	}
}

// TestUseOfTokenIsNoted writes the time of a token's use once a minute, behind the request; closing waits for it.
func TestUseOfTokenIsNoted(t *testing.T) {
	t.Parallel()
	name := dbtest.Copy(t, "")
	d, err := db.Open(db.Config{URL: dbtest.DSN(t, name)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := newAccountOn(t, d)
	text := a.token(t, a.owner, must(d.MasterKey(t.Context(), a.owner, a.id)))
	pool, first := connect(t, name), time.Now().UTC().Truncate(time.Second)
	for _, call := range []struct{ at, want time.Time }{
		{first, first}, {first.Add(59 * time.Second), first}, {first.Add(time.Minute), first.Add(time.Minute)}, {first.Add(2 * time.Second), first.Add(time.Minute)},
	} {
		if v := must(d.Authenticate(t.Context(), text, graph.Request{ID: "test", At: call.at})); v.Kind != graph.KindOfToken {
			t.Fatalf("%s: the token is refused", call.at)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		var used time.Time
		if err := pool.Get(&used, `SELECT last_used_at FROM access_tokens`); err != nil || !used.Equal(call.want) {
			t.Errorf("used at %s, noted %s, want %s: %v", call.at, used, call.want, err)
		}
		if d, err = db.Open(db.Config{URL: dbtest.DSN(t, name)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMachinesOfForeignAccount ask about another account and get nothing.
func TestMachinesOfForeignAccount(t *testing.T) {
	t.Parallel()
	a, b := newAccount(t), newAccount(t)
	k, secret := b.key(t, "Key")
	master := must(a.db.MasterKey(t.Context(), a.owner, a.id))
	own := must(a.db.Authenticate(t.Context(), a.token(t, a.owner, master), now()))
	for name, v := range map[string]*graph.Viewer{
		"token": must(b.db.Authenticate(t.Context(), b.token(t, b.owner, k), now())), "key": must(b.db.AuthenticateKey(t.Context(), k.Key, secret, now())),
		"owner": b.owner, "nobody": {Request: now()},
	} {
		ctx, ask, ids := t.Context(), db.Ask{Total: true}, []graph.UUID{master.KeyID, a.owner.UserID(), own.AccessToken.TokenID, a.id}
		for i, n := range []int{
			len(must(a.db.Keys(ctx, v, a.id, ids))), len(must(a.db.Users(ctx, v, a.id, ids))), len(must(a.db.AccessTokens(ctx, v, a.id, ids))),
			*must(a.db.KeysOf(ctx, v, a.id, window(graph.ByName), graph.ApiKeyFilter{}, ask)).Total,
			*must(a.db.UsersOf(ctx, v, a.id, window(graph.ByName), graph.UserFilter{}, ask)).Total,
			*must(a.db.GrantsOf(ctx, v, a.id, window(graph.ByUserAndKey), graph.GrantFilter{}, ask)).Total,
			*must(a.db.AccessTokensOf(ctx, v, a.id, window(graph.ByCreationDes), ask)).Total,
			*must(a.db.Accounts(ctx, v, window(graph.ByName), nil, ask)).Total,
			len(must(a.db.PrimaryUsersOf(ctx, v, []graph.UUID{a.id, b.id}))), len(must(a.db.MasterKeysOf(ctx, v, []graph.UUID{a.id, b.id}))),
		} {
			if n != 0 {
				t.Errorf("%s: answer %d is %d", name, i, n)
			}
		}
	}
}

// BenchmarkVerify is the cost of asking whether a key is good, beside the same look-up written by hand.
func BenchmarkVerify(b *testing.B) {
	a := newAccount(b)
	var keys [100]*graph.ApiKey
	var secrets [100]string
	for i := range 99 {
		keys[i], secrets[i] = a.key(b, fmt.Sprint("Key ", i))
	}
	keys[99], secrets[99] = keys[0], "wrong"
	v := &graph.Viewer{Request: now()}
	b.Run("grantwood", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			n := i % 100
			answer, err := a.db.VerifyApiKey(b.Context(), v, keys[n].Key, secrets[n])
			if err != nil || (answer.Result == graph.VerifiedValid) != (n < 99) {
				b.Fatal(answer.Result, err)
			}
		}
	})
	b.Run("by hand", func(b *testing.B) {
		config := must(pq.NewConfig(dbtest.DSN(b, dbtest.SharedName())))
		config.BinaryParameters = true // one round trip, as in the product
		pool := stdsql.OpenDB(must(pq.NewConnectorConfig(config)))
		defer func() { _ = pool.Close() }()
		account := a.id.String()
		for i := 0; b.Loop(); i++ {
			n := i % 100
			var id, status string
			var enabled bool
			var hash, previous []byte
			var ends *time.Time
			err := pool.QueryRowContext(b.Context(), `SELECT k.key_id, k.enabled, k.secret_hash, k.previous_secret_hash, k.previous_secret_expires_at, a.status
				FROM api_keys k JOIN accounts a ON a.account_id = k.account_id WHERE k.account_id = $1 AND k.key = $2`, account, keys[n].Key).
				Scan(&id, &enabled, &hash, &previous, &ends, &status)
			sum := sha256.Sum256([]byte(secrets[n]))
			good := subtle.ConstantTimeCompare(sum[:], hash) == 1 && enabled && status == "ACTIVE"
			if err != nil || good != (n < 99) {
				b.Fatal(good, err)
			}
		}
	})
}
