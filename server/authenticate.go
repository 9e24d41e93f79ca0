package server

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"grantwood/db"
	"grantwood/graph"
	"grantwood/resolvers"
)

// sessionCookie holds the token of a browser's session, out of reach of scripts and of other sites.
const sessionCookie = "grantwood_session"

type requestKey struct{}

// observed gives every request its ID and writes a line about it: never a token, a body or a query string.
func (s *Server) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		request := s.newRequest(addressOf(r))
		w.Header().Set("X-Request-Id", request.ID)
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r.WithContext(context.WithValue(r.Context(), requestKey{}, request)))
		s.Log.InfoContext(r.Context(), "request", "method", r.Method, "path", r.URL.Path, "status", seen.status,
			"ms", float64(time.Since(start).Microseconds())/1000, "request", request.ID)
	})
}

// newRequest says when and from where an operation comes: of a request, or of a message on a socket.
func (s *Server) newRequest(address string) graph.Request {
	return graph.Request{ID: rand.Text(), Address: address, At: time.Now().UTC().Truncate(time.Microsecond), Links: graph.Links(s.PublicURL)}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader remembers the status.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// authenticated finds out who is calling, and gives the request some time, or as much as it wants when limit is zero. A database that does not answer is UNAVAILABLE, never
// "not signed in".
func (s *Server) authenticated(limit time.Duration, next http.Handler) http.Handler {
	crossSite := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
		request, _ := ctx.Value(requestKey{}).(graph.Request)
		token, fromCookie := tokenOf(r)
		if fromCookie && crossSite.Check(r) != nil {
			refuse(w, http.StatusForbidden, graph.Forbidden, "Another site may not use the session of this browser.")
			return
		}
		asking, cancel := context.WithTimeout(ctx, authenticationTimeout)
		v, err := s.caller(asking, r, token, request)
		cancel()
		if err != nil {
			s.Log.ErrorContext(ctx, "authentication failed", "error", err, "request", request.ID)
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusServiceUnavailable, graph.Unavailable, "The database cannot be reached; try again.")
			return
		}
		c := resolvers.NewCaller(v)
		c.SessionStarted = func(session *db.Session) { s.setCookie(w, session.Token, session.ExpiresAt) }
		c.RetryAfter = func(wait time.Duration) {
			w.Header().Set("Retry-After", strconv.Itoa(seconds(wait)))
		}
		c.SessionEnded = func() { s.setCookie(w, "", time.Unix(0, 0)) }
		next.ServeHTTP(w, r.WithContext(resolvers.WithCaller(ctx, c)))
	})
}

// caller finds out who is calling: a key with its secret by HTTP Basic (RFC 7617), everybody else by a token.
func (s *Server) caller(ctx context.Context, r *http.Request, token string, request graph.Request) (*graph.Viewer, error) {
	if key, secret, ok := r.BasicAuth(); ok {
		return s.DB.AuthenticateKey(ctx, key, secret, request)
	}
	return s.DB.Authenticate(ctx, token, request)
}

// tokenOf gives the token of a request: of the header before that of the cookie.
func tokenOf(r *http.Request) (token string, fromCookie bool) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, credentials, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", false
		}
		return strings.TrimSpace(credentials), false
	}
	if c, err := r.Cookie(sessionCookie); err == nil {
		return c.Value, true
	}
	return "", false
}

func (s *Server) setCookie(w http.ResponseWriter, token string, expires time.Time) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: token, Path: "/", Expires: expires, HttpOnly: true,
		SameSite: http.SameSiteStrictMode, Secure: strings.HasPrefix(s.PublicURL, "https://")})
}
