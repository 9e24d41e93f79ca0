package pgembed

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lib/pq"
)

// The test binary is also the program that the tests kill: helperVariable holds the directory of its server.
const helperVariable = "PGEMBED_TEST_HELPER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperVariable); dir != "" {
		helper(dir)
	}
	code := m.Run()
	if dir, err := template(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// template is a home whose server has run once, for tests that need not wait for initdb.
var template = sync.OnceValues(func() (string, error) {
	dir, err := makeTemp()
	if err != nil {
		return "", err
	}
	s, err := Start(context.Background(), Options{DataDir: filepath.Join(dir, "home")})
	if err != nil {
		return dir, err
	}
	return dir, s.Stop()
})

// makeTemp makes a directory that every user may enter, which those of testing.T do not allow.
func makeTemp() (string, error) {
	base := ""
	if os.Geteuid() == 0 {
		base = "/tmp"
	}
	dir, err := os.MkdirTemp(base, "pgembed-test-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := makeTemp()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// newHome returns the path of a home that does not exist yet, and checks in the end that its server left nothing.
func newHome(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(tempDir(t), "home")
	t.Cleanup(func() { expectNothingRuns(t, dir) })
	return dir
}

// usedHome returns a home whose server has run before and is stopped.
func usedHome(t *testing.T) string {
	t.Helper()
	from, err := template()
	if err != nil {
		t.Fatal(err)
	}
	dir := newHome(t)
	if out, err := exec.Command("cp", "-a", filepath.Join(from, "home"), dir).CombinedOutput(); err != nil {
		t.Fatalf("copy the template: %v: %s", err, out)
	}
	return dir
}

// start starts a server and stops it in the end.
func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// query returns the one value that a statement yields, as text.
func query(t *testing.T, s *Server, statement string, args ...any) string {
	t.Helper()
	db, err := sql.Open("postgres", s.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var value string
	if err := db.QueryRowContext(t.Context(), statement, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return value
}

// settings returns the server's settings that want names, by name.
func settings(t *testing.T, s *Server, want map[string]string) map[string]string {
	t.Helper()
	names := slices.Collect(maps.Keys(want))
	const find = `SELECT json_object_agg(name, current_setting(name)) FROM pg_settings WHERE name = ANY($1)`
	var got map[string]string
	must(t, json.Unmarshal([]byte(query(t, s, find, pq.Array(names))), &got))
	return got
}

// eventually waits until done is true, and reports what after a minute.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func expectNothingRuns(t *testing.T, dir string) {
	t.Helper()
	eventually(t, "no process in "+dir, func() bool { return len(processesBelow(dir)) == 0 })
}

// processesBelow are the processes that work anywhere in dir, whatever they are called.
func processesBelow(dir string) []string {
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	var found []string
	for _, link := range links {
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, dir) {
			found = append(found, link)
		}
	}
	return found
}

// unfinished are the directories of an initdb that has not finished.
func unfinished(dir string) []string {
	found, _ := filepath.Glob(filepath.Join(dir, newPrefix+"*"))
	return found
}

func kill(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatalf("kill %d: %v", pid, err)
	}
}

// receive returns what Died reports.
func receive(t *testing.T, s *Server) error {
	t.Helper()
	select {
	case err := <-s.Died():
		if err == nil {
			t.Fatal("Died sent no error")
		}
		return err
	case <-time.After(time.Minute):
		t.Fatal("Died sent nothing")
		return nil
	}
}

func expectText(t *testing.T, err error, wants ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", wants)
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}

// locked fails the test unless err is a *LockedError.
func locked(t *testing.T, err error) *LockedError {
	t.Helper()
	var l *LockedError
	if !errors.As(err, &l) {
		t.Fatalf("error is %v, want a *LockedError", err)
	}
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	must(t, err)
	return string(content)
}

func writeFile(t *testing.T, content string, path ...string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(path...), []byte(content), 0o644))
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
