package server_test

import (
	"bytes"
	"net/http"
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
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodHead} {
		a := raw(t, sharedAPI(), method, "/graphql?query=%7BserverInfo%7Bversion%7D%7D", version, "Content-Type", "application/json")
		if a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") != http.MethodPost {
			t.Errorf("%s: %d %v", method, a.Status, a.Header)
		}
		if method != http.MethodHead {
			a.is(t, badInput)
		}
	}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	for media, ok := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "Application/JSON": true,
		"": false, "text/plain": false, "application/x-www-form-urlencoded": false, "multipart/form-data; boundary=x": false, "application/graphql": false,
		"text/plain, application/json": false, "application/jsonx": false, "*/*": false,
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
		"query=%7BserverInfo%7D&password=" + secret, `{serverInfo{version}}`, "\xff\xfe",
	} {
		a := raw(t, sharedAPI(), http.MethodPost, "/graphql", body, "Content-Type", "application/json")
		if !a.is(t, badInput) || a.Status != http.StatusBadRequest || bytes.Contains(a.Body, []byte(secret)) {
			t.Errorf("%q: %d %s", body, a.Status, a.Body)
		}
	}
	for _, body := range []string{version + "\n\t ", " " + version, `{"variables":null,"extensions":{},"operationName":null,` + version[1:],
		`{"more":1,` + version[1:]} {
		raw(t, sharedAPI(), http.MethodPost, "/graphql", body, "Content-Type", "application/json").is(t, versionIs)
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
