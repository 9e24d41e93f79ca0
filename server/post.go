package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"grantwood/graph"
)

// Media types of answers; see the GraphQL over HTTP specification.
const (
	jsonType     = "application/json"
	responseType = "application/graphql-response+json"
)

// post takes operations as JSON by POST and nothing else. Bodies of other types are refused, which keeps forms of other
// sites out; nothing of a body is ever repeated in an answer.
type post struct{}

var _ graphql.Transport = post{}

// Supports lets Do answer every request, so that refusals look alike.
func (post) Supports(*http.Request) bool { return true }

// Do runs the operation of the request.
func (post) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	params, refused := readParams(w, r)
	if refused != nil {
		refuse(w, refused.status, graph.BadUserInput, refused.sentence)
		return
	}
	ctx := r.Context()
	operation, errs := exec.CreateOperationContext(ctx, params)
	if errs != nil {
		status := http.StatusOK
		if accepted(r) == responseType {
			status = http.StatusBadRequest
		}
		failed := exec.DispatchError(graphql.WithOperationContext(ctx, operation), errs)
		answer(w, accepted(r), status, requestErrors{failed.Errors})
		return
	}
	responses, ctx := exec.DispatchOperation(ctx, operation)
	response := responses(ctx)
	slices.SortStableFunc(response.Errors, byPath) // fields run at the same time; the answer is the same every time
	answer(w, accepted(r), http.StatusOK, response)
}

// requestErrors is the answer to what could not be run; it has no data.
type requestErrors struct {
	Errors gqlerror.List `json:"errors"`
}

func byPath(a, b *gqlerror.Error) int { return strings.Compare(a.Path.String(), b.Path.String()) }

// httpRefusal is why a request is no operation.
type httpRefusal struct {
	status   int
	sentence string
}

func readParams(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, *httpRefusal) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &httpRefusal{http.StatusMethodNotAllowed, "Operations are sent by POST."}
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != jsonType {
		return nil, &httpRefusal{http.StatusUnsupportedMediaType, "The body has the type application/json."}
	}
	start := graphql.Now()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &httpRefusal{http.StatusRequestEntityTooLarge, "The body is too large."}
	case err != nil:
		return nil, &httpRefusal{http.StatusBadRequest, "The body could not be read."}
	}
	params := &graphql.RawParams{Headers: r.Header}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	err = decoder.Decode(params)
	if _, after := decoder.Token(); err != nil || !errors.Is(after, io.EOF) {
		return nil, &httpRefusal{http.StatusBadRequest, "The body is one JSON object with query, operationName, variables and extensions."}
	}
	params.ReadTime = graphql.TraceTiming{Start: start, End: time.Now()}
	return params, nil
}

// accepted is the media type of the answer: the newer one for callers who name it.
func accepted(r *http.Request) string {
	if strings.Contains(strings.Join(r.Header.Values("Accept"), ","), responseType) {
		return responseType
	}
	return jsonType
}

func answer(w http.ResponseWriter, media string, status int, response any) {
	body, err := json.Marshal(response)
	if err != nil {
		refuse(w, http.StatusInternalServerError, graph.Internal, "The answer could not be written.")
		return
	}
	h := w.Header()
	h.Set("Content-Type", media+"; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller may have gone
}

// refuse answers what is no operation, in the form of a GraphQL error.
func refuse(w http.ResponseWriter, status int, code graph.Code, sentence string) {
	answer(w, jsonType, status, requestErrors{gqlerror.List{{Message: sentence, Extensions: map[string]any{"code": string(code)}}}})
}
