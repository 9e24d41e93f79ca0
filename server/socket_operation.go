package server

import (
	"context"
	"fmt"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"grantwood/graph"
	"grantwood/resolvers"
)

// running is an operation of a socket, from its start to its last message. The socket knows it by its ID as long.
type running struct {
	*socket
	id     string
	cancel context.CancelFunc
	stream bool // a subscription; guarded by the socket's mu

	// writing is held while a message is written, and the last one also while the ID is given back: when the peer can know
	// that an ID is free it is free, and nothing of an operation follows once its ID is another's.
	writing sync.Mutex
	over    bool
}

// start begins an operation. Its ID is new, or was given back.
func (k *socket) start(m message) *closing {
	k.mu.Lock()
	ready, before := k.ready, k.operations[m.id]
	k.mu.Unlock()
	if !ready {
		return &closing{closeUnauthorized, "Unauthorized"}
	}
	params, why := readOperation(m.payload)
	if why != nil {
		return why
	}
	if before != nil {
		before.writing.Lock() // it may be saying its last word
		over := before.over
		before.writing.Unlock()
		if !over {
			return &closing{closeDuplicate, "Subscriber for " + shortened(m.id) + " already exists"}
		}
	}
	if k.draining.Err() != nil {
		return nil // left to the next server, to which the peer is sent at once
	}
	ctx, cancel := context.WithCancel(k.life)
	o := &running{socket: k, id: m.id, cancel: cancel}
	if !k.enter(o) {
		cancel()
		k.send(envelope{m.id, "error", k.dialect.errorPayload(sentence(graph.RateLimited,
			fmt.Sprintf("A socket runs at most %d operations at once.", maxOperations)))})
		return nil
	}
	go o.run(ctx, params)
	return nil
}

// enter makes the operation known by its ID, if there is room.
func (k *socket) enter(o *running) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.operations) >= maxOperations {
		return false
	}
	k.operations[o.id] = o
	k.count(func(c *SocketCounts) { c.Operations++; c.Started++ })
	return true
}

// shortened cuts a text so that it fits into a close frame.
func shortened(id string) string {
	if len(id) <= 64 {
		return id
	}
	return "that ID"
}

func sentence(code graph.Code, text string) gqlerror.List {
	return gqlerror.List{requestError(code, "%s", text)}
}

// stop ends an operation because the peer wishes so. It is not answered, and an ID that is not known is no fault: the
// operation may have ended meanwhile.
func (k *socket) stop(id string) {
	k.mu.Lock()
	o := k.operations[id]
	k.mu.Unlock()
	if o == nil {
		return
	}
	o.cancel()
	o.finish()
}

// run answers an operation, or streams its events, each to a viewer who is authenticated now.
func (o *running) run(ctx context.Context, params *graphql.RawParams) {
	defer o.cancel()
	defer o.finish()
	defer func() {
		if cause := recover(); cause != nil {
			_ = o.resolver.Recover(ctx, cause)
			o.fail(sentence(graph.Internal, "Something went wrong."))
		}
	}()
	v, why := o.authenticate(ctx)
	switch {
	case why != nil && why.code == closeForbidden:
		o.end(why.code, why.reason)
		return
	case why != nil:
		o.fail(sentence(graph.Unavailable, "The database cannot be reached; try again."))
		return
	}
	ctx = context.WithValue(ctx, requestKey{}, v.Request)
	ctx = resolvers.WithCaller(ctx, resolvers.NewCaller(v))
	now := graphql.Now()
	params.ReadTime = graphql.TraceTiming{Start: now, End: now}
	operation, errs := o.exec.CreateOperationContext(ctx, params)
	if errs != nil {
		o.fail(o.exec.DispatchError(graphql.WithOperationContext(ctx, operation), errs).Errors)
		return
	}
	if operation.Operation.Operation == ast.Subscription {
		o.events(ctx, operation)
	} else {
		o.answer(ctx, operation)
	}
}

// answer runs a query or a mutation.
func (o *running) answer(ctx context.Context, operation *graphql.OperationContext) {
	responses, ctx := o.exec.DispatchOperation(ctx, operation)
	switch r := responses(ctx); {
	case r == nil:
		o.fail(sentence(graph.Unavailable, "The operation took too long."))
	case o.next(r):
		o.complete()
	}
}

// events streams a subscription for as long as it has something to say. When the server stops, it goes on at the next one:
// no word of an end is sent.
func (o *running) events(ctx context.Context, operation *graphql.OperationContext) {
	o.mu.Lock()
	o.stream = true
	o.mu.Unlock()
	if o.draining.Err() != nil {
		o.endWhenIdle()
	}
	responses, streaming := o.exec.DispatchOperation(ctx, operation)
	for r := responses(streaming); r != nil; r = responses(streaming) {
		if o.draining.Err() != nil && hasCode(r.Errors, graph.Unavailable) {
			return
		}
		if !o.next(r) {
			return
		}
	}
	if ctx.Err() == nil && o.draining.Err() == nil {
		o.complete()
	}
}

// next sends an answer or an event, and reports whether more may follow: what could not be run has no data, and is an error.
func (o *running) next(r *graphql.Response) bool {
	if r.Data == nil && len(r.Errors) > 0 {
		o.fail(r.Errors)
		return false
	}
	return o.say(envelope{o.id, o.dialect.next, r}, false)
}

func (o *running) complete() { o.say(envelope{o.id, "complete", nil}, true) }

// fail says that there will be no answer. No "complete" follows.
func (o *running) fail(list gqlerror.List) {
	o.say(envelope{o.id, "error", o.dialect.errorPayload(list)}, true)
}

// say writes a message of the operation unless it is over. The last one ends it.
func (o *running) say(e envelope, last bool) bool {
	o.writing.Lock()
	sent := !o.over && o.life.Err() == nil && o.send(e)
	if last {
		o.leave()
	}
	o.writing.Unlock()
	if last && o.draining.Err() != nil {
		o.endWhenIdle()
	}
	return sent
}

// finish ends an operation that has nothing more to say.
func (o *running) finish() {
	o.writing.Lock()
	defer o.writing.Unlock()
	o.leave()
}

// leave gives the ID back. The caller holds writing.
func (o *running) leave() {
	if o.over {
		return
	}
	o.over = true
	o.mu.Lock()
	delete(o.operations, o.id)
	o.mu.Unlock()
	o.count(func(c *SocketCounts) { c.Operations-- })
}

// endWhenIdle closes the socket because the server stops, once no query or mutation runs; the last of them calls it again.
// The code tells clients to come back at once, and they start their subscriptions again there.
func (k *socket) endWhenIdle() {
	k.mu.Lock()
	idle := k.conn != nil
	for _, o := range k.operations {
		idle = idle && o.stream
	}
	k.mu.Unlock()
	if idle {
		k.end(websocket.StatusServiceRestart, "The server restarts")
	}
}
