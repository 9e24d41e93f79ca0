package server

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"grantwood/resolvers"
)

// aliveEvery is how often a stream without events says that it is alive, so that no proxy takes it for dead.
const aliveEvery = 12 * time.Second

// stream is an answer in the "distinct connections" mode of the protocol GraphQL over Server-Sent Events: one operation, its results as
// events named next, then one named complete. Results of subscriptions carry the ID of their event, which an EventSource (HTML, "Server-sent
// events") sends back as Last-Event-ID when it connects again.
type stream struct {
	w          http.ResponseWriter
	connection *http.ResponseController
	mu         sync.Mutex
	broken     error
}

func streamOf(w http.ResponseWriter) *stream {
	h := w.Header()
	h.Set("Content-Type", streamType+"; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache, no-store")
	h.Set("X-Accel-Buffering", "no") // for nginx
	h.Add("Vary", "Accept")
	w.WriteHeader(http.StatusOK)
	return &stream{w: w, connection: http.NewResponseController(w)}
}

// once sends one result.
func (s *stream) once(r *graphql.Response) {
	if s.next(r, "") == nil {
		_ = s.write("event: complete\ndata:\n\n") // the caller may have gone
	}
}

// all sends the results of an operation until there are no more or the caller is gone.
func (s *stream) all(ctx context.Context, responses graphql.ResponseHandler) {
	if s.write(":\n\n") != nil { // tells the caller at once that the operation runs
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	defer func() { <-ended }()
	defer cancel()
	go func() {
		defer close(ended)
		s.keepAlive(ctx, cancel)
	}()
	for {
		r := responses(ctx)
		if r == nil {
			break
		}
		if s.next(r, resolvers.EventOf(ctx)) != nil {
			return
		}
		if r.Data == nil && len(r.Errors) > 0 { // it could not be run
			break
		}
		if operation := graphql.GetOperationContext(ctx).Operation; operation.Operation != ast.Subscription {
			break
		}
	}
	if ctx.Err() == nil {
		_ = s.write("event: complete\ndata:\n\n") // the caller may have gone
	}
}

// keepAlive writes a comment now and then, and cancels the operation when that fails.
func (s *stream) keepAlive(ctx context.Context, cancel context.CancelFunc) {
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if s.write(":\n\n") != nil {
				cancel()
				return
			}
		}
	}
}

// next sends a result. JSON has no line breaks, so that it is one line of the event.
func (s *stream) next(r *graphql.Response, event string) error {
	body, err := encoded(r)
	if err != nil {
		return err
	}
	if event != "" {
		event = "id: " + event + "\n"
	}
	return s.write(event + "event: next\ndata: " + string(body) + "\n\n")
}

// write sends text within a time, or fails: nothing is kept for a caller who does not read.
func (s *stream) write(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	_ = s.connection.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every writer has one
	if _, s.broken = s.w.Write([]byte(text)); s.broken == nil {
		s.broken = s.connection.Flush()
	}
	return s.broken
}
