package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/klauspost/compress/gzip"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"grantwood/graph"
)

// writeTimeout is how long a caller may take to receive an answer, or a part of a stream.
const writeTimeout = 30 * time.Second

// httpRefusal is why a request is no operation. It repeats nothing of the request.
type httpRefusal struct {
	status   int
	code     graph.Code
	sentence string
}

func badRequest(sentence string) *httpRefusal {
	return &httpRefusal{http.StatusBadRequest, graph.BadUserInput, sentence}
}

// refuse answers what is no operation, in the form of a GraphQL error.
func refuse(w http.ResponseWriter, status int, code graph.Code, sentence string) {
	send(w, jsonType, status, false, &graphql.Response{Errors: gqlerror.List{requestError(code, "%s", sentence)}})
}

// statusOf is the status of an answer. What was run has 200, also with errors. What could not be run has 400 for callers who accept the
// newer media type, and 200 for others: the only place for it in older clients is the body. No answer at all, because the server
// has too much to do, is 503 for everybody.
func statusOf(r *graphql.Response, media string) int {
	switch {
	case r.Data != nil:
		return http.StatusOK
	case hasCode(r.Errors, graph.Unavailable):
		return http.StatusServiceUnavailable
	case media != responseType:
		return http.StatusOK
	case hasCode(r.Errors, graph.RateLimited):
		return http.StatusTooManyRequests
	}
	return http.StatusBadRequest
}

func hasCode(list gqlerror.List, code graph.Code) bool {
	return len(list) > 0 && list[0].Extensions["code"] == string(code)
}

// compressedFrom is how large an answer is that is worth compressing. What holds a secret, such as a new token, is smaller: a compressed
// answer tells by its length whether a guess is in it.
const compressedFrom = 16 << 10

var compressors = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // a level that there is
	return z
}}

// answer writes the answer to an operation.
func answer(w http.ResponseWriter, wanted acceptance, r *graphql.Response) {
	media := wanted.media()
	send(w, media, statusOf(r, media), wanted.gzip, r)
}

func send(w http.ResponseWriter, media string, status int, compress bool, r *graphql.Response) {
	b := bodies.Get().(*bytes.Buffer)
	b.Reset()
	defer func() {
		if b.Cap() <= largestBody {
			bodies.Put(b)
		}
	}()
	err := encode(b, r)
	body := b.Bytes()
	if err != nil {
		refuse(w, http.StatusInternalServerError, graph.Internal, "The answer could not be written.")
		return
	}
	h := w.Header()
	h.Set("Content-Type", media+"; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if !strings.Contains(strings.Join(h.Values("Vary"), ","), "Accept") {
		h.Add("Vary", "Accept")
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout)) // not every writer has one
	large := len(body) >= compressedFrom
	if large {
		h.Add("Vary", "Accept-Encoding")
	}
	if !large || !compress {
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, _ = w.Write(body) // the caller may have gone
		return
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z := compressors.Get().(*gzip.Writer)
	defer compressors.Put(z)
	z.Reset(w)
	_, _ = z.Write(body)
	_ = z.Close() // the caller may have gone
}

// bodies are used again: new memory for each answer would cost more than writing it. Larger ones than largestBody are not kept.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const largestBody = 1 << 20

// encoded gives the JSON of an answer.
func encoded(r *graphql.Response) ([]byte, error) {
	var b bytes.Buffer
	err := encode(&b, r)
	return b.Bytes(), err
}

// encode appends the JSON of an answer. The data are written already and are taken as they are.
func encode(b *bytes.Buffer, r *graphql.Response) error {
	b.Grow(len(r.Data) + 256)
	b.WriteByte('{')
	if len(r.Errors) > 0 {
		if err := member(b, "errors", r.Errors); err != nil {
			return err
		}
	}
	if r.Data != nil {
		comma(b)
		b.WriteString(`"data":`)
		b.Write(r.Data)
	}
	if len(r.Extensions) > 0 {
		if err := member(b, "extensions", r.Extensions); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

func member(b *bytes.Buffer, name string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	comma(b)
	b.WriteString(`"` + name + `":`)
	b.Write(text)
	return nil
}

func comma(b *bytes.Buffer) {
	if b.Len() > 1 {
		b.WriteByte(',')
	}
}
