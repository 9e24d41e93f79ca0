package server

import (
	"net/http"
	"time"
)

// DefaultBodyTime is how long a caller may take to send the body of a request when nothing is set, unless its handler gives more time.
const DefaultBodyTime = 30 * time.Second

// timeBody gives the caller some time for the body, whether or not its handler reads it: what is left unread, the server reads before the
// next request. Once the body has ended the server takes the limit away, so that an answer may take as long as it takes.
func (s *Server) timeBody(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.BodyTime)) // not every writer has one
}
