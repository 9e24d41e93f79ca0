package resolvers

import (
	"context"
	"sync"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"grantwood/db"
	"grantwood/graph"
)

// Caller is who runs an operation. Signing in replaces it, so that what follows in the same operation is answered to the
// person who has signed in.
type Caller struct {
	// SessionStarted and SessionEnded, when set, tell the transport, which keeps a cookie.
	SessionStarted func(*db.Session)
	SessionEnded   func()
	// RetryAfter, when set, tells the transport that the caller has to wait before another try.
	RetryAfter func(time.Duration)

	// After is the event that the transport wants a subscription to go on after, where the operation names none.
	After string
	// wants says that the next event of a subscription is wanted; nil for other operations.
	wants chan struct{}

	mu         sync.Mutex
	viewer     *graph.Viewer
	event      graph.ID                  // of a subscription, that is being answered
	ending     *gqlerror.Error           // why a subscription has ended, until it was said
	violations map[string][]*graph.Error // by root field
}

// NewCaller makes the caller of one operation.
func NewCaller(v *graph.Viewer) *Caller { return &Caller{viewer: v} }

type callerKey struct{}

// WithCaller says who runs the operation.
func WithCaller(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// caller gives who runs the operation: nobody when nothing was said.
func caller(ctx context.Context) *Caller {
	if c, ok := ctx.Value(callerKey{}).(*Caller); ok {
		return c
	}
	return NewCaller(&graph.Viewer{})
}

func viewer(ctx context.Context) *graph.Viewer {
	c := caller(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.viewer
}

func (c *Caller) become(v *graph.Viewer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.viewer = v
}

// started makes the person of a new session the caller.
func (c *Caller) started(s *db.Session) {
	c.become(s.Viewer)
	if c.SessionStarted != nil {
		c.SessionStarted(s)
	}
}

// ended makes the caller nobody.
func (c *Caller) ended(r graph.Request) {
	c.become(&graph.Viewer{Request: r})
	if c.SessionEnded != nil {
		c.SessionEnded()
	}
}

// retryAfter tells the transport that the caller has to wait.
func (c *Caller) retryAfter(wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.RetryAfter != nil {
		c.RetryAfter(wait)
	}
}

// RetryAfter tells the transport of the operation that its caller has to wait.
func RetryAfter(ctx context.Context, wait time.Duration) { caller(ctx).retryAfter(wait) }

// violated notes a broken rule of an argument below a root field of a mutation.
func (c *Caller) violated(rootField string, e *graph.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.violations == nil {
		c.violations = map[string][]*graph.Error{}
	}
	c.violations[rootField] = append(c.violations[rootField], e)
}

func (c *Caller) violationsOf(rootField string) []*graph.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.violations[rootField]
}

// ViewerOf gives who runs the operation, or makes another request with the context.
func ViewerOf(ctx context.Context) *graph.Viewer { return viewer(ctx) }

// IsNobody reports whether the operation comes without credentials.
func IsNobody(ctx context.Context) bool { return viewer(ctx).Kind == graph.Nobody }
