package limit_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"grantwood/bench/limit"
	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// world is an account with an owner, a user and a key, and the limit that serves it.
type world struct {
	db          *db.DB
	pool        *sqlx.DB
	url         string
	owner, user *db.Session
	key         *graph.ApiKey
	secret      string
	operator    string
}

func request() graph.Request {
	return graph.Request{ID: "test", At: time.Now().UTC().Truncate(time.Microsecond)}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	name, ctx := dbtest.Copy(t, ""), t.Context()
	w := &world{db: dbtest.OpenNamed(t, name), pool: sqlx.MustConnect("postgres", dbtest.DSN(t, name))}
	t.Cleanup(func() { _ = w.pool.Close() })
	h, err := limit.New(ctx, dbtest.DSN(t, name))
	must(err)
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.Close()
		_ = h.Close()
	})
	w.url = s.URL
	o, token, err := w.db.CreateOperator(ctx, "Test", graph.ScopeList{graph.ScopeAdmin, graph.ScopeVerify})
	must(err)
	w.operator = token
	account, err := w.db.CreateAccount(ctx, &graph.Viewer{Kind: graph.KindOperator, Operator: o, Request: request()},
		graph.CreateAccountInput{Name: "Test", Currency: "EUR", PrimaryEmail: "owner@test.example"})
	must(err)
	join := func(token, name string) *db.Session {
		s, err := w.db.AcceptInvitation(ctx, &graph.Viewer{Request: request()}, graph.AcceptInvitationInput{Token: token, DisplayName: &name, Password: "a password for nobody"})
		must(err)
		return s
	}
	w.owner = join(account.Invitation.Token, "Owner")
	w.owner.Viewer.Request = request()
	w.key, w.secret, err = w.db.CreateApiKey(ctx, w.owner.Viewer, graph.CreateApiKeyInput{Name: `A "key"`, Kind: graph.Application})
	must(err)
	role := graph.RoleReporting
	invited, err := w.db.InviteUser(ctx, w.owner.Viewer, graph.InviteUserInput{Email: "user@test.example", Access: graph.AccessInput{Role: &role}, ValidDays: 7})
	must(err)
	w.user = join(invited.Token, "User")
	return w
}

// ask gives the status and the answer.
func (w *world) ask(t *testing.T, method, path, token string, body any) (int, string) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// rows gives what the change of a grant left behind, without ids and times.
func (w *world) rows(t *testing.T) []string {
	t.Helper()
	var list []string
	err := w.pool.SelectContext(t.Context(), &list, `
		SELECT concat_ws(' | ', 'grant', enabled, expires_at IS NULL, updated_by) FROM grants
		UNION ALL (SELECT concat_ws(' | ', 'event', action, actor_user, actor_label, user_id, key_id, summary, changes) FROM audit_events
			WHERE action LIKE 'GRANT%' ORDER BY event_id)
		UNION ALL (SELECT concat_ws(' | ', 'live', kind, user_ids, key_ids, enabled, due_at IS NULL) FROM live_events ORDER BY event_id)
		UNION ALL (SELECT concat_ws(' | ', 'user', display_name, rules_version) FROM users ORDER BY user_id)`)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestChangeLeavesTheSameRows: the limit pays for all that the product pays for.
func TestChangeLeavesTheSameRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user.Viewer.User.ID()
	clean := func() {
		w.pool.MustExec(`TRUNCATE grants, live_events; DELETE FROM audit_events; UPDATE users SET rules_version = 1`)
	}
	states := []graph.GrantState{graph.GrantEnabled, graph.GrantEnabled, graph.GrantDisabled, graph.GrantEnabled}
	var want [][]string
	clean()
	for _, state := range states {
		w.owner.Viewer.Request = request()
		if _, err := w.db.SetGrant(t.Context(), w.owner.Viewer, graph.SetGrantInput{UserID: user, KeyID: w.key.ID(), State: state}); err != nil {
			t.Fatal(err)
		}
		want = append(want, w.rows(t))
	}
	clean()
	for i, state := range states {
		status, answer := w.ask(t, "POST", "/grant", w.owner.Token, map[string]any{"userId": user.String(), "keyId": w.key.ID().String(), "state": state})
		if status != http.StatusOK || !strings.Contains(answer, `"name":"A \"key\""`) {
			t.Fatal(status, answer)
		}
		if diff := cmp.Diff(want[i], w.rows(t)); diff != "" {
			t.Errorf("change %d (-product +limit):\n%s", i, diff)
		}
	}
}

// TestWhoIsAsking: nobody is answered without a good token, and a user sees no key that is hidden.
func TestWhoIsAsking(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	home := "/home?from=2026-01-01T00:00:00Z&to=2026-01-31T00:00:00Z"
	for _, token := range []string{"", "gws_", w.operator, w.owner.Token[:len(w.owner.Token)-10] + "0000000000", w.owner.Token + "0"} {
		for _, path := range []string{home, "/tree", "/report", "/records"} {
			if status, answer := w.ask(t, "GET", path, token, nil); status != http.StatusUnauthorized {
				t.Errorf("%s with %q: %d %s", path, token, status, answer)
			}
		}
	}
	if status, _ := w.ask(t, "POST", "/verify", w.owner.Token, nil); status != http.StatusUnauthorized {
		t.Error("a user verifies keys")
	}
	if status, answer := w.ask(t, "GET", home, w.user.Token, nil); status != http.StatusOK || strings.Contains(answer, `A \"key\"`) || !strings.Contains(answer, `"totalCount":1,`) {
		t.Error("a user sees", status, answer)
	}
	if status, answer := w.ask(t, "GET", home, w.owner.Token, nil); status != http.StatusOK || !strings.Contains(answer, `A \"key\"`) || !strings.Contains(answer, `"totalCount":2,`) {
		t.Error("the owner sees", status, answer)
	}
	for secret, result := range map[string]string{w.secret: "VALID", w.secret + "x": "INVALID"} {
		if status, answer := w.ask(t, "POST", "/verify", w.operator, map[string]any{"key": w.key.Key, "secret": secret}); status != http.StatusOK || !strings.Contains(answer, `"result":"`+result+`"`) {
			t.Error(status, answer)
		}
	}
}
