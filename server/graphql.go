package server

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"grantwood/graph"
)

// allowed are the methods of /graphql.
const allowed = "GET, HEAD, POST, OPTIONS"

// transport takes operations over HTTP: by POST as JSON, and queries by GET. Answers are one piece of JSON or a stream of events. Bodies
// of other types are refused, which keeps forms of other sites out. See GraphQL over HTTP.
type transport struct{ *operations }

// ServeHTTP runs the operation of a request. The checks are in the order of what they need: method, address, Accept, the head of the
// body, the body, its parameters, the operation.
func (t transport) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer t.recovered(w, r)
	if r.Method == http.MethodOptions {
		w.Header().Set("Allow", allowed)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	start := graphql.Now()
	wanted := accepts(r.Header)
	p, refused := t.parameters(w, r, wanted)
	if refused != nil {
		if refused.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", allowed)
		}
		refuse(w, refused.status, refused.code, refused.sentence)
		return
	}
	p.Headers, p.ReadTime = r.Header, graphql.TraceTiming{Start: start, End: graphql.Now()}
	t.run(w, r, wanted, p)
}

// recovered answers with INTERNAL where the server has a fault. One in a field is found nearer to it, and blanks that field.
func (t transport) recovered(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	_ = t.PresentRecoveredError(r.Context(), cause) // logs it
	refuse(w, http.StatusInternalServerError, graph.Internal, "Something went wrong; see the server's log for the request of the header X-Request-Id.")
}

func (t transport) parameters(w http.ResponseWriter, r *http.Request, wanted acceptance) (*graphql.RawParams, *httpRefusal) {
	switch {
	case r.Method != http.MethodPost && r.Method != http.MethodGet && r.Method != http.MethodHead:
		return nil, &httpRefusal{http.StatusMethodNotAllowed, graph.BadUserInput, "Operations are sent by POST, queries also by GET."}
	case len(r.RequestURI) > t.limits.URL:
		return nil, &httpRefusal{http.StatusRequestURITooLong, graph.BadUserInput, "The address is too long; send the operation by POST."}
	case wanted.media() == "" && wanted.stream == 0:
		return nil, &httpRefusal{http.StatusNotAcceptable, graph.BadUserInput,
			"Answers have the type application/json, application/graphql-response+json or text/event-stream."}
	case r.Method != http.MethodPost:
		return parametersOfURL(r.URL)
	}
	if refused := headOfBody(r.Header); refused != nil {
		return nil, refused
	}
	body, refused := t.body(w, r)
	if refused != nil {
		return nil, refused
	}
	return parametersOf(body)
}

func headOfBody(h http.Header) *httpRefusal {
	unsupported := func(sentence string) *httpRefusal {
		return &httpRefusal{http.StatusUnsupportedMediaType, graph.BadUserInput, sentence}
	}
	media, parameters, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || media != jsonType || len(h.Values("Content-Type")) > 1 {
		return unsupported("The body has the type application/json.")
	}
	if charset, there := parameters["charset"]; there && !strings.EqualFold(charset, "utf-8") {
		return unsupported("The body is in UTF-8.")
	}
	if encoding := h.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return unsupported("The body is sent as it is, not compressed.")
	}
	return nil
}

func (t transport) body(w http.ResponseWriter, r *http.Request) ([]byte, *httpRefusal) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(t.limits.Body)))
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, new(*http.MaxBytesError)):
		return nil, &httpRefusal{http.StatusRequestEntityTooLarge, graph.BadUserInput, "The body is too large."}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &httpRefusal{http.StatusRequestTimeout, graph.BadUserInput, "The body took too long."}
	}
	return nil, badRequest("The body could not be read.")
}

// run runs an operation and answers it.
func (t transport) run(w http.ResponseWriter, r *http.Request, wanted acceptance, p *graphql.RawParams) {
	ctx := r.Context()
	operation, errs := t.CreateOperationContext(ctx, p)
	if errs != nil {
		response := t.DispatchError(graphql.WithOperationContext(ctx, operation), errs)
		if wanted.media() == "" {
			streamOf(w).once(response)
			return
		}
		answer(w, wanted, response)
		return
	}
	kind := operation.Operation.Operation
	switch {
	case kind == ast.Mutation && r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, graph.BadUserInput, "Mutations are sent by POST.")
		return
	case kind == ast.Subscription && wanted.stream == 0:
		refuse(w, http.StatusNotAcceptable, graph.BadUserInput, "Subscriptions are answered as text/event-stream, or over a WebSocket.")
		return
	}
	responses, ctx := t.DispatchOperation(ctx, operation)
	if kind == ast.Subscription || wanted.streams() {
		streamOf(w).all(ctx, responses)
		return
	}
	answer(w, wanted, responses(ctx))
}
