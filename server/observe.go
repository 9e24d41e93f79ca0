package server

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"grantwood/graph"
)

// strictTransport tells browsers to come by TLS only, for a year (RFC 6797).
const strictTransport = "max-age=31536000"

// observed gives every request its ID and the address that it comes from, counts it, and writes a line about it: never a token, a body
// or a query string.
func (s *Server) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		address, https := s.Proxies.Of(r)
		request := s.newRequest(address)
		r = r.WithContext(context.WithValue(context.WithValue(r.Context(), requestKey{}, request), secureKey{}, https || r.TLS != nil))
		h := w.Header()
		h.Set("X-Request-Id", request.ID)
		if s.secure(r) {
			h.Set("Strict-Transport-Security", strictTransport)
		}
		if s.retired.Load() {
			h.Set("Connection", "close")
		}
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		s.timeBody(seen, r)
		s.Metrics.requestsRunning.Inc()
		defer func() { // also when the answer was broken off
			took := time.Since(start)
			s.Metrics.requestsRunning.Dec()
			s.Metrics.request(routeOf(r), r.Method, seen.status, took)
			nameRequest(r, address)
			s.Log.InfoContext(r.Context(), "request", "method", r.Method, "path", r.URL.Path, "status", seen.status, "ms", milliseconds(took), "request", request.ID)
		}()
		next.ServeHTTP(seen, r)
	})
}

// routeOf gives the pattern of the route that answered, without its method.
func routeOf(r *http.Request) string {
	if _, path, found := strings.Cut(r.Pattern, " "); found {
		return path
	}
	return r.Pattern
}

type secureKey struct{}

// secure reports whether the caller came by TLS, or is told to: then cookies are for TLS only.
func (s *Server) secure(r *http.Request) bool {
	byTLS, _ := r.Context().Value(secureKey{}).(bool)
	return byTLS || strings.HasPrefix(s.PublicURL, "https://")
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader remembers the status. Those before the last one, such as 100, do not count.
func (w *statusWriter) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// newRequest says when and from where an operation comes: of a request, or of a message on a socket.
func (s *Server) newRequest(address string) graph.Request {
	return graph.Request{ID: rand.Text(), Address: address, At: time.Now().UTC().Truncate(time.Microsecond), Links: graph.Links(s.PublicURL)}
}
