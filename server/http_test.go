package server_test

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

const version = `{"query":"{ serverInfo { version } }"}`

const versionIs = `{"data":{"serverInfo":{"version":"test"}}}`

// raw sends a request with a body as it is, and headers (name, value, …).
func raw(t testing.TB, a api, method, path, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return send(t, req)
}

const badInput = `{"errors":[{"extensions":{"code":"BAD_USER_INPUT"}}]}`

func TestMethods(t *testing.T) {
	t.Parallel()
	const allowed = "GET, HEAD, POST, OPTIONS"
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodTrace, "QUERY"} {
		a := raw(t, sharedAPI(), method, "/graphql", version, "Content-Type", "application/json")
		if a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") != allowed || !a.is(t, badInput) {
			t.Errorf("%s: %d %v", method, a.Status, a.Header)
		}
	}
	a := raw(t, sharedAPI(), http.MethodOptions, "/graphql", "")
	if a.Status != http.StatusNoContent || a.Header.Get("Allow") != allowed || len(a.Body) > 0 {
		t.Errorf("OPTIONS: %d %v %s", a.Status, a.Header, a.Body)
	}
	a = raw(t, sharedAPI(), http.MethodHead, "/graphql?query="+url.QueryEscape("{ serverInfo { version } }"), "")
	if a.Status != http.StatusOK || a.Header.Get("Content-Type") != answered("") || len(a.Body) > 0 {
		t.Errorf("HEAD: %d %v %s", a.Status, a.Header, a.Body)
	}
}

// get asks by GET with parameters (name, value, …).
func get(t testing.TB, a api, parameters ...string) answer {
	t.Helper()
	values := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		values.Add(parameters[i], parameters[i+1])
	}
	return raw(t, a, http.MethodGet, "/graphql?"+values.Encode(), "", "Accept", responseType)
}

// byGet makes a request that asks by GET.
func (c client) byGet(t testing.TB, query string) *http.Request {
	t.Helper()
	req := c.newRequest(t, "", nil)
	req.Method, req.Body, req.ContentLength = http.MethodGet, nil, 0
	req.URL.RawQuery = url.Values{"query": {query}}.Encode()
	return req
}

// TestGet: queries are asked by GET too, with each parameter once; what changes something is not.
func TestGet(t *testing.T) {
	t.Parallel()
	const named = "query A { serverInfo { version } } query B($x: Boolean!) { serverInfo { version @include(if: $x) maxPageSize } }"
	get(t, sharedAPI(), "query", "{ serverInfo { version } }").is(t, versionIs)
	get(t, sharedAPI(), "query", named, "operationName", "A", "variables", "", "extensions", "{}", "more", "x").is(t, versionIs)
	get(t, sharedAPI(), "query", named, "operationName", "B", "variables", `{"x":false}`).is(t, `{"data":{"serverInfo":{"maxPageSize":100}}}`)
	for _, wrong := range [][]string{
		{}, {"qeury", "{ serverInfo { version } }"}, {"query", "{ a }", "query", "{ a }"}, {"query", "{ a }", "variables", "{"}, {"query", "{ a }", "variables", "[]"},
		{"query", "{ a }", "variables", "{} {}"}, {"query", "{ a }", "variables", `{"x":"\ud800"}`}, {"query", "\xff"}, {"query", "{ a }", "extensions", `"x"`},
	} {
		if a := get(t, sharedAPI(), wrong...); a.Status != http.StatusBadRequest || !a.is(t, badInput) {
			t.Errorf("%q: %d %s", wrong, a.Status, a.Body)
		}
	}
	if a := raw(t, sharedAPI(), http.MethodGet, "/graphql?query=%zz", ""); a.Status != http.StatusBadRequest {
		t.Errorf("malformed: %d", a.Status)
	}
	w := newWorld(t)
	w.unchanged(t, func() {
		for _, media := range []string{"", responseType} {
			req := w.owner.byGet(t, `mutation { signOut(input: {}) { endedSessions } }`)
			req.Header.Set("Accept", media)
			if a := send(t, req); a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") != http.MethodPost || !a.is(t, badInput) {
				t.Errorf("%q: %d %s", media, a.Status, a.Body)
			}
		}
	})
	long := raw(t, sharedAPI(), http.MethodGet, "/graphql?query="+strings.Repeat("x", 16<<10), "")
	if long.Status != http.StatusRequestURITooLong || !long.is(t, badInput) {
		t.Errorf("long address: %d", long.Status)
	}
}

// TestAccept: the caller's weights choose the type of an answer; a caller who accepts anything gets the older one.
func TestAccept(t *testing.T) {
	t.Parallel()
	const older, newer, stream = "application/json", responseType, "text/event-stream"
	for header, want := range map[string]string{
		"": older, "*/*": older, "application/*": older, older: older, newer: newer, newer + "," + older: newer, older + "," + newer: newer,
		newer + ";q=0.5, " + older: older, newer + ";q=0, */*": older, "application/json;charset=utf-8": older, "Application/JSON": older,
		"text/html, application/xhtml+xml, */*;q=0.8": older, older + ";q=0, */*": "", older + ";charset=latin1": "", older + ";q=2": older, "text/html": "",
		"multipart/mixed": "", "application/*;q=0": "", newer + ", application/graphql+json, " + older + ", " + stream + ", multipart/mixed": newer,
		stream: stream, stream + ", " + older + ";q=0.9": stream, stream + ", */*": older, stream + ", */*;q=0.1": stream, older + ";q=0": "", ";;;": older,
	} {
		a := raw(t, sharedAPI(), http.MethodPost, "/graphql", version, "Content-Type", older, "Accept", header)
		if want == "" {
			if a.Status != http.StatusNotAcceptable || !a.is(t, badInput) {
				t.Errorf("%q: %d %s", header, a.Status, a.Body)
			}
			continue
		}
		if got := a.Header.Get("Content-Type"); a.Status != http.StatusOK || got != want+"; charset=utf-8" {
			t.Errorf("%q: %d %s, want %s", header, a.Status, got, want)
		}
	}
	req := nobody().newRequest(t, "{", nil)
	req.Header["Accept"] = []string{"text/html", newer}
	if a := send(t, req); a.Status != http.StatusBadRequest || a.Header.Get("Content-Type") != answered(newer) {
		t.Errorf("two lines: %d %v", a.Status, a.Header)
	}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	for media, ok := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "Application/JSON": true,
		"": false, "text/plain": false, "application/x-www-form-urlencoded": false, "multipart/form-data; boundary=x": false, "application/graphql": false,
		"text/plain, application/json": false, "application/jsonx": false, "*/*": false, "application/json; charset=latin1": false,
		"application/json; charset=UTF-8": true, "application/json;": true,
	} {
		a := raw(t, sharedAPI(), http.MethodPost, "/graphql", version, "Content-Type", media)
		want, status := badInput, http.StatusUnsupportedMediaType
		if ok {
			want, status = versionIs, http.StatusOK
		}
		if !a.is(t, want) || a.Status != status {
			t.Errorf("%q: %d", media, a.Status)
		}
	}
}

// TestBodies: a body is one JSON object and nothing else. What cannot be read is not repeated.
func TestBodies(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	for _, body := range []string{
		"", " ", "{", `{"query":"` + secret, `{"query":"` + secret + `"} {}`, version + "}", version + "]", version + " x", version + version,
		version + `,`, "[" + version + "]", `"` + secret + `"`, "7", `{"query":{"password":"` + secret + `"}}`, `{"query":7}`,
		`{"variables":["` + secret + `"],` + version[1:], `{"variables":"` + secret + `",` + version[1:],
		"query=%7BserverInfo%7D&password=" + secret, `{serverInfo{version}}`, "\xff\xfe", version[:len(version)-1] + `,"x":"\xff"}`, "null",
		`{"query":"{ a }",` + version[1:], `{"Query":"{ serverInfo { version } }"}`, `{"operationName":{},` + version[1:], `{"extensions":[],` + version[1:],
		`{"variables":{"x":"\ud800"},` + version[1:], `{"variables":{"x":"\udc00\ud800"},` + version[1:], `{"variables":{"x":"\ud83dx"},` + version[1:],
		`{"documentId":7,` + version[1:], strings.Repeat("[", 100_000), `{"variables":` + strings.Repeat(`{"a":`, 100_000),
	} {
		a := raw(t, sharedAPI(), http.MethodPost, "/graphql", body, "Content-Type", "application/json")
		if !a.is(t, badInput) || a.Status != http.StatusBadRequest || bytes.Contains(a.Body, []byte(secret)) {
			t.Errorf("%q: %d %s", body, a.Status, a.Body)
		}
	}
	for _, body := range []string{version + "\n\t ", " " + version, `{"variables":null,"extensions":{},"operationName":null,` + version[1:],
		`{"more":1,` + version[1:],
		`{"more":"\ud83c\udfca \\ud800",` + version[1:]} {
		raw(t, sharedAPI(), http.MethodPost, "/graphql", body, "Content-Type", "application/json").is(t, versionIs)
	}
}

// TestContentEncoding: bodies come as they are; what a small one unpacks to has no bound.
func TestContentEncoding(t *testing.T) {
	t.Parallel()
	for encoding, status := range map[string]int{"": 200, "identity": 200, "gzip": 415, "br": 415, "gzip, identity": 415} {
		a := raw(t, sharedAPI(), http.MethodPost, "/graphql", version, "Content-Type", "application/json", "Content-Encoding", encoding)
		if a.Status != status {
			t.Errorf("%q: %d", encoding, a.Status)
		}
	}
}

func TestLargeBodies(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	whole := version + strings.Repeat(" ", limit-len(version))
	raw(t, sharedAPI(), http.MethodPost, "/graphql", whole, "Content-Type", "application/json").is(t, versionIs)
	for _, body := range []string{whole + " ", strings.Repeat("x", 2*limit)} {
		a := raw(t, sharedAPI(), http.MethodPost, "/graphql", body, "Content-Type", "application/json")
		if !a.is(t, badInput) || a.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("status %d", a.Status)
		}
	}
}

// TestRequestID: every answer has an ID of its own, made by the server.
func TestRequestID(t *testing.T) {
	t.Parallel()
	form, seen := regexp.MustCompile(`^[A-Z2-7]{26}$`), map[string]bool{}
	for _, path := range []string{"/graphql", "/graphql", "/healthz", "/readyz", "/invitation", "/", "/nothing"} {
		a := raw(t, sharedAPI(), http.MethodGet, path, "", "X-Request-Id", "AAAAAAAAAAAAAAAAAAAAAAAAAA")
		id := a.Header.Get("X-Request-Id")
		if !form.MatchString(id) || seen[id] || id == "AAAAAAAAAAAAAAAAAAAAAAAAAA" {
			t.Errorf("%s: ID %q", path, id)
		}
		seen[id] = true
	}
}
