// Package resolvers is GraphQL in, one call to the database out. It holds no rule and no SQL: the rules are in graph, the
// statements in db. directives.go runs what the schema declares, lookahead.go loads nested pages for all parents at once.
package resolvers

import (
	"context"
	"log/slog"
	"sync/atomic"

	"grantwood/db"
	"grantwood/graph/generated"
)

// Options says what the resolvers work with.
type Options struct {
	DB      *db.DB
	Version string
	MaxCost int // largest cost of one operation
	// MaxPageSize is the largest page of usage records.
	MaxPageSize int
	Log         *slog.Logger
	// Draining ends subscriptions when it is done, because the server is going to stop; nil when it never does.
	Draining context.Context
}

// Resolver is the root of all resolvers.
type Resolver struct {
	Options
	hits atomic.Int64
}

// New makes the root of all resolvers.
func New(o Options) *Resolver {
	if o.Draining == nil {
		o.Draining = context.Background()
	}
	return &Resolver{Options: o}
}

// Config gives what the executor needs: resolvers and directives.
func (r *Resolver) Config() generated.Config {
	return generated.Config{Resolvers: r, Directives: generated.DirectiveRoot{
		Public:     r.public,
		Requires:   r.requires,
		Visible:    r.visible,
		Constraint: r.constraint,
	}}
}

// Hits is how many hidden objects @visible has caught: each is a filter that the SQL forgot.
func (r *Resolver) Hits() int64 { return r.hits.Load() }

// Query answers the fields of the type Query.
func (r *Resolver) Query() generated.QueryResolver { return query{r} }

// Mutation answers the fields of the type Mutation.
func (r *Resolver) Mutation() generated.MutationResolver { return mutation{r} }

// Subscription answers the fields of the type Subscription.
func (r *Resolver) Subscription() generated.SubscriptionResolver { return subscription{r} }

// Account answers those fields of the type Account that are read when asked for.
func (r *Resolver) Account() generated.AccountResolver { return account{r} }

// User answers those fields of the type User that are read when asked for.
func (r *Resolver) User() generated.UserResolver { return user{r} }

// ApiKey answers those fields of the type ApiKey that are read when asked for.
func (r *Resolver) ApiKey() generated.ApiKeyResolver { return apiKey{r} }

// Unit answers those fields of the type Unit that are read when asked for.
func (r *Resolver) Unit() generated.UnitResolver { return unit{r} }

// Grant answers those fields of the type Grant that are read when asked for.
func (r *Resolver) Grant() generated.GrantResolver { return grant{r} }

// UsageRecord answers those fields of the type UsageRecord that are read when asked for.
func (r *Resolver) UsageRecord() generated.UsageRecordResolver { return usageRecord{r} }

// AuditEvent answers those fields of the type AuditEvent that are read when asked for.
func (r *Resolver) AuditEvent() generated.AuditEventResolver { return auditEvent{r} }

// Viewer answers those fields of the type Viewer that are read when asked for.
func (r *Resolver) Viewer() generated.ViewerResolver { return viewerFields{r} }

type (
	query        struct{ *Resolver }
	mutation     struct{ *Resolver }
	subscription struct{ *Resolver }
	account      struct{ *Resolver }
	user         struct{ *Resolver }
	apiKey       struct{ *Resolver }
	unit         struct{ *Resolver }
	grant        struct{ *Resolver }
	usageRecord  struct{ *Resolver }
	auditEvent   struct{ *Resolver }
	viewerFields struct{ *Resolver }
)
