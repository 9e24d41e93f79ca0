package server

import (
	"context"
	"net/http"
)

// OriginAllowed is originAllowed.
func (s *Server) OriginAllowed(r *http.Request) bool { return s.originAllowed(r) }

// Refresh is one look of Watch.
func (c *Certificate) Refresh(ctx context.Context) { c.refresh(ctx) }

// FillGate takes all places at the gate, and gives what leaves them.
func (s *Server) FillGate() (leave func()) {
	_ = s.gate.places.Acquire(context.Background(), s.gate.size)
	return func() { s.gate.places.Release(s.gate.size) }
}
