package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	var values []time.Duration
	for i := 100; i > 0; i-- {
		values = append(values, time.Duration(i))
	}
	for p, want := range map[float64]time.Duration{0: 1, 1: 1, 50: 50, 50.5: 51, 99: 99, 100: 100} {
		if got := percentile(values, p); got != want {
			t.Errorf("%v%% are %d, want %d", p, got, want)
		}
	}
	if percentile(nil, 50) != 0 || percentile([]time.Duration{7}, 99) != 7 {
		t.Error("of none and of one")
	}
}

// TestPress: each client sends its own requests in turn over one connection.
func TestPress(t *testing.T) {
	t.Parallel()
	var first, second, connections atomic.Int64
	h := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Header.Get("Authorization") != "Bearer token":
			http.Error(w, "who is it?", http.StatusUnauthorized)
		case string(body) == "first":
			first.Add(1)
		case string(body) == "second":
			second.Add(1)
		}
		_, _ = io.WriteString(w, `{"data":{"x":1}}`)
	}))
	h.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	h.Start()
	t.Cleanup(h.Close)
	addr := h.Listener.Addr().String()
	requests := func(int) [][]byte {
		return [][]byte{wire("POST", addr, "/", bearer("token"), []byte("first")), wire("POST", addr, "/", bearer("token"), []byte("second"))}
	}
	r, err := press(t.Context(), addr, 3, 100*time.Millisecond, requests, `"x"`)
	if err != nil {
		t.Fatal(err)
	}
	a, b := first.Load(), second.Load()
	if int64(len(r.latencies)) != a+b || a < b || a > b+3 || connections.Load() != 3 || r.elapsed < 100*time.Millisecond {
		t.Errorf("%d latencies in %v, %d first and %d second requests over %d connections", len(r.latencies), r.elapsed, a, b, connections.Load())
	}
}

// TestWrongAnswers: what is no answer ends the measurement.
func TestWrongAnswers(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`{"errors":[],"data":{"x":1}}`, `{"data":null}`, `{"data":{"y":1}}`, ``} {
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
		t.Cleanup(h.Close)
		addr := h.Listener.Addr().String()
		requests := func(int) [][]byte { return [][]byte{wire("GET", addr, "/", bearer("token"), nil)} }
		if _, err := press(t.Context(), addr, 2, time.Second, requests, `"x"`); err == nil || !strings.Contains(err.Error(), "the answer is") {
			t.Errorf("%s: %v", answer, err)
		}
	}
}
