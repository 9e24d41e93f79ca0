package server

import (
	"net/http"
	"net/http/pprof"
)

// Admin gives what the second listener serves, for operators of the machine and never for callers: metrics, health, readiness and
// profiles. It asks for no credentials, so whoever reaches that listener may read it.
func (s *Server) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.Metrics.handler())
	mux.HandleFunc("GET /healthz", s.healthy)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		text(w, http.StatusOK, "Grantwood "+s.Version+"\n\n/metrics\n/healthz\n/readyz\n/debug/pprof/\n")
	})
	return mux
}

// Retire says that the server is going to stop: it is ready no more, and every answer ends its connection, so that callers come back
// elsewhere and none is cut off while its next request is on the way. Requests are still answered.
func (s *Server) Retire() { s.retired.Store(true) }
