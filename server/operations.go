package server

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"grantwood/graph"
	"grantwood/resolvers"
)

// operations run what callers ask, whichever transport it came by: documents are read, limited and validated, variables
// checked, cost charged, then the executor runs them as soon as the gate lets them.
type operations struct {
	*executor.Executor
	documents     *documents
	limits        Limits
	maxCost       int
	introspection Introspection
	trustedOnly   bool
	buckets       *buckets
	gate          *gate
	metrics       *Metrics
}

var _ graphql.GraphExecutor = (*operations)(nil)

// carried is the document of an operation on its way into the executor, which would read it again.
type carried struct{}

type documentKey struct{}

// Get gives the document that ctx carries.
func (carried) Get(ctx context.Context, _ string) (*ast.QueryDocument, bool) {
	doc, ok := ctx.Value(documentKey{}).(*ast.QueryDocument)
	return doc, ok
}

// Add remembers nothing: documents do.
func (carried) Add(context.Context, string, *ast.QueryDocument) {}

// CreateOperationContext makes the operation of a request, or says why it cannot run. Such errors have a code and no path.
func (o *operations) CreateOperationContext(ctx context.Context, p *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	operation, errs := o.begin(graphql.StartOperationTrace(ctx), p)
	if errs != nil {
		o.buckets.punish(resolvers.ViewerOf(ctx))
		return cmp.Or(operation, &graphql.OperationContext{OperationName: p.OperationName}), errs
	}
	return operation, nil
}

func (o *operations) begin(ctx context.Context, p *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	left := o.limits.Values
	if countValues(p.Variables, &left); left < 0 {
		return nil, gqlerror.List{requestError(graph.TooComplex, "The variables are too large: at most %d values.", o.limits.Values)}
	}
	text, err := o.documents.text(p)
	if err == nil {
		err = o.trusts(ctx, text)
	}
	if err != nil {
		return nil, gqlerror.List{err}
	}
	seesSchema := o.introspection.allows(ctx)
	doc, errs := o.documents.read(text, seesSchema)
	if errs != nil {
		return nil, errs
	}
	o.documents.remember(p, text)
	chosen := doc.Operations.ForName(p.OperationName)
	if chosen == nil {
		return nil, gqlerror.List{requestError(graph.ValidationFailed, "operationName names one of the document's operations; it may be left out when there is one.")}
	}
	if p.Variables, err = coerced(o.documents.schema, chosen, p.Variables); err != nil {
		return nil, gqlerror.List{err}
	}
	p.Query = text
	operation, errs := o.Executor.CreateOperationContext(context.WithValue(ctx, documentKey{}, doc), p)
	if errs != nil {
		for _, e := range errs {
			coded(e, graph.ValidationFailed)
		}
		return operation, errs
	}
	return operation, o.charge(ctx, operation, seesSchema)
}

// charge takes the cost of an operation off the caller's bucket.
func (o *operations) charge(ctx context.Context, operation *graphql.OperationContext, seesSchema bool) gqlerror.List {
	if introspects(operation.Operation.SelectionSet) {
		if !seesSchema {
			return gqlerror.List{o.introspection.refusal()}
		}
		operation.DisableIntrospection = false
		operation.ResolverMiddleware = nullLists(operation.ResolverMiddleware)
	}
	cost := costOf(operation.Operation, operation.Variables, o.maxCost, o.limits.Page)
	operation.Stats.SetExtension(costStat, cost)
	if cost > o.maxCost {
		return gqlerror.List{requestError(graph.TooComplex, "The operation costs more than %d points; ask for smaller pages or fewer fields.", o.maxCost)}
	}
	limit, wait := o.buckets.take(resolvers.ViewerOf(ctx), cost)
	if wait > 0 {
		resolvers.RetryAfter(ctx, wait)
		err := requestError(graph.RateLimited, "Too much was asked in a short time; try again later.")
		err.Extensions["retryAfter"] = seconds(wait)
		return gqlerror.List{err}
	}
	resolvers.SetRateLimit(operation, limit)
	return nil
}

// DispatchOperation runs an operation. A query or mutation waits for its turn at the gate, and has a time; a subscription has
// neither, since its events are gathered for all.
func (o *operations) DispatchOperation(ctx context.Context, operation *graphql.OperationContext) (graphql.ResponseHandler, context.Context) {
	responses, ctx := o.Executor.DispatchOperation(ctx, operation)
	if operation.Operation.Operation == ast.Subscription {
		return o.tidied(responses), ctx
	}
	return o.tidied(func(ctx context.Context) *graphql.Response {
		start := time.Now()
		leave, wait := o.gate.enter(ctx)
		if wait > 0 {
			resolvers.RetryAfter(ctx, wait)
			errs := gqlerror.List{requestError(graph.Unavailable, "The server has too much to do; try again.")}
			o.metrics.refused(operation, errs)
			return &graphql.Response{Errors: errs}
		}
		operation.Stats.SetExtension(waitStat, time.Since(start))
		defer leave()
		ctx, cancel := context.WithTimeout(ctx, operationTimeout)
		defer cancel()
		return responses(ctx)
	}), ctx
}

// tidied puts the errors of answers in the order of their paths, since fields run at the same time, and cuts them off.
func (o *operations) tidied(responses graphql.ResponseHandler) graphql.ResponseHandler {
	return func(ctx context.Context) *graphql.Response {
		r := responses(ctx)
		if r != nil && len(r.Errors) > 1 {
			slices.SortStableFunc(r.Errors, func(a, b *gqlerror.Error) int { return cmp.Compare(a.Path.String(), b.Path.String()) })
			r.Errors = r.Errors[:min(len(r.Errors), o.limits.Errors)]
		}
		return r
	}
}

// reported writes what an operation cost into the extensions of its answer.
type reported struct{}

var _ interface {
	graphql.HandlerExtension
	graphql.ResponseInterceptor
} = reported{}

// ExtensionName names the extension.
func (reported) ExtensionName() string { return "Cost" }

// Validate accepts every schema.
func (reported) Validate(graphql.ExecutableSchema) error { return nil }

// InterceptResponse adds extensions.cost, which is the same as Query.rateLimit.
func (reported) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	operation := graphql.GetOperationContext(ctx)
	limit := resolvers.RateLimitOf(operation)
	if limit != nil && operation.Operation.Operation != ast.Subscription {
		graphql.RegisterExtension(ctx, "cost", limit)
	}
	return next(ctx)
}

// seconds rounds up, for Retry-After.
func seconds(wait time.Duration) int { return int((wait + time.Second - 1) / time.Second) }
