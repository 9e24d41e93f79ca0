package server_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestGenqlient generates a Go client from the schema and a dashboard's documents, in a copy, and runs it. It is a module of
// its own, so that the product does not depend on it.
func TestGenqlient(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for from, to := range map[string]string{
		"genqlient/go.mod": "go.mod", "genqlient/go.sum": "go.sum", "genqlient/main.go": "main.go", "genqlient/genqlient.yaml": "genqlient.yaml",
		"documents/dashboard.graphql": "dashboard.graphql", "../../schema.graphqls": "schema.graphqls",
	} {
		text, err := os.ReadFile(filepath.Join("../web/clients", from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	env = append(env, clientWorld(t)...)
	for _, args := range [][]string{{"tool", "genqlient"}, {"run", "."}} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Env = dir, env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, out)
		} else if testing.Verbose() {
			t.Logf("%s", out)
		}
	}
}
