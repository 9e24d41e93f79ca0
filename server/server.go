// Package server is the HTTP side: routes, authentication, limits, health. It turns credentials into a graph.Viewer and
// gives operations to the executor.
package server

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
	"go.opentelemetry.io/otel/trace"

	"grantwood/db"
	"grantwood/graph/generated"
	"grantwood/resolvers"
)

// Limits of what is not asked by a document.
const (
	authenticationTimeout = 10 * time.Second
	operationTimeout      = time.Minute // a million grants at once take half of it
	maxFile               = 64 << 20
	fileTimeout           = 5 * time.Minute
)

// DefaultMaxCost is the largest cost of one operation when nothing is set: a page of 100 users with 20 grants each and
// the keys of these is half of it.
const DefaultMaxCost = 100_000

// Config says what the server works with.
type Config struct {
	DB        *db.DB
	PublicURL string // address under which people reach the server, without a slash at the end
	Version   string
	MaxCost   int        // largest cost of one operation; DefaultMaxCost when zero
	Limits    Limits     // DefaultLimits when zero
	Rates     RateLimits // none when zero
	// Patience is how long an operation waits for its turn before it is refused; DefaultPatience when zero.
	Patience time.Duration
	// Introspection is IntrospectionAuthenticated when empty.
	Introspection Introspection
	// Trusted are documents by their hashes, which run by naming these; with TrustedOnly nothing else runs for people.
	Trusted     map[string]string
	TrustedOnly bool
	Log         *slog.Logger
	// MaxSockets and MaxSocketsPerAddress bound the sockets of the process and those of one address, or one /64 of IPv6;
	// DefaultMaxSockets and DefaultMaxSocketsPerAddress when zero.
	MaxSockets, MaxSocketsPerAddress int
	Metrics                          *Metrics             // made when nil
	Tracing                          trace.TracerProvider // nil: nothing is traced
	// SlowOperation is how long an operation may run without being logged; DefaultSlowOperation when zero.
	SlowOperation time.Duration
	// BodyTime is how long a caller may take to send a body; DefaultBodyTime when zero.
	BodyTime time.Duration
	Origins  []string // origins of pages of other sites that may call, as ParseOrigin gives them
	Proxies  Proxies  // whose word about callers is believed
	// Playground is the page for people who explore, at /playground; nil for none.
	Playground http.Handler
}

// Server answers HTTP requests.
type Server struct {
	Config
	resolver  *resolvers.Resolver
	routes    http.Handler
	gate      *gate
	downloads chan struct{} // holds one for each that runs
	sockets   *sockets
	unread    atomic.Int64 // lines of uploads that were no records
	retired   atomic.Bool
	draining  context.Context
	// Drain ends subscriptions, uploads after the batch that is being added, and sockets after what they were asked, because the
	// server is going to stop.
	Drain context.CancelFunc
}

// New makes a server. A trusted document that is not valid is an error.
func New(c Config) (*Server, error) {
	c.MaxCost = cmp.Or(c.MaxCost, DefaultMaxCost)
	c.Limits = cmp.Or(c.Limits, DefaultLimits)
	c.Patience = cmp.Or(c.Patience, DefaultPatience)
	c.Introspection = cmp.Or(c.Introspection, IntrospectionAuthenticated)
	c.SlowOperation = cmp.Or(c.SlowOperation, DefaultSlowOperation)
	c.BodyTime = cmp.Or(c.BodyTime, DefaultBodyTime)
	if c.Metrics == nil {
		c.Metrics = NewMetrics(c.Version)
	}
	s := &Server{Config: c, downloads: make(chan struct{}, downloadsAtOnce)}
	s.draining, s.Drain = context.WithCancel(context.Background())
	s.resolver = resolvers.New(resolvers.Options{DB: c.DB, Version: c.Version, MaxCost: c.MaxCost, MaxPageSize: c.Limits.Page, Log: c.Log, Draining: s.draining})
	s.sockets = newSockets(s)
	o, err := s.operations()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/usage/records", s.ingestUsage)
	mux.Handle("/graphql", s.socketsOr(o, s.authenticated(0, transport{o})))
	mux.Handle("GET /grants.csv", s.authenticated(fileTimeout, http.HandlerFunc(s.exportGrants)))
	mux.Handle("POST /grants.csv", s.authenticated(fileTimeout, http.HandlerFunc(s.importGrants)))
	mux.HandleFunc("GET /healthz", s.healthy)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /usage/download", s.download)
	mux.HandleFunc("GET /invitation", s.invitation)
	mux.HandleFunc("GET /password", s.password)
	mux.HandleFunc("GET /{$}", s.welcome)
	if c.Playground != nil {
		mux.Handle("/playground", c.Playground)
		mux.Handle("/playground/", c.Playground)
	}
	s.watch()
	s.routes = s.traced(s.observed(s.shared(mux)))
	return s, nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.routes.ServeHTTP(w, r) }

// Hits is how many hidden objects @visible has caught.
func (s *Server) Hits() int64 { return s.resolver.Hits() }

func (s *Server) operations() (*operations, error) {
	config := s.resolver.Config()
	config.Schema = withoutDefer(generated.NewExecutableSchema(config).Schema())
	e := executor.New(generated.NewExecutableSchema(config))
	e.SetErrorPresenter(s.resolver.Present)
	e.SetRecoverFunc(s.resolver.Recover)
	e.SetQueryCache(carried{})
	e.Use(reported{})
	e.Use(s.resolver.Subscriptions())
	e.Use(eyes{s})
	if s.Tracing != nil {
		e.Use(fieldSpans{s})
	}
	o := &operations{Executor: e, documents: newDocuments(config.Schema, s.Limits), limits: s.Limits, maxCost: s.MaxCost,
		introspection: s.Introspection, trustedOnly: s.TrustedOnly, buckets: newBuckets(s.Rates), gate: newGate(max(1, s.DB.MaxConns()*3/4), s.Patience), metrics: s.Metrics}
	s.gate = o.gate
	return o, o.documents.trust(s.Trusted)
}

// withoutDefer gives the schema without @defer, which one answer to one POST cannot serve: what is deferred would be lost.
func withoutDefer(schema *ast.Schema) *ast.Schema {
	s := *schema
	s.Directives = maps.Clone(s.Directives)
	delete(s.Directives, "defer")
	return &s
}
