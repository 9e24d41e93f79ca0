package resolvers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"grantwood/graph"
)

// rateLimit is the name under which an operation carries what it took from the caller's bucket.
const rateLimit = "rateLimit"

// SetRateLimit notes what an operation has taken from its caller's bucket.
func SetRateLimit(o *graphql.OperationContext, l *graph.RateLimit) {
	o.Stats.SetExtension(rateLimit, l)
}

// RateLimitOf gives what an operation has taken from its caller's bucket; nil when it has taken nothing.
func RateLimitOf(o *graphql.OperationContext) *graph.RateLimit {
	l, _ := o.Stats.GetExtension(rateLimit).(*graph.RateLimit)
	return l
}

func (query) RateLimit(ctx context.Context) (*graph.RateLimit, error) {
	return RateLimitOf(graphql.GetOperationContext(ctx)), nil
}
