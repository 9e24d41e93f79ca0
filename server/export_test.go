package server

import (
	"context"
	"net/http"
)

// OriginAllowed is originAllowed.
func (s *Server) OriginAllowed(r *http.Request) bool { return s.originAllowed(r) }

// Refresh is one look of Watch.
func (c *Certificate) Refresh(ctx context.Context) { c.refresh(ctx) }
