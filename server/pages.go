package server

import (
	"context"
	"io"
	"net/http"
	"time"
)

// healthy says that the process answers.
func (s *Server) healthy(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") }

// ready says whether requests can be answered: the database does, and the server is not going to stop.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if s.retired.Load() {
		text(w, http.StatusServiceUnavailable, "the server stops\n")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := s.DB.Ping(ctx); err != nil {
		s.Log.WarnContext(ctx, "not ready", "error", err)
		text(w, http.StatusServiceUnavailable, "the database cannot be reached\n")
		return
	}
	text(w, http.StatusOK, "ready\n")
}

func (s *Server) welcome(w http.ResponseWriter, _ *http.Request) {
	page := "Grantwood " + s.Version + "\n\nThe API is at " + s.PublicURL + "/graphql (POST, JSON).\n"
	if s.Playground != nil {
		page += "The playground, to explore it, is at " + s.PublicURL + "/playground.\n"
	}
	text(w, http.StatusOK, page)
}

// invitation tells somebody who opens the link of an invitation how to accept it.
func (s *Server) invitation(w http.ResponseWriter, _ *http.Request) {
	text(w, http.StatusOK, `You are invited to an account.

The part of this page's address after # is your token. Accept with a password of at least 12 characters, or with the one
that you have here already:

curl -s `+s.PublicURL+`/graphql -H 'Content-Type: application/json' -d '{
  "query": "mutation($in: AcceptInvitationInput!) { acceptInvitation(input: $in) { userErrors { code message path } sessionToken } }",
  "variables": {"in": {"token": "…", "displayName": "…", "password": "…"}}}'
`)
}

// password tells somebody who opens the link for a new password how to set it.
func (s *Server) password(w http.ResponseWriter, _ *http.Request) {
	text(w, http.StatusOK, `You asked for a new password.

The part of this page's address after # is your token; it works once, for an hour. Choose at least 12 characters:

curl -s `+s.PublicURL+`/graphql -H 'Content-Type: application/json' -d '{
  "query": "mutation($in: ResetPasswordInput!) { resetPassword(input: $in) { userErrors { code message path } } }",
  "variables": {"in": {"token": "…", "newPassword": "…"}}}'
`)
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the caller may have gone
}
