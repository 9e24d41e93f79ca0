package server_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"grantwood/graph"
	"grantwood/server"
)

// TestBodiesHaveATime: a body that does not come ends its request, whether or not somebody reads it, and with it the connection.
func TestBodiesHaveATime(t *testing.T) {
	t.Parallel()
	a := watched(t, func(c *server.Config) { c.BodyTime = 200 * time.Millisecond })
	for _, path := range []string{"/graphql", "/healthz", "/nothing"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		method := map[bool]string{true: "POST", false: "GET"}[path == "/graphql"]
		if _, err := io.WriteString(conn, method+" "+path+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		answer, err := io.ReadAll(conn)
		if err != nil {
			t.Errorf("%s: the connection stays open: %v", path, err)
		}
		if path == "/graphql" && !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
			t.Errorf("the answer is %s", answer)
		}
	}
}

// TestAnswersTakeLongerThanBodies: the time is for the body; what comes after it takes as long as it takes.
func TestAnswersTakeLongerThanBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := watched(t, func(c *server.Config) { c.BodyTime = 100 * time.Millisecond })
	tx, err := directly(t).BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec(`SELECT FROM accounts WHERE account_id = $1 FOR UPDATE`, graph.ParseID(w.account).Account); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(500*time.Millisecond, func() { _ = tx.Rollback() })
	start := time.Now()
	got := client{a.api, w.owner.token}.post(t, `mutation { createUnit(input: {name: "Late", kind: REGION}) { unit { name } userErrors { code } } }`, nil)
	got.is(t, `{"data":{"createUnit":{"unit":{"name":"Late"},"userErrors":[]}}}`)
	if got.Status != http.StatusOK || time.Since(start) < 400*time.Millisecond {
		t.Errorf("status %d after %v: nobody waited", got.Status, time.Since(start))
	}
}
