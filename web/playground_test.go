package web_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/web"
)

var people = &web.Demo{Password: "no secret", People: []web.Person{{Email: "a@test.example", Name: "</script><b>A", About: "sees all"}}}

func playground(t testing.TB, demo *web.Demo) http.Handler {
	t.Helper()
	h, err := web.Playground(web.Settings{Version: "1.2.3", Demo: demo})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// fetch answers a request with headers (name, value, …).
func fetch(h http.Handler, method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t testing.TB, r *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	nonceOf   = regexp.MustCompile(`'nonce-([A-Z2-7]{26})'`)
	scriptTag = regexp.MustCompile(`<script[^>]*>`)
	dataBlock = regexp.MustCompile(`(?s)<script type="application/json" id="settings"[^>]*>(.*?)</script>`)
)

// TestPage: the page says that nothing but this server may be reached, and that no script runs without the nonce of this answer.
func TestPage(t *testing.T) {
	t.Parallel()
	h := playground(t, people)
	first, second := fetch(h, http.MethodGet, "/playground"), fetch(h, http.MethodGet, "/playground")
	policy := first.Header.Get("Content-Security-Policy")
	nonce := nonceOf.FindStringSubmatch(policy)
	if nonce == nil || strings.Contains(second.Header.Get("Content-Security-Policy"), nonce[1]) {
		t.Fatalf("no nonce, or the same again: %s", policy)
	}
	want := "default-src 'none'; script-src 'nonce-N' 'strict-dynamic'; style-src-elem 'self' 'nonce-N'; style-src-attr 'unsafe-inline'; " +
		"img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	if diff := cmp.Diff(want, strings.ReplaceAll(policy, nonce[1], "N")); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
		"Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "Cross-Origin-Opener-Policy": "same-origin"} {
		if got := first.Header.Get(name); got != want || first.StatusCode != http.StatusOK {
			t.Errorf("%d %s: %q", first.StatusCode, name, got)
		}
	}
	page := body(t, first)
	scripts := scriptTag.FindAllString(page, -1)
	for _, tag := range scripts {
		if !strings.Contains(tag, `nonce="`+nonce[1]+`"`) || !strings.Contains(tag, " src=") && !strings.Contains(tag, "application/json") {
			t.Errorf("script without nonce or inline: %s", tag)
		}
	}
	if len(scripts) != 2 || strings.Contains(page, "__") || regexp.MustCompile(`https?://|\son\w+=|\sstyle=`).MatchString(dataBlock.ReplaceAllString(page, "")) {
		t.Errorf("%d scripts, or a mark, another host, a handler or a style in the page:\n%s", len(scripts), page)
	}
}

// settings reads what the page tells the script.
func settings(t testing.TB, h http.Handler) (s struct {
	Version  string
	Examples []web.Example
	Demo     *web.Demo
}) {
	t.Helper()
	page := body(t, fetch(h, http.MethodGet, "/playground"))
	if err := json.Unmarshal([]byte(dataBlock.FindStringSubmatch(page)[1]), &s); err != nil {
		t.Fatalf("%v in %s", err, page)
	}
	return s
}

// TestPeopleAreOfTheDemo: only a demo's page names people and a password.
func TestPeopleAreOfTheDemo(t *testing.T) {
	t.Parallel()
	in, out := settings(t, playground(t, people)), settings(t, playground(t, nil))
	if diff := cmp.Diff(people, in.Demo); diff != "" || in.Version != "1.2.3" {
		t.Errorf("version %s, demo (-want +got):\n%s", in.Version, diff)
	}
	if out.Demo != nil || len(out.Examples) != len(in.Examples) || len(in.Examples) < 8 {
		t.Errorf("%+v without a demo; %d examples, %d in a demo", out.Demo, len(out.Examples), len(in.Examples))
	}
	for i := range in.Examples {
		if !strings.HasSuffix(in.Examples[i].Person, ".example") || out.Examples[i].Person != "" {
			t.Errorf("%s: for %q, %q without a demo", in.Examples[i].Title, in.Examples[i].Person, out.Examples[i].Person)
		}
	}
}

// TestFiles: each built file comes with its type, for ever, compressed for those who take it, and is not sent again.
func TestFiles(t *testing.T) {
	t.Parallel()
	h := playground(t, nil)
	entries, err := os.ReadDir("playground/dist/playground")
	if err != nil || len(entries) < 10 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	total := int64(0)
	for _, e := range entries {
		path := "/playground/" + e.Name()
		plain, small := fetch(h, http.MethodGet, path), fetch(h, http.MethodGet, path, "Accept-Encoding", "br, gzip;q=0.8")
		if plain.StatusCode != 200 || plain.Header.Get("Content-Encoding") != "" || plain.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" ||
			plain.Header.Get("X-Content-Type-Options") != "nosniff" || plain.Header.Get("Vary") != "Accept-Encoding" ||
			plain.Header.Get("Content-Security-Policy") != "default-src 'none'; script-src 'self'; frame-ancestors 'none'" {
			t.Errorf("%s: %d %v", path, plain.StatusCode, plain.Header)
		}
		text, sent := body(t, plain), body(t, small)
		total += int64(len(sent))
		if want := string(read(t, "playground/dist/playground/"+e.Name())); text != want || unpacked(t, small, sent) != want {
			t.Errorf("%s is not what was built", path)
		}
		tag := small.Header.Get("Etag")
		if again := fetch(h, http.MethodGet, path, "Accept-Encoding", "gzip", "If-None-Match", tag); tag == "" || again.StatusCode != http.StatusNotModified {
			t.Errorf("%s with its tag %q: %d", path, tag, again.StatusCode)
		}
	}
	if limit := int64(1600 << 10); total > limit {
		t.Errorf("the page and all that it may load are %d bytes, more than %d", total, limit)
	}
}

func unpacked(t testing.TB, r *http.Response, sent string) string {
	t.Helper()
	if r.Header.Get("Content-Encoding") != "gzip" {
		return sent
	}
	z, err := gzip.NewReader(strings.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAcceptEncoding: who refuses gzip does not get it.
func TestAcceptEncoding(t *testing.T) {
	t.Parallel()
	h := playground(t, nil)
	name := regexp.MustCompile(`playground/index-[\w-]+\.js`).FindString(body(t, fetch(h, http.MethodGet, "/playground")))
	for accept, want := range map[string]string{"": "", "br": "", "gzip;q=0": "", "gzip; q=0.000": "", "gzipped": "",
		"gzip": "gzip", "br;q=1, GZIP;q=0.1": "gzip", "deflate,gzip": "gzip"} {
		if got := fetch(h, http.MethodGet, "/"+name, "Accept-Encoding", accept); got.StatusCode != 200 || got.Header.Get("Content-Encoding") != want {
			t.Errorf("%q: %d %q", accept, got.StatusCode, got.Header.Get("Content-Encoding"))
		}
	}
}

// TestNothingElse: what was not built is not found, and never the page; other methods are refused.
func TestNothingElse(t *testing.T) {
	t.Parallel()
	h := playground(t, nil)
	for _, path := range []string{"/playground/nothing.js", "/playground/index.html", "/playground/inputs.sha256", "/playground/a/b",
		"/playground/..%2findex.html", "/playground/%2e%2e%2f%2e%2e%2fdoc.go"} {
		if got := fetch(h, http.MethodGet, path); got.StatusCode != http.StatusNotFound || strings.Contains(body(t, got), "<html") {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
	for _, path := range []string{"/playground", "/playground/nothing.js"} {
		if got := fetch(h, http.MethodPost, path); got.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, got.StatusCode)
		}
	}
	if got := fetch(h, http.MethodGet, "/playground/"); got.StatusCode != http.StatusPermanentRedirect || got.Header.Get("Location") != "../playground" {
		t.Errorf("/playground/: %d %v", got.StatusCode, got.Header)
	}
	if got := fetch(h, http.MethodHead, "/playground"); got.StatusCode != http.StatusOK {
		t.Errorf("HEAD: %d", got.StatusCode)
	}
}
