package server

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"grantwood/db/dbtest"
)

// TestSocketIDs holds what an ID stands for, from the start of an operation to its end and beyond.
func TestSocketIDs(t *testing.T) {
	t.Parallel()
	s := newStage(t, dbtest.Open(t), calm, Config{})
	t.Run("twice at once", func(t *testing.T) {
		t.Parallel()
		p := s.connect(t, modernName, "")
		p.start("a", "silence")
		p.start("a", "query one")
		p.expectCloseReason(4409, "Subscriber for a already exists")
	})
	t.Run("twice at once, of any kind and with a long ID", func(t *testing.T) {
		t.Parallel()
		p := s.connect(t, modernName, "")
		id := strings.Repeat("ü", 100)
		p.start(id, "query wait")
		p.start(id, "silence")
		p.expectCloseReason(4409, "Subscriber for that ID already exists")
	})
	t.Run("completed by the client, and used again at once", func(t *testing.T) {
		t.Parallel()
		p := s.connect(t, modernName, "")
		for range 200 {
			p.start("a", "flood")
			p.send(`{"id":"a","type":"complete"}`)
			p.start("a", "two") // what is before its first event is the flood's; nothing of the flood comes after that
			for e := p.expect("next", "a"); len(data(t, e)) > 1000; {
				e = p.expect("next", "a")
			}
			p.expect("next", "a")
			p.expect("complete", "a")
		}
	})
	t.Run("completed by the client before the answer", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, s.DB, calm, Config{})
		p := s.connect(t, modernName, "")
		p.start("a", "query wait")
		eventually(t, "the query", func() bool { return s.script.started.Load() == 1 })
		p.send(`{"id":"a","type":"complete"}`)
		p.send(`{"type":"ping"}`)
		p.expect("pong", "")
		close(s.script.release)
		p.start("b", "two") // comes next: no answer, no complete for a
		p.expect("next", "b")
	})
	t.Run("free after an error", func(t *testing.T) {
		t.Parallel()
		p := s.connect(t, modernName, "")
		for range 50 {
			p.start("a", "wrong")
			p.expect("error", "a")
		}
	})
	t.Run("each operation is a request of its own", func(t *testing.T) {
		t.Parallel()
		p := s.connect(t, modernName, "")
		seen := map[string]bool{}
		for range 3 {
			p.start("a", "query one")
			seen[data(t, p.expect("next", "a"))] = true
			p.expect("complete", "a")
		}
		if len(seen) != 3 {
			t.Errorf("requests: %v", seen)
		}
	})
}

const modernName = "graphql-transport-ws"

func data(t testing.TB, e envelope) string {
	t.Helper()
	text, err := json.Marshal(e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (p *peer) expectCloseReason(code int, reason string) {
	p.t.Helper()
	_, err := p.read()
	if got := websocket.CloseStatus(err); int(got) != code || !strings.Contains(err.Error(), strconv.Quote(reason)) {
		p.t.Fatalf("got %v, want %d %q", err, code, reason)
	}
}

// TestSocketOperationsAreBounded: what is too much is refused alone, and a place that is given back is taken.
func TestSocketOperationsAreBounded(t *testing.T) {
	t.Parallel()
	s := newStage(t, dbtest.Open(t), calm, Config{})
	p := s.connect(t, modernName, "")
	for i := range maxOperations {
		p.start(strconv.Itoa(i), "silence")
	}
	p.start("more", "two")
	if e := p.expect("error", "more"); !strings.Contains(data(t, e), "RATE_LIMITED") {
		t.Errorf("answer: %s", data(t, e))
	}
	p.send(`{"id":"0","type":"complete"}`)
	p.start("more", "two")
	p.expect("next", "more")
	if got := s.Sockets(); got.Operations < maxOperations-1 || got.Started != maxOperations+1 {
		t.Errorf("counts: %+v", got)
	}
	_ = p.conn.CloseNow()
	eventually(t, "the end of all operations", func() bool { return s.Sockets().Operations == 0 && s.script.ended.Load() >= maxOperations })
}

// TestSocketPanic: a panic ends its operation only, and says nothing of its cause.
func TestSocketPanic(t *testing.T) {
	t.Parallel()
	s := newStage(t, dbtest.Open(t), calm, Config{})
	p := s.connect(t, modernName, "")
	p.start("a", "panic")
	if e := p.expect("error", "a"); !strings.Contains(data(t, e), "INTERNAL") || strings.Contains(data(t, e), "as the query says") {
		t.Errorf("answer: %s", data(t, e))
	}
	p.start("a", "two")
	p.expect("next", "a")
}

// TestSocketsAreBounded holds the two bounds, and that a place is free again when its socket is gone.
func TestSocketsAreBounded(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t)
	for name, c := range map[string]struct {
		Config
		status int
	}{
		"per process": {Config{MaxSockets: 2}, http.StatusServiceUnavailable},
		"per address": {Config{MaxSocketsPerAddress: 2}, http.StatusTooManyRequests},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, d, calm, c.Config)
			first := s.connect(t, modernName, "")
			s.connect(t, modernName, "")
			_, res, err := websocket.Dial(t.Context(), strings.Replace(s.url, "http", "ws", 1), nil)
			if err == nil || res.StatusCode != c.status || res.Header.Get("Retry-After") == "" {
				t.Fatalf("got %v, %v", res, err)
			}
			if got := s.Sockets(); got.Open != 2 || got.Refused != 1 {
				t.Errorf("counts: %+v", got)
			}
			_ = first.conn.Close(websocket.StatusNormalClosure, "")
			eventually(t, "the end", func() bool { return s.Sockets().Open == 1 })
			s.connect(t, modernName, "")
			if got := s.Sockets(); got.Opened != 3 || got.Closed[1000] != 1 {
				t.Errorf("counts: %+v", got)
			}
		})
	}
}

// TestSocketInitTimeout ends a socket that says nothing.
func TestSocketInitTimeout(t *testing.T) {
	t.Parallel()
	times := calm
	times.init = 50 * time.Millisecond
	s := newStage(t, dbtest.Open(t), times, Config{})
	for _, d := range dialects {
		conn, _, err := websocket.Dial(t.Context(), strings.Replace(s.url, "http", "ws", 1), &websocket.DialOptions{Subprotocols: []string{d.name}})
		if err != nil {
			t.Fatal(err)
		}
		(&peer{t, conn}).expectCloseReason(4408, "Connection initialisation timeout")
	}
}

// TestSocketCredentialsEnd: credentials that end, end the socket at the next beat, whatever runs on it.
func TestSocketCredentialsEnd(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t)
	token := operatorOf(t, d)
	s := newStage(t, d, quick, Config{})
	p := s.connect(t, modernName, "Bearer "+token)
	p.start("a", "silence")
	eventually(t, "the operation", func() bool { return s.script.started.Load() == 1 })
	anonymous := s.connect(t, modernName, "")
	if _, err := d.RevokeOperators(t.Context(), t.Name()); err != nil {
		t.Fatal(err)
	}
	p.expectCloseReason(4403, "Forbidden") // the subscription is not completed: whoever lost it shall know
	eventually(t, "the end of the operation", func() bool { return s.script.ended.Load() == 1 })
	anonymous.start("a", "two")
	anonymous.expect("next", "a")
}

// TestSocketWithoutDatabase: a database that does not answer makes nobody anonymous, and ends a socket when its credentials
// could not be checked for as long as they are good.
func TestSocketWithoutDatabase(t *testing.T) {
	t.Parallel()
	d := dbtest.OpenNamed(t, dbtest.Copy(t, ""))
	token := operatorOf(t, d)
	times := quick
	times.check = 2 * time.Second
	s := newStage(t, d, times, Config{})
	p := s.connect(t, modernName, "Bearer "+token)
	p.start("a", "two")
	p.expect("next", "a")
	p.expect("next", "a")
	p.expect("complete", "a")
	_ = d.Close()
	p.start("a", "two")
	if e := p.expect("error", "a"); !strings.Contains(data(t, e), "UNAVAILABLE") {
		t.Errorf("answer: %s", data(t, e))
	}
	p.expectClose(1013)
	conn, _, err := websocket.Dial(t.Context(), strings.Replace(s.url, "http", "ws", 1), &websocket.DialOptions{Subprotocols: []string{modernName}})
	if err != nil {
		t.Fatal(err)
	}
	p = &peer{t, conn}
	p.send(`{"type":"connection_init","payload":{"Authorization":"Bearer ` + token + `"}}`)
	p.expectClose(1013)
}

// TestSocketSlowReader: who does not read is cut off, and what floods them ends.
func TestSocketSlowReader(t *testing.T) {
	t.Parallel()
	times := calm
	times.write = 200 * time.Millisecond
	s := newStage(t, dbtest.Open(t), times, Config{})
	p := s.connect(t, modernName, "")
	other := s.connect(t, modernName, "")
	p.start("a", "flood")
	eventually(t, "the cut", func() bool { return s.Sockets().Slow == 1 && s.Sockets().Open == 1 })
	eventually(t, "the end of the flood", func() bool { return s.Sockets().Operations == 0 })
	if got := s.Sockets(); got.Closed[1006] != 1 {
		t.Errorf("counts: %+v", got)
	}
	other.start("a", "two")
	other.expect("next", "a")
}

// TestSocketDeadPeer: a peer that answers no ping is found out, also in the middle of a message.
func TestSocketDeadPeer(t *testing.T) {
	t.Parallel()
	times := quick
	times.pong = 100 * time.Millisecond
	s := newStage(t, dbtest.Open(t), times, Config{})
	raw := func() net.Conn {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_, err = c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n" +
			"\x81\x9a\x00\x00\x00\x00" + `{"type":"connection_init"}`))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	raw()
	eventually(t, "the silent one's end", func() bool { return s.Sockets().Dead == 1 && s.Sockets().Open == 0 })

	times = calm
	times.read = 100 * time.Millisecond
	s = newStage(t, s.DB, times, Config{})
	_, _ = raw().Write([]byte("\x81\x9a\x00\x00\x00\x00" + `{"type":`)) // and the rest never comes
	eventually(t, "the halting one's end", func() bool { return s.Sockets().Opened == 1 && s.Sockets().Open == 0 })
}

// TestSocketBeat: a socket that is idle, but there, stays; a legacy client hears of the server.
func TestSocketBeat(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t)
	token := operatorOf(t, d)
	s := newStage(t, d, quick, Config{})
	legacy := s.connect(t, "graphql-ws", "Bearer "+token)
	modern := s.connect(t, modernName, "Bearer "+token)
	go func() { _, _ = modern.read() }() // answers pings
	for range 5 {
		legacy.expect("ka", "")
	}
	if got := s.Sockets(); got.Open != 2 || got.Dead != 0 {
		t.Errorf("counts: %+v", got)
	}
}

// TestSocketDrain: a server that stops answers what runs, starts nothing, ends no subscription in the eyes of its client,
// and tells sockets to come back.
func TestSocketDrain(t *testing.T) {
	t.Parallel()
	s := newStage(t, dbtest.Open(t), calm, Config{})
	idle, streaming, busy := s.connect(t, modernName, ""), s.connect(t, modernName, ""), s.connect(t, modernName, "")
	streaming.start("a", "silence")
	busy.start("a", "query wait")
	busy.start("b", "silence")
	eventually(t, "the operations", func() bool { return s.script.started.Load() == 3 })
	s.Drain()
	idle.expectCloseReason(1012, "The server restarts")
	streaming.expectCloseReason(1012, "The server restarts")
	busy.start("c", "query one")
	busy.send(`{"type":"ping"}`)
	busy.expect("pong", "")
	_, res, err := websocket.Dial(t.Context(), strings.Replace(s.url, "http", "ws", 1), nil)
	if err == nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new socket: %v, %v", res, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s.WaitForSockets(ctx)
	if ctx.Err() == nil {
		t.Error("the busy socket was not waited for")
	}
	close(s.script.release)
	busy.expect("next", "a")
	busy.expect("complete", "a")
	busy.expectCloseReason(1012, "The server restarts")
	s.WaitForSockets(t.Context())
	if got := s.Sockets(); got.Open != 0 || got.Operations != 0 || got.Closed[1012] != 3 {
		t.Errorf("counts: %+v", got)
	}
}
