package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"grantwood/graph"
	"grantwood/resolvers"
)

// DefaultSlowOperation is how long an operation may run without being logged when nothing is set.
const DefaultSlowOperation = time.Second

// Names under which others leave what they know of an operation in its Stats: its cost as an int, and how long it waited at the gate
// as a time.Duration.
const (
	costStat = "cost"
	waitStat = "wait"
)

// Outcomes of operations.
const (
	outcomeOK      = "ok"
	outcomeError   = "error"   // it ran, and an error is in the answer
	outcomeRefused = "refused" // it did not run
)

// unknownCode stands for errors without a code.
const unknownCode = "UNKNOWN"

// eyes watches operations: it counts and times them, traces them when tracing is on, and logs slow ones.
type eyes struct{ *Server }

var _ interface {
	graphql.HandlerExtension
	graphql.OperationInterceptor
	graphql.ResponseInterceptor
} = eyes{}

// ExtensionName names the extension.
func (eyes) ExtensionName() string { return "Eyes" }

// Validate accepts every schema.
func (eyes) Validate(graphql.ExecutableSchema) error { return nil }

type runKey struct{}

// run is an operation that runs.
type run struct {
	operation *graphql.OperationContext
	start     time.Time
}

// InterceptOperation watches an operation from its start to its answer; a subscription to its end.
func (e eyes) InterceptOperation(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	r := &run{graphql.GetOperationContext(ctx), time.Now()}
	ctx = context.WithValue(ctx, runKey{}, r)
	ctx, span := e.startOperation(ctx, r.operation)
	context.AfterFunc(ctx, span.end) // however it ends
	answers := next(ctx)
	if r.operation.Operation.Operation == ast.Subscription {
		e.Metrics.operation(ctx, r, nil)
		return func(ctx context.Context) *graphql.Response {
			answer := answers(span.within(ctx))
			if answer == nil {
				span.end()
				return nil
			}
			e.Metrics.events.Inc()
			e.Metrics.errors(answer.Errors)
			return answer
		}
	}
	return func(ctx context.Context) *graphql.Response {
		answer := answers(span.within(ctx))
		if answer == nil {
			return nil
		}
		e.Metrics.operation(ctx, r, answer.Errors)
		e.Metrics.errors(answer.Errors)
		e.logSlow(ctx, r)
		span.fail(answer.Errors)
		span.end()
		return answer
	}
}

// InterceptResponse counts the answers to operations that were refused; those that run are counted by InterceptOperation.
func (e eyes) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	answer := next(ctx)
	if _, ran := ctx.Value(runKey{}).(*run); ran || answer == nil {
		return answer
	}
	var operation *graphql.OperationContext
	if graphql.HasOperationContext(ctx) {
		operation = graphql.GetOperationContext(ctx)
	}
	e.Metrics.refused(operation, answer.Errors)
	return answer
}

// refused counts an operation that did not run. Of what could not be read there is no name.
func (m *Metrics) refused(operation *graphql.OperationContext, errors gqlerror.List) {
	name, kind := otherLabel, otherLabel
	if operation != nil && operation.Operation != nil {
		name, kind = m.names.label(operation.Operation.Name), string(operation.Operation.Operation)
	}
	m.operations.WithLabelValues(name, kind, outcomeRefused, gravest(errors)).Inc()
}

// operation counts an operation that ran.
func (m *Metrics) operation(ctx context.Context, r *run, errors gqlerror.List) {
	o := r.operation.Operation
	kind, outcome := string(o.Operation), outcomeOK
	if len(errors) > 0 {
		outcome = outcomeError
	} else {
		m.names.learn(o.Name, resolvers.IsNobody(ctx))
	}
	name := m.names.label(o.Name)
	m.operations.WithLabelValues(name, kind, outcome, gravest(errors)).Inc()
	if o.Operation != ast.Subscription { // which lasts as long as its reader likes
		m.operationSeconds.WithLabelValues(name, kind).Observe(time.Since(r.start).Seconds())
	}
	if cost, known := r.operation.Stats.GetExtension(costStat).(int); known {
		m.operationCost.Observe(float64(cost))
	}
	if wait, known := r.operation.Stats.GetExtension(waitStat).(time.Duration); known {
		m.operationWait.Observe(wait.Seconds())
	}
}

func (m *Metrics) errors(list gqlerror.List) {
	for _, err := range list {
		m.operationErrors.WithLabelValues(codeOf(err)).Inc()
	}
}

func codeOf(err *gqlerror.Error) string {
	if code, _ := err.Extensions["code"].(string); code != "" {
		return code
	}
	return unknownCode
}

// gravest gives the code of the error that somebody should look at first; nothing when there is none.
func gravest(list gqlerror.List) string {
	worst := ""
	for _, err := range list {
		switch code := codeOf(err); {
		case code == string(graph.Internal):
			return code
		case worst == "", code == string(graph.Unavailable):
			worst = code
		}
	}
	return worst
}

// logSlow writes a line about an operation that took long: what is needed to find it, nothing that is in it.
func (e eyes) logSlow(ctx context.Context, r *run) {
	took := time.Since(r.start)
	if took < e.SlowOperation {
		return
	}
	e.Metrics.slowOperations.Inc()
	o := r.operation.Operation
	args := []any{"operation", o.Name[:min(len(o.Name), longestName)], "type", string(o.Operation), "sha256", documentHash(r.operation),
		"ms", milliseconds(took), "request", resolvers.ViewerOf(ctx).Request.ID}
	if cost, known := r.operation.Stats.GetExtension(costStat).(int); known {
		args = append(args, "cost", cost)
	}
	if wait, known := r.operation.Stats.GetExtension(waitStat).(time.Duration); known {
		args = append(args, "waited_ms", milliseconds(wait))
	}
	e.Log.WarnContext(ctx, "slow operation", args...)
}

// documentHash is the SHA-256 of the text of the operation, as persisted queries name it.
func documentHash(o *graphql.OperationContext) string {
	sum := sha256.Sum256([]byte(o.RawQuery))
	return hex.EncodeToString(sum[:])
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
