package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rs/cors"
)

// preflightAge is for how long a browser may remember what it was told about another site's requests.
const preflightAge = 10 * time.Minute

// ParseOrigin reads an origin as browsers write it: scheme, host and a port that is not the scheme's own. A pattern is refused: the
// cookie of a session is admitted together with the origin.
func ParseOrigin(text string) (string, error) {
	if strings.Contains(text, "*") {
		return "", errors.New("* is refused, because sessions in cookies are admitted together with an origin: name each origin")
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is no origin: give one such as https://app.example.com, without a path", text)
	}
	host := strings.ToLower(u.Host)
	if port := u.Port(); port == map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return u.Scheme + "://" + host, nil
}

// shared answers pages of listed origins (the Fetch standard, CORS protocol): they may call with a token, and read the answer. Others get
// no such header, so their browsers keep the answer from them. With no list nothing is said at all.
func (s *Server) shared(next http.Handler) http.Handler {
	if len(s.Origins) == 0 {
		return next
	}
	return cors.New(cors.Options{
		AllowedOrigins:   s.Origins,
		AllowedMethods:   []string{http.MethodGet, http.MethodHead, http.MethodPost},
		AllowedHeaders:   []string{"Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key", "traceparent", "tracestate", "Last-Event-ID"},
		ExposedHeaders:   []string{"X-Request-Id", "Retry-After", momentHeader},
		AllowCredentials: true,
		MaxAge:           int(preflightAge.Seconds()),
	}).Handler(next)
}

// crossSite keeps pages of other sites from using the session of a browser: those of the server's own address and of listed origins may.
func (s *Server) crossSite() *http.CrossOriginProtection {
	p := http.NewCrossOriginProtection()
	for _, origin := range s.ownOrigins() {
		_ = p.AddTrustedOrigin(origin) // they were read by ParseOrigin
	}
	return p
}

// ownOrigins are the origins of which pages may use the session of a browser: the public address, which a proxy may show under another
// name than the request has, and those that are listed.
func (s *Server) ownOrigins() []string {
	list := s.Origins
	if u, err := url.Parse(s.PublicURL); err == nil && u.Host != "" {
		if origin, err := ParseOrigin(u.Scheme + "://" + u.Host); err == nil {
			list = append([]string{origin}, list...)
		}
	}
	return list
}

// originAllowed reports whether a page of the origin that a request names may open a socket: there the browser sends its cookie along
// and asks nobody first. Those of the address that was asked may, but where callers come by TLS no page that came without. Requests without
// an Origin come from programs.
func (s *Server) originAllowed(r *http.Request) bool {
	sent := r.Header.Values("Origin")
	if len(sent) == 0 {
		return true
	}
	origin, err := ParseOrigin(sent[0])
	if len(sent) > 1 || err != nil {
		return false // null, for one
	}
	scheme, host, _ := strings.Cut(origin, "://")
	if strings.EqualFold(host, r.Host) && (scheme == "https" || !s.secure(r)) {
		return true
	}
	return slices.Contains(s.ownOrigins(), origin)
}
