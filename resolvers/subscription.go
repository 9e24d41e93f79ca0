package resolvers

import (
	"context"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"grantwood/db"
	"grantwood/graph"
)

// GrantChanged follows grants.
func (r subscription) GrantChanged(ctx context.Context, after *graph.ID) (<-chan *graph.GrantChangedEvent, error) {
	return follow[*graph.GrantChangedEvent](ctx, r.Resolver, db.LiveQuery{Topic: db.TopicGrants, After: after})
}

// KeyToggled follows keys.
func (r subscription) KeyToggled(ctx context.Context, after *graph.ID) (<-chan *graph.KeyToggledEvent, error) {
	return follow[*graph.KeyToggledEvent](ctx, r.Resolver, db.LiveQuery{Topic: db.TopicKeys, After: after})
}

// UsageAdded follows usage.
func (r subscription) UsageAdded(ctx context.Context, keyIds []*graph.ID, after *graph.ID) (<-chan *graph.UsageAddedEvent, error) {
	q := db.LiveQuery{Topic: db.TopicUsage, After: after}
	if keyIds != nil {
		q.Keys = make([]graph.ID, len(keyIds))
		for i, id := range keyIds {
			q.Keys[i] = *id
		}
	}
	return follow[*graph.UsageAddedEvent](ctx, r.Resolver, q)
}

var errDraining = &graph.Error{Code: graph.Unavailable,
	Message: "The server is going to stop: subscribe again after the last event that you received."}

// follow gives events one by one, each when the one before it was answered, so that the caller is the viewer of the event that is
// being answered.
func follow[E any](ctx context.Context, r *Resolver, q db.LiveQuery) (<-chan E, error) {
	c := caller(ctx)
	if q.After == nil && c.After != "" {
		after := graph.ParseID(c.After)
		q.After = &after
	}
	s, err := r.DB.Follow(ctx, viewer(ctx), q)
	if err != nil {
		return nil, err
	}
	until, end := context.WithCancelCause(ctx)
	ignore := context.AfterFunc(r.Draining, func() { end(errDraining) })
	events := make(chan E)
	go func() {
		defer close(events)
		defer s.Close()
		defer end(nil)
		defer ignore()
		for {
			v, e, err := c.next(until, s)
			if err != nil {
				c.endWith(r.Present(ctx, err))
				return
			}
			c.becomeFor(v, idOf(e))
			select {
			case events <- e.(E):
			case <-ctx.Done():
				return
			}
		}
	}()
	return events, nil
}

// next waits until an event is wanted, and for the event.
func (c *Caller) next(ctx context.Context, s *db.Subscription) (*graph.Viewer, db.LiveEvent, error) {
	select {
	case <-ctx.Done():
	case <-c.wants:
		v, e, err := s.Next(ctx)
		if err == nil || ctx.Err() == nil {
			return v, e, err
		}
	}
	return nil, nil, context.Cause(ctx)
}

// becomeFor makes v the viewer of an event.
func (c *Caller) becomeFor(v *graph.Viewer, event graph.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.viewer, c.event = v, event
}

func idOf(e db.LiveEvent) graph.ID {
	switch e := e.(type) {
	case *graph.GrantChangedEvent:
		return e.EventID
	case *graph.KeyToggledEvent:
		return e.EventID
	case *graph.UsageAddedEvent:
		return e.EventID
	}
	return graph.ID{}
}

// EventOf gives the ID of the event that a subscription was answered with last; empty before the first, and for other operations.
func EventOf(ctx context.Context) string {
	c := caller(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.event == (graph.ID{}) {
		return ""
	}
	return c.event.String()
}

// endWith keeps why a subscription has ended until that is asked for.
func (c *Caller) endWith(e *gqlerror.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = e
}

// endedWith gives why a subscription has ended, once.
func (c *Caller) endedWith() *gqlerror.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.ending
	c.ending = nil
	return e
}

// subscriptions is what the executor does about subscriptions, whatever the transport: each has a caller of its own, so that several
// on one connection do not renew each other's viewer; an event is looked for when a response is asked for; and what ends a
// subscription, other than that the client left, is said in a last response.
type subscriptions struct{}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationInterceptor
	graphql.ResponseInterceptor
} = subscriptions{}

// Subscriptions gives the extension without which no event of a subscription is sent.
func (r *Resolver) Subscriptions() graphql.HandlerExtension { return subscriptions{} }

// ExtensionName names the extension.
func (subscriptions) ExtensionName() string { return "subscriptions" }

// Validate accepts every schema.
func (subscriptions) Validate(graphql.ExecutableSchema) error { return nil }

// InterceptOperation gives a subscription its caller.
func (subscriptions) InterceptOperation(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	if !isSubscription(ctx) {
		return next(ctx)
	}
	c := NewCaller(viewer(ctx))
	c.After = caller(ctx).After
	c.wants = make(chan struct{}, 1)
	return next(WithCaller(ctx, c))
}

// InterceptResponse asks for the next event.
func (subscriptions) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	if !isSubscription(ctx) {
		return next(ctx)
	}
	c := caller(ctx)
	select {
	case c.wants <- struct{}{}:
	default: // the last one was not answered, and never will be
	}
	if response := next(ctx); response != nil {
		return response
	}
	e := c.endedWith()
	if e == nil {
		return nil
	}
	data := json.RawMessage("null")
	if name, ok := e.Path[0].(ast.PathName); ok {
		data, _ = json.Marshal(map[string]any{string(name): nil}) // a name and null: never fails
	}
	return &graphql.Response{Errors: gqlerror.List{e}, Data: data}
}

func isSubscription(ctx context.Context) bool {
	if !graphql.HasOperationContext(ctx) {
		return false
	}
	operation := graphql.GetOperationContext(ctx).Operation
	return operation != nil && operation.Operation == ast.Subscription
}
