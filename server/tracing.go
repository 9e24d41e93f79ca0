package server

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"

	"grantwood/graph"
)

// tracerName is the instrumentation scope of the spans made here.
const tracerName = "grantwood/server"

// mostFieldSpans bounds the spans of resolvers in one operation: a list of a hundred users makes one for each field of each that is
// resolved, and no exporter should have to carry what a caller can make a hundred thousand of.
const mostFieldSpans = 200

// traced makes a span of every request, below the one that the caller names by traceparent (W3C Trace Context). Health checks have
// none. Spans hold the path and never the query string, in which tokens of downloads are.
func (s *Server) traced(next http.Handler) http.Handler {
	if s.Tracing == nil {
		return next
	}
	return otelhttp.NewHandler(next, "request", otelhttp.WithTracerProvider(s.Tracing), otelhttp.WithMeterProvider(noop.NewMeterProvider()),
		otelhttp.WithPropagators(propagation.TraceContext{}), otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return methodOf(r) }),
		otelhttp.WithFilter(func(r *http.Request) bool { return r.URL.Path != "/healthz" && r.URL.Path != "/readyz" }))
}

// nameRequest gives the span of a request its route, and the address that the server believes instead of what a header says.
func nameRequest(r *http.Request, address string) {
	span := trace.SpanFromContext(r.Context())
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(semconv.ClientAddress(address))
	if r.Pattern != "" {
		span.SetName(methodOf(r) + " " + routeOf(r))
		span.SetAttributes(semconv.HTTPRoute(routeOf(r)))
	}
}

// methodOf gives the method of a request; that of one that no route has is the caller's text.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodOptions:
		return r.Method
	}
	return "HTTP"
}

// operationSpan is the span of an operation. Without tracing all that it does is nothing.
type operationSpan struct {
	span   trace.Span
	fields atomic.Int64 // spans of resolvers
}

type operationSpanKey struct{}

// startOperation begins the span of an operation. Its document stays out: a literal in it may be a password.
func (s *Server) startOperation(ctx context.Context, o *graphql.OperationContext) (context.Context, *operationSpan) {
	if s.Tracing == nil {
		return ctx, nil
	}
	attributes := []attribute.KeyValue{semconv.GraphQLOperationTypeKey.String(string(o.Operation.Operation)),
		attribute.String("grantwood.document.sha256", documentHash(o))}
	if o.Operation.Name != "" {
		attributes = append(attributes, semconv.GraphQLOperationName(o.Operation.Name[:min(len(o.Operation.Name), longestName)]))
	}
	if cost, known := o.Stats.GetExtension(costStat).(int); known {
		attributes = append(attributes, attribute.Int("grantwood.operation.cost", cost))
	}
	out := &operationSpan{}
	ctx, out.span = s.Tracing.Tracer(tracerName).Start(ctx, string(o.Operation.Operation), trace.WithAttributes(attributes...))
	return context.WithValue(ctx, operationSpanKey{}, out), out
}

// within gives a context in which what follows lies below the span.
func (o *operationSpan) within(ctx context.Context) context.Context {
	if o == nil {
		return ctx
	}
	return context.WithValue(trace.ContextWithSpan(ctx, o.span), operationSpanKey{}, o)
}

// fail notes the gravest error, by its code: sentences may hold what the caller sent.
func (o *operationSpan) fail(errors gqlerror.List) {
	if o == nil || len(errors) == 0 {
		return
	}
	markError(o.span, gravest(errors))
}

func (o *operationSpan) end() {
	if o != nil {
		o.span.End() // again is nothing
	}
}

func markError(span trace.Span, code string) {
	span.SetStatus(codes.Error, code)
	span.SetAttributes(semconv.ErrorTypeKey.String(code))
}

// fieldSpans makes spans of fields that a resolver answers, those of the roots included; not of fields that are read from a struct.
type fieldSpans struct{ *Server }

var _ interface {
	graphql.HandlerExtension
	graphql.FieldInterceptor
} = fieldSpans{}

// ExtensionName names the extension.
func (fieldSpans) ExtensionName() string { return "FieldSpans" }

// Validate accepts every schema.
func (fieldSpans) Validate(graphql.ExecutableSchema) error { return nil }

// InterceptField makes the span of a field.
func (f fieldSpans) InterceptField(ctx context.Context, next graphql.Resolver) (any, error) {
	field := graphql.GetFieldContext(ctx)
	operation, _ := ctx.Value(operationSpanKey{}).(*operationSpan)
	if operation == nil || !field.IsResolver || operation.fields.Add(1) > mostFieldSpans {
		return next(ctx)
	}
	ctx, span := f.Tracing.Tracer(tracerName).Start(ctx, field.Object+"."+field.Field.Name, trace.WithAttributes(
		attribute.String("graphql.field.name", field.Field.Name), attribute.String("graphql.field.parent_type", field.Object)))
	defer span.End()
	result, err := next(ctx)
	if err != nil {
		markError(span, string(graph.ErrorCode(err)))
	}
	return result, err
}
