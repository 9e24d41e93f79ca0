package server

import (
	"context"
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

// authenticated finds out who is calling, and gives the request some time, or as much as it wants when limit is zero. A database
// that does not answer is UNAVAILABLE, never "not signed in".
func (s *Server) authenticated(limit time.Duration, next http.Handler) http.Handler {
	crossSite := s.crossSite()
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
		c.After = r.Header.Get("Last-Event-ID")
		c.SessionStarted = func(session *db.Session) { s.setCookie(w, r, session.Token, session.ExpiresAt) }
		c.RetryAfter = func(wait time.Duration) {
			w.Header().Set("Retry-After", strconv.Itoa(seconds(wait)))
		}
		c.SessionEnded = func() { s.setCookie(w, r, "", time.Unix(0, 0)) }
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

func (s *Server) setCookie(w http.ResponseWriter, r *http.Request, token string, expires time.Time) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: token, Path: "/", Expires: expires, HttpOnly: true,
		SameSite: http.SameSiteStrictMode, Secure: s.secure(r)})
}
