package server

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"grantwood/graph"
)

// Media types of files.
const (
	ndjsonType = "application/x-ndjson"
	csvType    = "text/csv"
)

// patience is how long the server waits for more of an upload, or for somebody to read the answer.
const patience = 60 * time.Second

// batchTimeout is how long adding a batch may take, waiting for others who add to the same accounts included.
const batchTimeout = 2 * time.Minute

// upload is usage that is being sent in: lines are read, gathered to batches, and each batch is acknowledged when it is committed.
type upload struct {
	*Server
	r        *http.Request
	conn     *http.ResponseController
	lines    lineReader
	strict   bool
	answer   *json.Encoder
	batch    usageLines
	progress progress
}

// progress is a line of the answer: how far the lines that were sent are durable, and what became of them.
type progress struct {
	Acknowledged int `json:"acknowledged"` // number of the last line that is
	Accepted     int `json:"accepted"`
	Duplicates   int `json:"duplicates"`
	Refused      int `json:"refused"`
}

// lastLine is the last line of the answer. Without an error everything that was sent is acknowledged.
type lastLine struct {
	Finished bool `json:"finished"`
	progress
	Error *lineError `json:"error,omitempty"`
}

type lineError struct {
	Code    graph.Code `json:"code"`
	Message string     `json:"message"`
}

// refusedLine is a line of the answer about one that was sent.
type refusedLine struct {
	Line    int        `json:"line"`
	Code    graph.Code `json:"code"`
	Field   string     `json:"field"`
	Message string     `json:"message"`
}

// usageLines is a batch: records with the numbers of their lines, and what was refused before it became a record.
type usageLines struct {
	records []*graph.UsageRecordInput
	numbers []int
	refused []refusedLine
	last    int // number of the last line
}

// ingestUsage takes usage records of any number, in memory that does not grow with them, and answers while it does: see
// "Usage" in the README. The operator is asked for again with every batch, so that a revoked token ends the upload.
func (s *Server) ingestUsage(w http.ResponseWriter, r *http.Request) {
	u := &upload{Server: s, r: r, conn: http.NewResponseController(w), strict: r.URL.Query().Get("strict") == "true"}
	if refused := u.admit(w); refused != nil {
		refuse(w, refused.status, refused.code, refused.sentence)
		return
	}
	if err := u.conn.EnableFullDuplex(); err != nil {
		s.Log.WarnContext(r.Context(), "an upload cannot be answered while it is read", "error", err)
	}
	h := w.Header()
	h.Set("Connection", "close") // what is not read of the body would be taken for the next request
	h.Set("Content-Type", ndjsonType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	u.answer = json.NewEncoder(w)
	defer context.AfterFunc(s.draining, func() { _ = u.conn.SetReadDeadline(time.Now()) })()
	err := u.run()
	end := lastLine{Finished: err == nil, progress: u.progress}
	if err != nil {
		end.Error = s.shownError(r, err)
	}
	_ = u.say(end) // the caller may have gone
	if err != nil {
		u.linger()
	}
}

// linger reads on for a while when the answer comes before the end of the body: a caller that is still sending would lose the answer
// if the connection ended at once.
func (u *upload) linger() {
	_ = u.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.CopyN(io.Discard, u.r.Body, 64<<20)
}

// uploadRefusal is why an upload does not begin.
type uploadRefusal struct {
	status   int
	code     graph.Code
	sentence string
}

// admit checks the caller and the form of the request, and makes the reader of lines.
func (u *upload) admit(w http.ResponseWriter) *uploadRefusal {
	if u.r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return &uploadRefusal{http.StatusMethodNotAllowed, graph.BadUserInput, "Usage is sent by POST."}
	}
	if _, err := u.operator(); err != nil {
		return u.accessRefusal(w, err)
	}
	media, params, err := mime.ParseMediaType(u.r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || media != ndjsonType && media != csvType || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return &uploadRefusal{http.StatusUnsupportedMediaType, graph.BadUserInput, "The body has the type " + ndjsonType + " or " + csvType + ", in UTF-8."}
	}
	_ = u.conn.SetReadDeadline(time.Now().Add(patience))
	var body io.Reader = &patientReader{u.r.Body, u.conn}
	switch encoding := u.r.Header.Get("Content-Encoding"); strings.ToLower(encoding) {
	case "", "identity":
	case "gzip":
		if body, err = gzip.NewReader(body); err != nil {
			return &uploadRefusal{http.StatusBadRequest, graph.BadUserInput, "The body is not compressed with gzip."}
		}
	default:
		return &uploadRefusal{http.StatusUnsupportedMediaType, graph.BadUserInput, "The body is compressed with gzip, or not at all."}
	}
	if media == ndjsonType {
		u.lines = newJSONLines(body)
		return nil
	}
	if u.lines, err = newCSVLines(body); err != nil {
		return &uploadRefusal{http.StatusBadRequest, graph.BadUserInput, err.Error()}
	}
	return nil
}

func (u *upload) accessRefusal(w http.ResponseWriter, err error) *uploadRefusal {
	e, ok := errors.AsType[*graph.Error](err)
	switch {
	case ok && e.Code == graph.Unauthenticated:
		w.Header().Set("WWW-Authenticate", "Bearer")
		return &uploadRefusal{http.StatusUnauthorized, e.Code, e.Message}
	case ok && e.Code == graph.Forbidden:
		return &uploadRefusal{http.StatusForbidden, e.Code, e.Message}
	}
	u.Log.ErrorContext(u.r.Context(), "authentication failed", "error", err)
	w.Header().Set("Retry-After", "1")
	return &uploadRefusal{http.StatusServiceUnavailable, graph.Unavailable, "The database cannot be reached; try again."}
}

// operator gives who is calling, as of now; Unauthenticated or Forbidden when that is no operator with INGEST, or no longer.
func (u *upload) operator() (*graph.Viewer, error) {
	request, _ := u.r.Context().Value(requestKey{}).(graph.Request)
	request.At = time.Now().UTC().Truncate(time.Microsecond)
	token, fromCookie := tokenOf(u.r)
	if fromCookie {
		token = ""
	}
	v, err := u.DB.Authenticate(u.r.Context(), token, request)
	if err != nil {
		return nil, err
	}
	scope := graph.ScopeIngest
	return v, v.Meets([]graph.PrincipalKind{graph.KindOperator}, nil, &scope)
}

// errStopped ends a strict upload.
var errStopped = &graph.Error{Code: graph.Invalid, Message: "Stopped: of the batch of the refused lines, and of what follows, nothing was added."}

// run reads to the end, batch by batch.
func (u *upload) run() error {
	for {
		in, number, why, err := u.lines.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		switch {
		case why != nil:
			u.batch.refused = append(u.batch.refused, refusedLine{number, why.Code, why.Field, why.Message})
			u.batch.last = number
		case in != nil:
			u.batch.records = append(u.batch.records, in)
			u.batch.numbers = append(u.batch.numbers, number)
			u.batch.last = number
		}
		full := max(len(u.batch.records), len(u.batch.refused)) >= graph.MaxUsageBatch
		if !full && err == nil {
			continue
		}
		if e := u.flush(); e != nil || err != nil {
			return e
		}
	}
}

// flush adds the records of the batch and tells what became of it.
func (u *upload) flush() error {
	b := u.batch
	u.batch = usageLines{records: b.records[:0], numbers: b.numbers[:0], last: b.last}
	if len(b.records)+len(b.refused) == 0 {
		return nil
	}
	if u.draining.Err() != nil {
		return errDraining
	}
	var done graph.Ingested
	if !u.strict || len(b.refused) == 0 {
		var err error
		if done, err = u.add(b.records); err != nil {
			return err
		}
	}
	refused := b.refused
	for _, why := range done.Refused {
		refused = append(refused, refusedLine{b.numbers[why.Index], why.Code, why.Field, why.Message})
	}
	u.progress.Accepted += done.Accepted
	u.progress.Duplicates += done.Duplicates
	u.progress.Refused += len(refused)
	stopped := u.strict && len(refused) > 0
	if !stopped {
		u.progress.Acknowledged = b.last
	}
	u.unread.Add(int64(len(b.refused)))
	sortLines(refused)
	for _, line := range refused {
		if err := u.answer.Encode(line); err != nil {
			return err
		}
	}
	if stopped {
		return errStopped
	}
	return u.say(u.progress)
}

// add adds records, as the operator that the caller still is.
func (u *upload) add(records []*graph.UsageRecordInput) (graph.Ingested, error) {
	ctx, cancel := context.WithTimeout(u.r.Context(), batchTimeout)
	defer cancel()
	v, err := u.operator()
	if err != nil {
		return graph.Ingested{}, err
	}
	return u.DB.IngestUsage(ctx, v, records, u.strict)
}

// say writes a line of the answer and sends it off.
func (u *upload) say(line any) error {
	_ = u.conn.SetWriteDeadline(time.Now().Add(patience))
	if err := u.answer.Encode(line); err != nil {
		return err
	}
	return u.conn.Flush()
}

// errDraining ends uploads when the server stops.
var errDraining = &graph.Error{Code: graph.Unavailable, Message: "The server stops; send what is not acknowledged again."}

// shownError gives what the caller may know about an error.
func (s *Server) shownError(r *http.Request, err error) *lineError {
	e, ok := errors.AsType[*graph.Error](err)
	switch {
	case s.draining.Err() != nil:
		e = errDraining
	case !ok:
		var broken *brokenBody
		if errors.As(err, &broken) {
			return &lineError{graph.BadUserInput, broken.sentence}
		}
		s.Log.ErrorContext(r.Context(), "an upload failed", "error", err)
		e = &graph.Error{Code: graph.Internal, Message: "Something went wrong; what is acknowledged is kept."}
	}
	return &lineError{e.Code, e.Message}
}

// patientReader gives the caller some time for each part of the body, however long the whole takes.
type patientReader struct {
	io.Reader
	conn *http.ResponseController
}

// Read reads a part of the body.
func (p *patientReader) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, &brokenBody{"The body ended early, or nothing came for a minute.", err}
	}
	if n > 0 && err == nil {
		_ = p.conn.SetReadDeadline(time.Now().Add(patience))
	}
	return n, err
}
