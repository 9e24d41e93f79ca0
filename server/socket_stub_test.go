package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"grantwood/db"
	"grantwood/graph"
	"grantwood/resolvers"
)

// script is an executor that does what the query says, without a schema: what a socket does with operations that take their
// time can be held only where the test says how long they take.
type script struct {
	release chan struct{} // lets "wait" go on
	after   bool          // the server is one after a restart, where "after" has events
	started atomic.Int64
	ended   atomic.Int64
}

// CreateOperationContext takes every query as a subscription but those that say otherwise.
func (*script) CreateOperationContext(_ context.Context, p *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	kind := ast.Subscription
	if strings.HasPrefix(p.Query, "query") {
		kind = ast.Query
	}
	o := &graphql.OperationContext{RawQuery: p.Query, Operation: &ast.OperationDefinition{Operation: kind}, Doc: &ast.QueryDocument{}}
	if strings.Contains(p.Query, "wrong") {
		return o, gqlerror.List{{Message: "wrong"}}
	}
	return o, nil
}

// DispatchError answers the errors.
func (*script) DispatchError(_ context.Context, list gqlerror.List) *graphql.Response {
	return &graphql.Response{Errors: list}
}

// DispatchOperation does the last word of the query.
func (s *script) DispatchOperation(ctx context.Context, o *graphql.OperationContext) (graphql.ResponseHandler, context.Context) {
	s.started.Add(1)
	words := strings.Fields(o.RawQuery)
	n := 0
	return func(ctx context.Context) *graphql.Response {
		n++
		switch words[len(words)-1] {
		case "two":
			if n > 2 {
				s.ended.Add(1)
				return nil
			}
		case "wait":
			select {
			case <-s.release:
			case <-ctx.Done():
			}
		case "silence", "after":
			if s.after && n == 1 {
				break
			}
			<-ctx.Done()
			s.ended.Add(1)
			return nil
		case "panic":
			panic("as the query says")
		case "flood":
			if ctx.Err() != nil {
				s.ended.Add(1)
				return nil
			}
			return &graphql.Response{Data: json.RawMessage(`"` + strings.Repeat("x", 64<<10) + `"`)}
		}
		return &graphql.Response{Data: json.RawMessage(`{"request":"` + resolvers.ViewerOf(ctx).Request.ID + `"}`)}
	}, ctx
}

// stage is a socket transport on a script.
type stage struct {
	*Server
	script *script
	url    string
}

func newStage(t testing.TB, d *db.DB, times socketTimes, c Config) *stage {
	t.Helper()
	c.DB, c.Log, c.PublicURL = d, slog.New(slog.DiscardHandler), "http://grantwood.example"
	srv, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{Server: srv, script: &script{release: make(chan struct{})}}
	s.sockets.times = times
	h := httptest.NewServer(s.observed(s.socketsOr(s.script, http.NotFoundHandler())))
	t.Cleanup(h.Close)
	s.url = h.URL
	return s
}

// calm are times that no busy machine exceeds; quick are times that a test can wait for.
var (
	calm  = socketTimes{init: time.Minute, beat: usualTimes.beat, pong: time.Minute, read: time.Minute, write: time.Minute, check: time.Minute}
	quick = socketTimes{init: time.Minute, beat: 100 * time.Millisecond, pong: time.Minute, read: time.Minute, write: time.Minute, check: time.Minute}
)

// peer is the client's side.
type peer struct {
	t    testing.TB
	conn *websocket.Conn
}

func (s *stage) connect(t testing.TB, protocol, token string) *peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, strings.Replace(s.url, "http", "ws", 1), &websocket.DialOptions{Subprotocols: []string{protocol}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(-1)
	p := &peer{t, conn}
	p.send(`{"type":"connection_init","payload":{"Authorization":"` + token + `"}}`)
	p.expect("connection_ack", "")
	return p
}

func (p *peer) send(text string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := p.conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		p.t.Fatalf("send %s: %v", text, err)
	}
}

func (p *peer) start(id, query string) {
	p.t.Helper()
	p.send(`{"id":"` + id + `","type":"subscribe","payload":{"query":"` + query + `"}}`)
}

func (p *peer) read() (envelope, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var e envelope
	_, text, err := p.conn.Read(ctx)
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(text, &e)
}

func (p *peer) expect(kind, id string) envelope {
	p.t.Helper()
	e, err := p.read()
	if err != nil || e.Type != kind || e.ID != id {
		p.t.Fatalf("got %v, %v; want %s for %q", e, err, kind, id)
	}
	return e
}

// expectClose reads on to the end.
func (p *peer) expectClose(code int) {
	p.t.Helper()
	for {
		if _, err := p.read(); err != nil {
			var got websocket.CloseError
			if !errors.As(err, &got) || int(got.Code) != code {
				p.t.Fatalf("got %v, want the end with %d", err, code)
			}
			return
		}
	}
}

// eventually waits for what must come.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
	}
}

// operatorOf makes an operator with the name of the test and gives its token.
func operatorOf(t testing.TB, d *db.DB) string {
	t.Helper()
	_, token, err := d.CreateOperator(t.Context(), t.Name(), []graph.OperatorScope{graph.ScopeAdmin})
	if err != nil {
		t.Fatal(err)
	}
	return token
}
