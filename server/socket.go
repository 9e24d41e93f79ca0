package server

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"

	"grantwood/graph"
)

// socket is one connection and its state. One goroutine reads, and each operation has its own, which writes by itself: a
// peer that does not read holds up its operations, and these their events, until the time for a message is over. Nothing
// is kept for it. A timer does the rest, so that an idle socket costs one goroutine.
type socket struct {
	*sockets
	exec        graphql.GraphExecutor
	conn        *websocket.Conn
	dialect     *dialect
	address     string
	credentials *http.Request // carries nothing but these; fixed from connection_init on
	opened      time.Time
	life        context.Context // ends with the socket
	cancel      context.CancelFunc

	mu         sync.Mutex
	timer      *time.Timer
	greeted    bool // connection_init has come
	ready      bool // connection_ack has gone
	checked    time.Time
	operations map[string]*running
	why        closing // of the first reason to end
}

func (s *sockets) newSocket(address string, credentials *http.Request, exec graphql.GraphExecutor) *socket {
	k := &socket{sockets: s, exec: exec, address: address, credentials: credentials, opened: time.Now(), operations: map[string]*running{}}
	k.life, k.cancel = context.WithCancel(context.Background())
	return k
}

// begin begins to read. A goroutine of its own leaves the one of the HTTP server, with its larger stack, behind.
func (k *socket) begin(conn *websocket.Conn) {
	conn.SetReadLimit(maxMessage)
	k.mu.Lock()
	k.conn, k.dialect = conn, dialectNamed(conn.Subprotocol())
	k.timer = time.AfterFunc(k.times.init, k.beat)
	k.mu.Unlock()
	go k.run()
	if k.draining.Err() != nil { // it was admitted before, and drain found no connection yet
		go k.endWhenIdle()
	}
}

func (k *socket) run() {
	defer k.gone()
	defer func() {
		if cause := recover(); cause != nil {
			_ = k.resolver.Recover(k.life, cause)
			k.end(websocket.StatusInternalError, "Something went wrong")
		}
	}()
	if k.dialect == nil {
		k.end(closeProtocol, "Subprotocol not acceptable")
		return
	}
	for {
		text, why := k.receive()
		if why == nil && k.life.Err() == nil {
			why = k.handle(text)
		}
		if why != nil {
			k.end(why.code, why.reason)
			return
		}
	}
}

// receive reads a message. A peer that begins one ends it soon.
func (k *socket) receive() ([]byte, *closing) {
	kind, r, err := k.conn.Reader(context.Background())
	if err != nil {
		return nil, lost(err)
	}
	late := time.AfterFunc(k.times.read, func() { _ = k.conn.CloseNow() })
	defer late.Stop()
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, lost(err)
	}
	if kind != websocket.MessageText {
		return nil, badMessage("A message is text")
	}
	return text, nil
}

// lost gives the end of a socket that cannot be read: as the peer wished, or because its message was too long.
func lost(err error) *closing {
	code := websocket.CloseStatus(err)
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		code = websocket.StatusMessageTooBig
	case code == -1:
		code = websocket.StatusAbnormalClosure
	}
	return &closing{code: code}
}

// handle does what a message asks for, or says why the socket ends.
func (k *socket) handle(text []byte) *closing {
	m, why := k.dialect.readMessage(text)
	if why != nil {
		return why
	}
	switch {
	case m.kind == "connection_init":
		return k.greet(m)
	case m.kind == k.dialect.start:
		return k.start(m)
	case m.kind == k.dialect.stop:
		k.stop(m.id)
	case m.kind == "ping" && k.dialect.pings:
		k.send(envelope{Type: "pong", Payload: payloadOf(m)})
	case m.kind == "pong" && k.dialect.pings: // a sign of life
	case m.kind == "connection_terminate" && k.dialect.connection:
		return &closing{websocket.StatusNormalClosure, ""}
	default:
		return badMessage("There is no such type of message, or it is the server's")
	}
	return nil
}

// payloadOf gives nil, not a value that holds nil, when there is none.
func payloadOf(m message) any {
	if m.payload == nil {
		return nil
	}
	return m.payload
}

// greet takes connection_init: who it is decides whether it is acknowledged.
func (k *socket) greet(m message) *closing {
	k.mu.Lock()
	again := k.greeted
	k.greeted = true
	k.timer.Reset(k.pause())
	k.mu.Unlock()
	if again {
		return &closing{closeManyInits, "Too many initialisation requests"}
	}
	given, why := initCredentials(m)
	if why != nil {
		return why
	}
	if given != nil {
		k.credentials = given
	}
	if _, why := k.authenticate(k.life); why != nil {
		if k.dialect.connection {
			k.send(envelope{Type: "connection_error", Payload: map[string]string{"message": why.reason}})
		}
		return why
	}
	k.mu.Lock()
	k.ready = true
	k.mu.Unlock()
	k.send(envelope{Type: "connection_ack"})
	k.keepAlive()
	return nil
}

// authenticate finds out who is calling now. Credentials that are not good any more end the socket; having none is good.
func (k *socket) authenticate(ctx context.Context) (*graph.Viewer, *closing) {
	ctx, cancel := context.WithTimeout(ctx, authenticationTimeout)
	defer cancel()
	token, _ := tokenOf(k.credentials)
	v, err := k.caller(ctx, k.credentials, token, k.newRequest(k.address))
	switch {
	case err != nil:
		if k.life.Err() == nil {
			k.Log.ErrorContext(ctx, "authentication failed", "error", err)
		}
		return nil, &closing{websocket.StatusTryAgainLater, "The database cannot be reached"}
	case v.Kind == graph.Nobody && len(k.credentials.Header) > 0:
		return nil, &closing{closeForbidden, "Forbidden"}
	}
	k.mu.Lock()
	k.checked = v.Request.At
	k.mu.Unlock()
	return v, nil
}

// pause gives the time to the next beat, spread so that sockets which were opened together are not checked together.
func (k *socket) pause() time.Duration {
	return k.times.beat - rand.N(k.times.beat/4+1)
}

// beat finds out whether the peer is there, and still may be. Before connection_init it ends the wait for that.
func (k *socket) beat() {
	k.mu.Lock()
	greeted, ready := k.greeted, k.ready
	k.mu.Unlock()
	if !greeted {
		k.end(closeInitTimeout, "Connection initialisation timeout")
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), k.times.pong)
	defer cancel()
	if k.conn.Ping(ctx) != nil {
		if ctx.Err() != nil {
			k.cut("no answer to a ping", func(c *SocketCounts) { c.Dead++ })
		}
		return
	}
	if ready {
		k.keepAlive()
		if why := k.check(); why != nil {
			k.end(why.code, why.reason)
			return
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.life.Err() == nil {
		k.timer.Reset(k.pause())
	}
}

// check authenticates again, unless an operation just did. While the database does not answer, the credentials are good for
// as long as they would be without a check.
func (k *socket) check() *closing {
	k.mu.Lock()
	age := time.Since(k.checked)
	k.mu.Unlock()
	if len(k.credentials.Header) == 0 || age < k.times.beat/2 {
		return nil
	}
	_, why := k.authenticate(k.life)
	if why != nil && why.code == websocket.StatusTryAgainLater && age+k.times.beat < k.times.check {
		return nil
	}
	return why
}

// keepAlive tells clients of the legacy protocol, which look for it, that the server is there.
func (k *socket) keepAlive() {
	if k.dialect.keepAlive {
		k.send(envelope{Type: "ka"})
	}
}

// send writes a message, and reports whether it has left. When it does not leave in time the socket is cut off.
func (k *socket) send(e envelope) bool {
	text, err := e.text()
	if err != nil {
		k.Log.ErrorContext(k.life, "message not written", "error", err)
		k.end(websocket.StatusInternalError, "Something went wrong")
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), k.times.write)
	defer cancel()
	if err := k.conn.Write(ctx, websocket.MessageText, text); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			k.cut("the peer does not read", func(c *SocketCounts) { c.Slow++ })
		}
		return false
	}
	k.count(func(c *SocketCounts) { c.Sent++ })
	return true
}

// end closes the socket with a reason that the peer is told. It waits for the peer's answer for some seconds.
func (k *socket) end(code websocket.StatusCode, reason string) {
	k.stopWorking(closing{code, reason})
	if code != websocket.StatusAbnormalClosure {
		_ = k.conn.Close(code, reason)
	}
}

// cut closes the socket of a peer that is told nothing, because it does not read, and counts it once.
func (k *socket) cut(reason string, counted func(*SocketCounts)) {
	if k.stopWorking(closing{websocket.StatusAbnormalClosure, reason}) {
		k.count(counted)
	}
	go func() { _ = k.conn.CloseNow() }() // it waits for the goroutine that reads, which may be this one
}

// stopWorking ends all operations without a word: the peer shall start them again elsewhere. It notes the first reason, or
// the first in words after one without, which is that of the connection, and reports whether that is this one.
func (k *socket) stopWorking(why closing) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	noted := k.life.Err() == nil || k.why == closing{code: why.code} && why.reason != ""
	if noted {
		k.why = why
	}
	k.timer.Stop()
	k.cancel()
	return noted
}

// gone gives everything back when nobody reads any more.
func (k *socket) gone() {
	k.stopWorking(closing{code: websocket.StatusAbnormalClosure})
	_ = k.conn.CloseNow()
	k.mu.Lock()
	why := k.why
	k.mu.Unlock()
	k.forget(k, why.code)
	k.Log.Info("socket closed", "address", k.address, "code", int(why.code), "reason", why.reason,
		"seconds", int(time.Since(k.opened).Seconds()))
}
