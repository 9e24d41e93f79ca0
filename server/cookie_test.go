package server_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"grantwood/db/dbtest"
	"grantwood/graph"
)

// cookieOf reads the one cookie that an answer sets.
func cookieOf(t testing.TB, a answer) *http.Cookie {
	t.Helper()
	lines := a.Header.Values("Set-Cookie")
	if len(lines) != 1 {
		t.Fatalf("%d cookies: %q", len(lines), lines)
	}
	c, err := http.ParseSetCookie(lines[0])
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// browse sends an operation as a page of the server's own does, with a cookie and more headers (name, value, …).
func browse(t testing.TB, a api, cookie, query string, header ...string) answer {
	t.Helper()
	req := client{api: a}.newRequest(t, query, nil)
	req.AddCookie(&http.Cookie{Name: "grantwood_session", Value: cookie})
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return send(t, req)
}

const whoCalls = `{ viewer { user { id } } }`

func itIs(user string) string { return fmt.Sprintf(`{"data":{"viewer":{"user":{"id":%q}}}}`, user) }

const itIsNobody = `{"data":{"viewer":null},"errors":[{"path":["viewer"],"extensions":{"code":"UNAUTHENTICATED"}}]}`

// TestSessionCookie: signing in gives browsers the session out of reach of scripts and of other sites, signing out takes it
// away.
func TestSessionCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secure, h := newAPIAt(dbtest.Open(t), "https://grantwood.example")
	t.Cleanup(h.Close)
	for _, s := range []struct {
		a      api
		secure bool
	}{{sharedAPI(), false}, {secure, true}} {
		in := client{api: s.a}.done(t, toSignIn, input{"email": w.owner.email, "password": password})
		c := cookieOf(t, in)
		if c.Name != "grantwood_session" || c.Value != in.at(t, "signIn.sessionToken") || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode ||
			c.Path != "/" || c.Domain != "" || c.Secure != s.secure || !c.Expires.Equal(instant(t, in.at(t, "signIn.expiresAt")).Truncate(time.Second)) {
			t.Errorf("cookie %v", c)
		}
		browse(t, s.a, c.Value, whoCalls).is(t, itIs(w.owner.id))
		out := browse(t, s.a, c.Value, toSignOut.document())
		out.is(t, signedOut)
		end := cookieOf(t, out)
		if end.Name != c.Name || end.Value != "" || end.Path != "/" || end.Secure != s.secure || !end.HttpOnly || !end.Expires.Before(time.Now()) {
			t.Errorf("cookie %v", end)
		}
		browse(t, s.a, c.Value, whoCalls).is(t, itIsNobody)
	}
}

// TestAcceptingSetsTheCookie: joining starts a session like signing in does; a refusal sets nothing.
func TestAcceptingSetsTheCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.send(t, address())
	refused := nobody().run(t, toAcceptInvitation, input{"token": flip(token, len(token)-9), "password": password})
	if c := refused.Header.Get("Set-Cookie"); c != "" {
		t.Errorf("a refusal sets %s", c)
	}
	a := nobody().done(t, toAcceptInvitation, input{"token": token, "password": password})
	browse(t, sharedAPI(), cookieOf(t, a).Value, whoCalls).is(t, itIs(fmt.Sprint(a.at(t, "acceptInvitation.viewer.user.id"))))
}

// TestCookieOfAnotherSite: a page of another site cannot use the session of the browser; a program with a token of its own is
// not concerned.
func TestCookieOfAnotherSite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := sharedAPI()
	const refused = `{"errors":[{"extensions":{"code":"FORBIDDEN"}}]}`
	for _, c := range []struct {
		header  []string
		refused bool
	}{
		{nil, false},
		{[]string{"Sec-Fetch-Site", "same-origin"}, false},
		{[]string{"Sec-Fetch-Site", "none"}, false},
		{[]string{"Origin", a.url}, false},
		{[]string{"Sec-Fetch-Site", "same-origin", "Origin", "https://evil.example"}, false}, // the newer header is the browser's own word
		{[]string{"Sec-Fetch-Site", "cross-site"}, true},
		{[]string{"Sec-Fetch-Site", "same-site"}, true},
		{[]string{"Sec-Fetch-Site", "cross-site", "Origin", a.url}, true},
		{[]string{"Origin", "https://evil.example"}, true},
		{[]string{"Origin", "null"}, true},
	} {
		got := browse(t, a, w.owner.token, whoCalls, c.header...)
		if c.refused {
			got.is(t, refused)
		} else {
			got.is(t, itIs(w.owner.id))
		}
		if want := map[bool]int{true: http.StatusForbidden, false: http.StatusOK}[c.refused]; got.Status != want {
			t.Errorf("%v: status %d, want %d", c.header, got.Status, want)
		}
		browse(t, a, "", whoCalls, append(c.header, "Authorization", "Bearer "+w.owner.token)...).is(t, itIs(w.owner.id))
	}
	w.unchanged(t, func() {
		browse(t, a, w.owner.token, toSignOut.document(), "Sec-Fetch-Site", "cross-site").is(t, refused)
	})
}

// TestHeaderBeatsCookie: a request with a header Authorization is that header's, good or bad.
func TestHeaderBeatsCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.user(t, invitee{role: graph.RoleReporting})
	a := sharedAPI()
	for header, want := range map[string]string{
		"Bearer " + u.token: itIs(u.id), "bearer   " + u.token: itIs(u.id), "Bearer": itIsNobody, "Bearer nonsense": itIsNobody,
		"Basic dTpw": itIsNobody, u.token: itIsNobody, "Token " + u.token: itIsNobody,
	} {
		browse(t, a, w.owner.token, whoCalls, "Authorization", header).is(t, want)
	}
	browse(t, a, "nonsense", whoCalls).is(t, itIsNobody)
	// Signing out by header ends that session, not the one of the cookie.
	browse(t, a, w.owner.token, toSignOut.document(), "Authorization", "Bearer "+u.token).is(t, signedOut)
	u.isNobody(t)
	browse(t, a, w.owner.token, whoCalls).is(t, itIs(w.owner.id))
}
