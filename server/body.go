package server

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// DefaultBodyTime is how long a caller may take to send the body of a request when nothing is set, unless its handler gives more time.
const DefaultBodyTime = 30 * time.Second

// timeBody gives the caller some time for the body, and takes the limit away when the body has ended: it would end the request that
// is being answered, however well that goes. http.Server.ReadTimeout cannot do that.
func (s *Server) timeBody(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	conn := http.NewResponseController(w)
	_ = conn.SetReadDeadline(time.Now().Add(s.BodyTime)) // not every writer has one
	r.Body = &endingBody{r.Body, conn}
}

// endingBody notices the end of a body.
type endingBody struct {
	io.ReadCloser
	conn *http.ResponseController
}

// Read reads a part of the body.
func (b *endingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}
