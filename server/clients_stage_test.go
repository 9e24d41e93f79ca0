package server

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"grantwood/db/dbtest"
)

// RunClient runs a script of web/clients with Node, and shows what it said when a case failed. It fails where Node or the
// packages are missing: these tests are no option.
func RunClient(t *testing.T, name string, env ...string) {
	t.Helper()
	dir, err := filepath.Abs("../web/clients")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal("the clients are not installed: run scripts/ensure-modules web/clients")
	}
	cmd := exec.CommandContext(t.Context(), node(t), name+".mjs")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	} else if testing.Verbose() {
		t.Logf("%s", out)
	}
}

// node gives the program that scripts/ensure-node found or installed.
func node(t *testing.T) string {
	t.Helper()
	if own, err := filepath.Glob("../.cache/node/node_modules/*/bin/node"); err == nil && len(own) == 1 {
		path, err := filepath.Abs(own[0])
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	path, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("Node is not here: run scripts/ensure-node")
	}
	return path
}

// Stages serves operations that follow a script at two addresses, and at a third what stops the first of them: it waits for
// a subscription and a query, tells the server to stop, and then lets the query go on.
func Stages(t *testing.T) (env []string) {
	t.Helper()
	first, second := newStage(t, dbtest.Open(t), calm, Config{}), newStage(t, dbtest.Open(t), calm, Config{})
	second.script.after = true
	drain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		eventually(t, "two operations", func() bool { return first.Sockets().Operations == 2 })
		first.Drain()
		close(first.script.release)
	}))
	t.Cleanup(drain.Close)
	return []string{"GRANTWOOD_STAGES=" + first.url + " " + second.url, "GRANTWOOD_DRAIN=" + drain.URL}
}
