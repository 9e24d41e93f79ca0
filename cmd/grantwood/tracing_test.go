package main

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// receiver takes spans by OTLP, over HTTP and over gRPC.
type receiver struct {
	collector.UnimplementedTraceServiceServer
	mu    sync.Mutex
	spans []*tracev1.Span
	raw   strings.Builder // everything as text
}

// Export takes spans over gRPC.
func (r *receiver) Export(_ context.Context, in *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raw.WriteString(in.String())
	for _, resource := range in.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			r.spans = append(r.spans, scope.Spans...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// ServeHTTP takes spans over HTTP.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	in := &collector.ExportTraceServiceRequest{}
	if err != nil || req.URL.Path != "/v1/traces" || proto.Unmarshal(body, in) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	answer, _ := r.Export(req.Context(), in)
	text, _ := proto.Marshal(answer)
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(text)
}

// listen starts the receiver and gives its address.
func (r *receiver) listen(t *testing.T, protocol string) string {
	t.Helper()
	if protocol != "grpc" {
		h := httptest.NewServer(r)
		t.Cleanup(h.Close)
		return h.URL
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	collector.RegisterTraceServiceServer(s, r)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return "http://" + l.Addr().String()
}

// of gives the spans of a trace.
func (r *receiver) of(trace string) []*tracev1.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*tracev1.Span
	for _, s := range r.spans {
		if hex.EncodeToString(s.TraceId) == trace {
			list = append(list, s)
		}
	}
	return list
}

func (r *receiver) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.raw.String()
}

func attribute(list []*common.KeyValue, key string) string {
	for _, a := range list {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// below gives a span that lies below another one and has an attribute.
func below(t *testing.T, spans []*tracev1.Span, parent []byte, key, value string) *tracev1.Span {
	t.Helper()
	for _, s := range spans {
		if string(s.ParentSpanId) == string(parent) && strings.HasPrefix(attribute(s.Attributes, key), value) {
			return s
		}
	}
	t.Fatalf("no span with %s=%s below %x in %v", key, value, parent, spans)
	return nil
}

const (
	theTrace  = "0af7651916cd43dd8448eb211c80319c"
	theSpan   = "b7ad6b7169203331"
	otherPass = "a secret of twelve"
)

// TestTracing sends traces to a receiver as the standard settings say: spans of the request, the operation, the resolver and the statement
// hang together below the caller's, the log names them, and nothing that a caller sends is in them.
func TestTracing(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			r := &receiver{}
			dir := dataDir(t)
			env := environment("OTEL_EXPORTER_OTLP_ENDPOINT="+r.listen(t, protocol), "OTEL_EXPORTER_OTLP_PROTOCOL="+protocol, "OTEL_BSP_SCHEDULE_DELAY=50",
				"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test")
			p := start(t, env, "serve", "--data-dir", dir)
			owner := newOwner(t, p, environment(), "--data-dir", dir)
			key := at(p.mustAsk(t, owner, `{ account { masterKey { id } } }`, nil), "account", "masterKey", "id")
			post(t, p.url, owner, `{"query":"query Node($k: ID!) { node(id: $k) { id } signed: viewer { kind } }","variables":{"k":"`+key+`"}}`)
			post(t, p.url, "", `{"query":"mutation In { signIn(input: {email: \"owner@test.example\", password: \"`+otherPass+`\"}) { userErrors { code } } }"}`)
			res, err := http.Get(p.url + "/usage/download?token=" + owner)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			var spans []*tracev1.Span
			eventually(t, "the spans have come", func() bool { spans = r.of(theTrace); return len(spans) >= 10 })
			p.stop(t) // which sends the last ones
			spans = r.of(theTrace)
			remote, _ := hex.DecodeString(theSpan)
			request := below(t, spans, remote, "http.route", "/graphql")
			operation := below(t, spans, request.SpanId, "graphql.operation.name", "Node")
			field := below(t, spans, operation.SpanId, "graphql.field.name", "node")
			statement := below(t, spans, field.SpanId, "db.system.name", "postgresql")
			if request.Name != "POST /graphql" || operation.Name != "query" || field.Name != "Query.node" || request.Kind != tracev1.Span_SPAN_KIND_SERVER ||
				statement.Kind != tracev1.Span_SPAN_KIND_CLIENT || !strings.Contains(attribute(statement.Attributes, "db.query.text"), "FROM") ||
				attribute(operation.Attributes, "graphql.operation.type") != "query" || attribute(request.Attributes, "client.address") != "127.0.0.1" {
				t.Errorf("spans %v", []*tracev1.Span{request, operation, field, statement})
			}
			text := r.text()
			for _, secret := range []string{owner, otherPass, "correct horse battery", key, "owner@test.example", "gws_", "gwi_", "gwo_"} {
				if strings.Contains(text, secret) {
					t.Errorf("spans hold %q", secret)
				}
			}
			for _, part := range []string{`"grantwood"`, `"` + version + `"`, `"deployment.environment.name"`, `"mutation"`} {
				if !strings.Contains(text, part) {
					t.Errorf("spans lack %s", part)
				}
			}
			if !strings.Contains(p.out.String(), "trace_id="+theTrace+" span_id=") {
				t.Errorf("the log does not name the trace\n%s", p.out)
			}
		})
	}
}

// post sends an operation as a part of the trace, from an address that nobody vouches for.
func post(t *testing.T, url, token, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/graphql", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("traceparent", "00-"+theTrace+"-"+theSpan+"-01")
	req.Header.Set("X-Forwarded-For", "198.51.100.7")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("status %d", res.StatusCode)
	}
}

// TestWrongTracing: settings of tracing that cannot work end the start with a sentence that names them.
func TestWrongTracing(t *testing.T) {
	t.Parallel()
	out, err := run(t, environment("OTEL_TRACES_EXPORTER=nonsense"), "serve", "--data-dir", dataDir(t))
	if err == nil || !strings.Contains(out, "OTEL_") || !strings.Contains(out, "nonsense") {
		t.Errorf("%v: %s", err, out)
	}
}
