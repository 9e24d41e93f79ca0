package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"grantwood/graph"
	"grantwood/server"
)

const listed = "https://app.example.com"

func sharing(t testing.TB) watchedAPI {
	return watched(t, func(c *server.Config) { c.Origins = []string{listed, "http://localhost:5173"} })
}

// corsHeaders are those with which a server tells a browser about other origins.
func corsHeaders(h http.Header) []string {
	var list []string
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// TestPreflight: browsers learn that pages of listed origins may call, and how; others learn nothing.
func TestPreflight(t *testing.T) {
	t.Parallel()
	a := sharing(t)
	for _, path := range []string{"/graphql", "/grants.csv", "/usage/download"} {
		got := raw(t, a.api, http.MethodOptions, path, "", "Origin", listed, "Access-Control-Request-Method", "POST",
			"Access-Control-Request-Headers", "authorization,content-type,last-event-id,traceparent")
		h := got.Header
		if got.Status != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != listed || h.Get("Access-Control-Allow-Credentials") != "true" ||
			h.Get("Access-Control-Allow-Methods") != "POST" || h.Get("Access-Control-Max-Age") != "600" || !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") ||
			h.Get("Access-Control-Allow-Headers") != "authorization,content-type,last-event-id,traceparent" {
			t.Errorf("%s: %d %v", path, got.Status, h)
		}
	}
	for name, header := range map[string][]string{
		"another origin":    {"Origin", "https://evil.example", "Access-Control-Request-Method", "POST"},
		"another scheme":    {"Origin", "http://app.example.com", "Access-Control-Request-Method", "POST"},
		"another port":      {"Origin", "https://app.example.com:8443", "Access-Control-Request-Method", "POST"},
		"a longer name":     {"Origin", "https://app.example.com.evil.example", "Access-Control-Request-Method", "POST"},
		"a name before":     {"Origin", "https://evil-app.example.com", "Access-Control-Request-Method", "POST"},
		"null":              {"Origin", "null", "Access-Control-Request-Method", "POST"},
		"method not shared": {"Origin", listed, "Access-Control-Request-Method", "DELETE"},
		"header not shared": {"Origin", listed, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-evil"},
	} {
		if got := raw(t, a.api, http.MethodOptions, "/graphql", "", header...); len(corsHeaders(got.Header)) > 0 {
			t.Errorf("%s: %v", name, got.Header)
		}
	}
	if got := raw(t, sharedAPI(), http.MethodOptions, "/graphql", "", "Origin", listed, "Access-Control-Request-Method", "POST"); len(corsHeaders(got.Header)) > 0 {
		t.Errorf("a server without a list shares: %v", got.Header)
	}
}

// TestAnswersToOtherOrigins: a page of a listed origin reads the answer and a few headers of it, by token or cookie; one of another
// origin reads nothing, and may not use the cookie.
func TestAnswersToOtherOrigins(t *testing.T) {
	t.Parallel()
	w, a := newWorld(t), sharing(t)
	got := browse(t, a.api, w.owner.token, whoCalls, "Origin", listed, "Sec-Fetch-Site", "cross-site")
	got.is(t, itIs(w.owner.id))
	h := got.Header
	if h.Get("Access-Control-Allow-Origin") != listed || h.Get("Access-Control-Allow-Credentials") != "true" ||
		!strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
		t.Errorf("%v", h)
	}
	for _, name := range []string{"X-Request-Id", "Retry-After"} {
		if !strings.Contains(strings.ToLower(h.Get("Access-Control-Expose-Headers")), strings.ToLower(name)) {
			t.Errorf("%s is not shown to pages: %v", name, h)
		}
	}
	refused := browse(t, a.api, w.owner.token, whoCalls, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	refused.is(t, `{"errors":[{"extensions":{"code":"FORBIDDEN"}}]}`)
	if len(corsHeaders(refused.Header)) > 0 || !strings.Contains(strings.Join(refused.Header.Values("Vary"), ","), "Origin") {
		t.Errorf("%v", refused.Header)
	}
	token := browse(t, a.api, "", whoCalls, "Origin", "https://evil.example", "Authorization", "Bearer "+w.owner.token)
	if token.is(t, itIs(w.owner.id)); len(corsHeaders(token.Header)) > 0 {
		t.Errorf("a page of another origin may read: %v", token.Header)
	}
	w.unchanged(t, func() {
		browse(t, a.api, w.owner.token, toSignOut.document(), "Origin", "https://evil.example").is(t, `{"errors":[{"extensions":{"code":"FORBIDDEN"}}]}`)
	})
	u := w.user(t, invitee{role: graph.RoleReporting})
	browse(t, a.api, u.token, toSignOut.document(), "Origin", "http://localhost:5173", "Sec-Fetch-Site", "same-site").is(t, signedOut)
}

// TestOrigins reads origins as browsers write them, and refuses everything that is more or less than one.
func TestOrigins(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://app.example.com": listed, "HTTPS://App.Example.com:443": listed, "http://localhost:5173": "http://localhost:5173",
		"http://[::1]:80": "http://[::1]", "https://example.com:80": "https://example.com:80",
		"*": "", "https://*.example.com": "", "https://app.example.com/": "", "https://app.example.com/path": "", "app.example.com": "", "": "",
		"ftp://example.com": "", "https://user@example.com": "", "https://example.com?x": "", "null": "", "https://": "", "https://:80": "",
	} {
		if got, err := server.ParseOrigin(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v, want %q", text, got, err, want)
		}
	}
}

// TestOriginsOfSockets: pages of the server's own address, under the name that the request has or the public one, and of listed origins
// may open sockets, and programs, which have no origin.
func TestOriginsOfSockets(t *testing.T) {
	t.Parallel()
	a := sharing(t)
	for origin, allowed := range map[string]bool{"none": true, listed: true, "http://localhost:5173": true, "http://grantwood.example": true,
		"http://reached.example:8080": true, "https://reached.example:8080": true, "HTTPS://APP.example.com": true,
		"http://reached.example": false, "https://evil.example": false, "null": false, "": false, "http://app.example.com": false, "https://app.example.com.evil.example": false} {
		r := &http.Request{Host: "reached.example:8080", Header: http.Header{"Origin": {origin}}}
		if origin == "none" {
			r.Header = http.Header{}
		}
		if got := a.srv.OriginAllowed(r); got != allowed {
			t.Errorf("%q: %v", origin, got)
		}
	}
	twice := &http.Request{Host: "reached.example", Header: http.Header{"Origin": {listed, listed}}}
	byTLS := watched(t, func(c *server.Config) { c.PublicURL = "https://grantwood.example" })
	for origin, allowed := range map[string]bool{"https://grantwood.example": true, "http://grantwood.example": false, "http://reached.example": false, "https://reached.example": true} {
		r := &http.Request{Host: "reached.example", Header: http.Header{"Origin": {origin}}}
		if got := byTLS.srv.OriginAllowed(r); got != allowed {
			t.Errorf("by TLS, %q: %v", origin, got)
		}
	}
	if a.srv.OriginAllowed(twice) {
		t.Error("two origins are one")
	}
}
