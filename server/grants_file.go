package server

import (
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"grantwood/graph"
	"grantwood/resolvers"
)

// The grants of an account as a file: graph/sheet.go says what is in it.

// exportGrants sends the sheet of the caller's account, or of the one that an operator names; of one unit when it is named.
func (s *Server) exportGrants(w http.ResponseWriter, r *http.Request) {
	v, query := resolvers.ViewerOf(r.Context()), r.URL.Query()
	if err := v.Meets([]graph.PrincipalKind{graph.KindOfUser, graph.KindOperator}, new(graph.ManageGrants), new(graph.ScopeSupport)); err != nil {
		s.refuseFile(w, r, err)
		return
	}
	account, err := s.accountOf(r, v)
	if err != nil {
		s.refuseFile(w, r, err)
		return
	}
	var unit *graph.ID
	if query.Has("unit") {
		unit = new(graph.ParseID(query.Get("unit")))
	}
	keys, users, err := s.DB.GrantSheet(r.Context(), v, account, unit)
	if err != nil {
		s.refuseFile(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", csvType+"; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="grants.csv"`)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	_ = graph.WriteSheet(w, keys, users) // the caller may have gone
}

// accountOf gives the caller's account, or the one that an operator names. NotFound for another one.
func (s *Server) accountOf(r *http.Request, v *graph.Viewer) (graph.UUID, error) {
	query := r.URL.Query()
	if v.Kind != graph.KindOperator && !query.Has("account") {
		return v.AccountID(), nil
	}
	id := graph.ParseID(query.Get("account"))
	if id.Kind != graph.KindAccount {
		return graph.UUID{}, graph.Missing("account")
	}
	a, err := s.DB.Account(r.Context(), v, id.Account)
	if err == nil && a == nil {
		err = graph.Missing("account")
	}
	return id.Account, err
}

// importGrants takes a sheet and says, a JSON object a line, what it changes and what of it is refused. With plan=true nothing is
// done; with plan=false everything, when nothing is refused.
func (s *Server) importGrants(w http.ResponseWriter, r *http.Request) {
	v := resolvers.ViewerOf(r.Context())
	if err := v.Meets([]graph.PrincipalKind{graph.KindOfUser}, new(graph.ManageGrants), nil); err != nil {
		s.refuseFile(w, r, err)
		return
	}
	// Forms of other sites cannot send this type.
	media, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := parameters["charset"]; err != nil || media != csvType || charset != "" && !strings.EqualFold(charset, "utf-8") {
		refuse(w, http.StatusUnsupportedMediaType, graph.BadUserInput, "The body has the type text/csv, in UTF-8.")
		return
	}
	plan := r.URL.Query().Get("plan")
	if plan != "true" && plan != "false" {
		refuse(w, http.StatusBadRequest, graph.BadUserInput, "Say plan=true to see what would change, or plan=false to change it.")
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(fileTimeout)) // not every writer has one
	sheet, err := graph.ReadSheet(http.MaxBytesReader(w, r.Body, maxFile))
	if err != nil {
		refuseBody(w, err)
		return
	}
	report := newReport(w)
	compared, operation, err := s.DB.ImportGrants(r.Context(), v, sheet, plan == "true", report.progress)
	if err != nil {
		s.endReport(report, r, err)
		return
	}
	report.all(compared, operation, plan == "false")
}

func refuseBody(w http.ResponseWriter, err error) {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		refuse(w, http.StatusRequestEntityTooLarge, graph.BadUserInput, "The file is too large.")
		return
	}
	refuse(w, http.StatusBadRequest, graph.BadUserInput, "The body could not be read.")
}

// refuseFile answers with an error that ends a request for a file, or with one that shows nothing of its cause.
func (s *Server) refuseFile(w http.ResponseWriter, r *http.Request, err error) {
	e := s.shown(r, err)
	status, known := map[graph.Code]int{graph.Unauthenticated: http.StatusUnauthorized, graph.Forbidden: http.StatusForbidden,
		graph.AccountSuspended: http.StatusForbidden, graph.NotFound: http.StatusNotFound, graph.Unavailable: http.StatusServiceUnavailable}[e.Code]
	if !known {
		status = http.StatusInternalServerError
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	refuse(w, status, e.Code, e.Message)
}

// shown gives what the caller may see of an error.
func (s *Server) shown(r *http.Request, err error) *graph.Error {
	request := resolvers.ViewerOf(r.Context()).Request.ID
	e, ok := errors.AsType[*graph.Error](err)
	if !ok || e.Code == graph.Unavailable {
		s.Log.ErrorContext(r.Context(), "file failed", "error", err, "request", request)
	}
	if !ok {
		e = &graph.Error{Code: graph.Internal, Message: "Something went wrong; the request is " + request + "."}
	}
	return e
}

// endReport ends a report with an error: as an answer of its own when nothing was written yet.
func (s *Server) endReport(p *report, r *http.Request, err error) {
	if p.lines == nil {
		s.refuseFile(p.w, r, err)
		return
	}
	e := s.shown(r, err)
	p.line("error", struct {
		Code    graph.Code `json:"code"`
		Message string     `json:"message"`
	}{e.Code, e.Message})
	p.flush()
}
