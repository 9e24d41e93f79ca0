package server_test

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"grantwood/graph"
	"grantwood/server"
)

// clientWorld is an account with what a dashboard shows, as the scripts in web/clients are told of it.
func clientWorld(t *testing.T) (env []string) {
	t.Helper()
	w := newWorld(t)
	key := w.key(t, "Europe")
	w.key(t, "Asia")
	w.key(t, "America")
	u := w.user(t, invitee{role: graph.RoleReporting, keys: []string{key}})
	w.used(t, key, "one")
	ids, err := json.Marshal(map[string]string{"user": u.id, "key": key, "account": w.account, "master": w.master})
	if err != nil {
		t.Fatal(err)
	}
	return []string{"GRANTWOOD_URL=" + sharedAPI().url, "GRANTWOOD_TOKEN=" + w.owner.token, "GRANTWOOD_IDS=" + string(ids), "GRANTWOOD_USER_TOKEN=" + u.token}
}

// TestClients runs the public clients of web/clients against the server.
func TestClients(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"apollo", "graphql-http", "graphql-sse", "graphql-ws", "live", "relay", "urql"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server.RunClient(t, name, clientWorld(t)...)
		})
	}
	for _, name := range []string{"graphql-ws-streams", "subscriptions-transport-ws"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server.RunClient(t, name, append(clientWorld(t), server.Stages(t)...)...)
		})
	}
}

// TestCodegenTrusted: what graphql-codegen makes of a dashboard's documents runs, and a server that trusts its manifest and
// nothing else runs them by their hashes.
func TestCodegenTrusted(t *testing.T) {
	t.Parallel()
	manifest := filepath.Join(t.TempDir(), "persisted-documents.json")
	env := clientWorld(t)
	server.RunClient(t, "codegen", append(env, "GRANTWOOD_MANIFEST="+manifest)...)
	trusted, err := server.ReadTrusted(manifest)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(server.Config{DB: sharedAPI().db, PublicURL: "http://grantwood.example", Log: slog.New(slog.DiscardHandler),
		Trusted: trusted, TrustedOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(srv)
	t.Cleanup(h.Close)
	server.RunClient(t, "trusted", append(env, "GRANTWOOD_URL="+h.URL, "GRANTWOOD_MANIFEST="+manifest)...)
}
