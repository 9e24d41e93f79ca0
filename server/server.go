// Package server is the HTTP side: routes, authentication, limits, health. It turns credentials into a graph.Viewer and
// gives operations to the executor.
package server

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"grantwood/db"
	"grantwood/graph/generated"
	"grantwood/resolvers"
)

// Limits of a request.
const (
	maxBody          = 1 << 20
	maxTokens        = 15_000
	cachedDocuments  = 500
	operationTimeout = time.Minute // a million grants at once take half of it
	maxFile          = 64 << 20
	fileTimeout      = 5 * time.Minute
)

// DefaultMaxCost is the largest cost of one operation when nothing is set: a page of 100 users with 20 grants each and
// the keys of these is half of it.
const DefaultMaxCost = 100_000

// Config says what the server works with.
type Config struct {
	DB        *db.DB
	PublicURL string // address under which people reach the server, without a slash at the end
	Version   string
	MaxCost   int // largest cost of one operation; DefaultMaxCost when zero
	Log       *slog.Logger
	// MaxSockets and MaxSocketsPerAddress bound the sockets of the process and those of one address, or one /64 of IPv6;
	// DefaultMaxSockets and DefaultMaxSocketsPerAddress when zero.
	MaxSockets, MaxSocketsPerAddress int
}

// Server answers HTTP requests.
type Server struct {
	Config
	resolver  *resolvers.Resolver
	routes    http.Handler
	downloads chan struct{} // holds one for each that runs
	sockets   *sockets
	draining  context.Context
	// Drain ends uploads after the batch that is being added, and sockets after what they were asked, because the server is
	// going to stop.
	Drain context.CancelFunc
}

// New makes a server.
func New(c Config) *Server {
	if c.MaxCost == 0 {
		c.MaxCost = DefaultMaxCost
	}
	s := &Server{Config: c, resolver: resolvers.New(resolvers.Options{DB: c.DB, Version: c.Version,
		MaxCost: c.MaxCost, Log: c.Log}), downloads: make(chan struct{}, downloadsAtOnce)}
	s.draining, s.Drain = context.WithCancel(context.Background())
	s.sockets = newSockets(s)
	mux := http.NewServeMux()
	mux.HandleFunc("/usage/records", s.ingestUsage)
	executor := s.executor()
	mux.Handle("/graphql", s.graphql(executor, s.authenticated(operationTimeout, executor)))
	mux.Handle("GET /grants.csv", s.authenticated(fileTimeout, http.HandlerFunc(s.exportGrants)))
	mux.Handle("POST /grants.csv", s.authenticated(fileTimeout, http.HandlerFunc(s.importGrants)))
	mux.HandleFunc("GET /healthz", s.healthy)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /usage/download", s.download)
	mux.HandleFunc("GET /invitation", s.invitation)
	mux.HandleFunc("GET /password", s.password)
	mux.HandleFunc("GET /{$}", s.welcome)
	s.routes = s.observed(mux)
	return s
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.routes.ServeHTTP(w, r) }

// Hits is how many hidden objects @visible has caught.
func (s *Server) Hits() int64 { return s.resolver.Hits() }

func (s *Server) executor() http.Handler {
	config := s.resolver.Config()
	config.Schema = withoutDefer(generated.NewExecutableSchema(config).Schema())
	h := handler.New(generated.NewExecutableSchema(config))
	h.AddTransport(s.sockets)
	h.AddTransport(post{})
	h.SetErrorPresenter(s.resolver.Present)
	h.SetRecoverFunc(s.resolver.Recover)
	h.SetParserTokenLimit(maxTokens)
	h.SetDisableSuggestion(true)
	h.SetValidationRulesFn(withoutSuggestions)
	h.SetQueryCache(lru.New[*ast.QueryDocument](cachedDocuments))
	h.Use(limits{maxCost: s.MaxCost, schema: config.Schema})
	return h
}

// withoutSuggestions gives the rules of validation without "did you mean" where SetDisableSuggestion leaves it: it tells the
// schema to callers who may not see it.
func withoutSuggestions() *rules.Rules {
	r := rules.NewDefaultRules()
	r.ReplaceRule(rules.KnownArgumentNamesRule.Name, rules.KnownArgumentNamesRuleWithoutSuggestions.RuleFunc)
	r.ReplaceRule(rules.KnownTypeNamesRule.Name, rules.KnownTypeNamesRuleWithoutSuggestions.RuleFunc)
	r.ReplaceRule(rules.ValuesOfCorrectTypeRule.Name, rules.ValuesOfCorrectTypeRuleWithoutSuggestions.RuleFunc)
	return r
}

// withoutDefer gives the schema without @defer, which one answer to one POST cannot serve: what is deferred would be lost.
func withoutDefer(schema *ast.Schema) *ast.Schema {
	s := *schema
	s.Directives = maps.Clone(s.Directives)
	delete(s.Directives, "defer")
	return &s
}
