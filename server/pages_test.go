package server_test

import (
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"grantwood/db"
	"grantwood/graph"
)

func TestPages(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/healthz": {200, "ok\n"}, "/readyz": {200, "ready\n"}, "/": {200, "http://grantwood.example/graphql"},
		"/invitation": {200, "acceptInvitation(input: $in)"}, "/nothing": {404, ""}, "/graphql/": {404, ""},
	} {
		a := raw(t, sharedAPI(), http.MethodGet, path, "")
		if a.Status != want.status || !strings.Contains(string(a.Body), want.text) || a.Header.Get("X-Content-Type-Options") != "nosniff" ||
			a.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %d %v %s", path, a.Status, a.Header, a.Body)
		}
		if want.status == 200 {
			if a := raw(t, sharedAPI(), http.MethodPost, path, ""); a.Status != http.StatusMethodNotAllowed {
				t.Errorf("POST %s: %d", path, a.Status)
			}
		}
	}
}

// away is a server whose database cannot be reached.
func away(t *testing.T) api {
	t.Helper()
	d, err := db.Open(db.Config{URL: "host=" + filepath.Join(t.TempDir(), "nowhere") + " user=nobody dbname=none sslmode=disable",
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return apiOn(t, d)
}

// TestDatabaseAway: nobody is told that their credentials are bad because the database does not answer.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	w := otherWorld(t)
	a := away(t)
	const unavailable = `{"errors":[{"extensions":{"code":"UNAVAILABLE"}}]}`
	for name, token := range map[string]string{"session": w.owner.token, "wrong session": flip(w.owner.token, 90),
		"operator": operator(t, graph.ScopeSupport).token} {
		c := client{a, token}
		for _, got := range []answer{c.post(t, whoCalls, nil), browse(t, a, token, whoCalls), c.post(t, `{ serverInfo { version } }`, nil)} {
			if !got.is(t, unavailable) || got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
				t.Errorf("%s: %d %v", name, got.Status, got.Header)
			}
		}
	}
	for path, status := range map[string]int{"/healthz": 200, "/readyz": 503, "/invitation": 200} {
		if got := raw(t, a, http.MethodGet, path, ""); got.Status != status || strings.Contains(string(got.Body), "nowhere") {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
}

// TestDatabaseAwayWithoutCredentials: what needs no database is answered; what needs it fails in its own place, and says
// nothing of the cause.
func TestDatabaseAwayWithoutCredentials(t *testing.T) {
	t.Parallel()
	c := client{api: away(t)}
	c.expect(t, `{ serverInfo { version } viewer { kind } }`, nil,
		`{"data":{"serverInfo":{"version":"test"},"viewer":null},"errors":[{"path":["viewer"],"extensions":{"code":"UNAUTHENTICATED"}}]}`)
	token := "gwi_" + tokenText.EncodeToString(make([]byte, 64))
	for _, got := range []answer{
		c.fails(t, toSignIn, input{"email": "a@test.example", "password": password}, toSignIn.denied(graph.Unavailable)),
		c.fails(t, toAcceptInvitation, input{"token": token, "password": password}, toAcceptInvitation.denied(graph.Unavailable)),
	} {
		if strings.Contains(string(got.Body), "nowhere") || got.Header.Get("Set-Cookie") != "" {
			t.Errorf("%v %s", got.Header, got.Body)
		}
	}
}
