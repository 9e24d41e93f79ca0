package server_test

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"grantwood/db/dbtest"
	"grantwood/graph"
	"grantwood/server"
)

// TestCostIsReported: the extensions of an answer say what it cost and what is left, and Query.rateLimit says the same.
func TestCostIsReported(t *testing.T) {
	t.Parallel()
	a, h := newAPIWith(server.Config{DB: dbtest.Open(t), Rates: server.RateLimits{Bucket: 1000, Restore: 1, AnonymousBucket: 100, AnonymousRestore: 1}, Log: quiet})
	t.Cleanup(h.Close)
	c := operatorOn(t, a, graph.ScopeVerify)
	for _, left := range []string{"994", "988", "982"} {
		got := c.post(t, "{ viewer { kind } rateLimit { cost limit remaining restoreRate } }", nil)
		numbers := `{"cost":6,"limit":1000,"remaining":` + left + `,"restoreRate":1}`
		want := `{"data":{"viewer":{"kind":"OPERATOR"},"rateLimit":` + numbers + `},"extensions":{"cost":` + numbers + `}}`
		if string(got.Body) != want {
			t.Errorf("%s\nwant\n%s", got.Body, want)
		}
	}
	client{api: a}.expect(t, "{ rateLimit { cost } }", nil, `{"data":{"rateLimit":null},"errors":[{"path":["rateLimit"],"extensions":{"code":"UNAUTHENTICATED"}}]}`)
}

// TestRateLimits: a caller whose bucket is empty is refused and told when to come again; others are not, and a mutation that is refused
// changes nothing.
func TestRateLimits(t *testing.T) {
	t.Parallel()
	a, h := newAPIWith(server.Config{DB: dbtest.Open(t), Rates: server.RateLimits{Bucket: 40, Restore: 1, AnonymousBucket: 20, AnonymousRestore: 1}, Version: "test", Log: quiet})
	t.Cleanup(h.Close)
	const limited = `{"errors":[{"extensions":{"code":"RATE_LIMITED","retryAfter":%}}]}`
	for name, c := range map[string]client{"somebody": operatorOn(t, a, graph.ScopeVerify), "nobody": {api: a}} {
		served := 0
		for range 50 {
			got := c.post(t, "{ serverInfo { version } }", nil)
			if strings.HasPrefix(string(got.Body), `{"data"`) {
				served++
				continue
			}
			wait := got.Header.Get("Retry-After")
			if n, err := strconv.Atoi(wait); err != nil || n < 1 || n > 2 {
				t.Errorf("%s: Retry-After %q", name, wait)
			}
			got.is(t, strings.ReplaceAll(limited, "%", wait))
			req := c.newRequest(t, "{ serverInfo { version } }", nil)
			req.Header.Set("Accept", responseType)
			if s := send(t, req).Status; s != http.StatusTooManyRequests {
				t.Errorf("%s: %d", name, s)
			}
			break
		}
		if served < 9 || served > 25 {
			t.Errorf("%s: served %d times", name, served)
		}
	}
	operatorOn(t, a, graph.ScopeVerify).expect(t, "{ serverInfo { version } }", nil, versionIs)
	broken := operatorOn(t, a, graph.ScopeVerify)
	for range 4 {
		if got := broken.post(t, "{", nil); !onlyErrors(t, got, "GRAPHQL_PARSE_FAILED") {
			t.Errorf("%s", got.Body)
		}
	}
	if got := broken.post(t, "{ serverInfo { version } }", nil); !strings.Contains(string(got.Body), "RATE_LIMITED") {
		t.Errorf("what cannot be run costs nothing: %s", got.Body)
	}
}

// TestHalfBody: a body that ends before its length is refused.
func TestHalfBody(t *testing.T) {
	t.Parallel()
	conn, err := net.Dial("tcp", strings.TrimPrefix(sharedAPI().url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	text, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(text), "HTTP/1.1 400 ") {
		t.Errorf("%s", text)
	}
}
