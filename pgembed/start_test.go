package pgembed

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStart(t *testing.T) {
	t.Parallel()
	dir := newHome(t)
	s := start(t, Options{DataDir: dir})
	want := map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on",
		"listen_addresses": "", "server_encoding": "UTF8", "lc_collate": "C", "TimeZone": "UTC", "deadlock_timeout": "200ms"}
	if diff := cmp.Diff(want, settings(t, s, want)); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	version, err := strconv.Atoi(query(t, s, `SHOW server_version_num`))
	if err != nil || version/10000 != s.Version() {
		t.Errorf("Version() is %d, server_version_num %d", s.Version(), version)
	}
	if os.Geteuid() == 0 {
		user, err := accountNamed("postgres")
		if err != nil {
			user, err = accountNamed("nobody")
		}
		must(t, err)
		if got := ids(t, s.child.process.Pid); got != same(user.uid, user.gid) {
			t.Errorf("PostgreSQL runs as %s, want %s", got, user)
		}
	}
	for _, name := range []string{"", clusterDir, runDir} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("mode of %q: %v, %v", name, info, err)
		}
	}
}

func TestStopAndStartAgain(t *testing.T) {
	t.Parallel()
	dir := usedHome(t)
	s := start(t, Options{DataDir: dir})
	must(t, s.EnsureDatabase(t.Context(), "kept"))
	must(t, s.Stop())
	must(t, s.Stop())
	if left := processesBelow(dir); len(left) > 0 {
		t.Errorf("left after Stop: %v", left)
	}
	select {
	case err := <-s.Died():
		t.Errorf("Died after Stop: %v", err)
	default:
	}
	next := start(t, Options{DataDir: dir})
	if got := query(t, next, `SELECT count(*) FROM pg_database WHERE datname = 'kept'`); got != "1" {
		t.Error("the database of the first run is gone")
	}
}

// A server that does not come up reports why and gives the directory back.
func TestStartFails(t *testing.T) {
	t.Parallel()
	dir := usedHome(t)
	for setting, want := range map[string]string{
		"no_such_setting":  "unrecognized configuration parameter",
		"fsync":            "decides it by itself",
		"LISTEN_ADDRESSES": "decides it by itself",
		"hba_file":         "decides it by itself",
	} {
		_, err := Start(t.Context(), Options{DataDir: dir, Settings: map[string]string{setting: "off"}})
		expectText(t, err, want, setting)
	}
	start(t, Options{DataDir: dir})
}

// Cancelling works in each phase: it leaves no process, no half of a cluster, and no lock. The server that starts
// in the end shows what Volatile means.
func TestCancelAndVolatile(t *testing.T) {
	t.Parallel()
	dir := newHome(t)
	cancelStart(t, dir, func() bool { return len(unfinished(dir)) > 0 })
	cancelStart(t, dir, func() bool {
		_, err := readPostmaster(filepath.Join(dir, clusterDir))
		return err == nil
	})
	s := start(t, Options{DataDir: dir, Volatile: true, Settings: map[string]string{"work_mem": "7MB"}})
	want := map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
		"data_checksums": "off", "work_mem": "7MB"}
	if diff := cmp.Diff(want, settings(t, s, want)); diff != "" {
		t.Errorf("volatile settings (-want +got):\n%s", diff)
	}
}

// cancelStart cancels a start when the moment has come. It tries again when the start was faster.
func cancelStart(t *testing.T, dir string, moment func() bool) {
	t.Helper()
	for range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() {
			s, err := Start(ctx, Options{DataDir: dir, Volatile: true})
			if err == nil {
				err = s.Stop()
			}
			result <- err
		}()
		eventually(t, "the moment to cancel", func() bool { return moment() || len(result) > 0 })
		cancel()
		err := <-result
		if left := append(processesBelow(dir), unfinished(dir)...); len(left) > 0 {
			t.Errorf("left after %v: %v", err, left)
		}
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			return
		}
	}
	t.Error("each start was faster than its cancellation")
}

// An unexpected end is reported when nothing runs any more, not even a statement that does not notice it.
func TestDied(t *testing.T) {
	t.Parallel()
	dir := usedHome(t)
	for sig, want := range map[syscall.Signal]string{
		syscall.SIGKILL: "signal: killed",
		syscall.SIGINT:  "shut down in order",
	} {
		s := start(t, Options{DataDir: dir})
		busyBackend(t, dir)
		kill(t, s.child.process.Pid, sig)
		expectText(t, receive(t, s), want, "database system is ready to accept connections", journalFile)
		if left := processesBelow(dir); len(left) > 0 {
			t.Errorf("%v: left when Died reports: %v", sig, left)
		}
		began := time.Now()
		if err := s.Stop(); err != nil || time.Since(began) > 10*time.Second {
			t.Errorf("Stop after %v took %v: %v", sig, time.Since(began), err)
		}
	}
}

// A server that reacts to nothing is killed in the end, and so is what it leaves.
func TestStopInsists(t *testing.T) {
	t.Parallel()
	dir := usedHome(t)
	s, err := Start(t.Context(), Options{DataDir: dir})
	must(t, err)
	s.patience = []step{{syscall.SIGINT, 50 * time.Millisecond}, {syscall.SIGQUIT, 50 * time.Millisecond},
		{syscall.SIGKILL, 10 * time.Second}}
	kill(t, s.child.process.Pid, syscall.SIGSTOP)
	expectText(t, s.Stop(), "ended by signal 9")
	expectText(t, s.Stop(), "ended by signal 9")
	if left := processesBelow(dir); len(left) > 0 {
		t.Errorf("left after Stop: %v", left)
	}
	start(t, Options{DataDir: dir})
}

// What a killed initdb leaves is never taken for a cluster, and the next start removes it.
func TestKilledInitdb(t *testing.T) {
	t.Parallel()
	dir := newHome(t)
	p := startProgram(t, dir, nil)
	var found []string
	eventually(t, "initdb at work", func() bool {
		found, _ = filepath.Glob(filepath.Join(dir, newPrefix+"*", "base"))
		return len(found) > 0
	})
	p.cmd.Process.Kill()
	p.exit()
	if _, err := os.Stat(filepath.Join(dir, clusterDir)); !os.IsNotExist(err) {
		t.Errorf("there is a cluster: %v", err)
	}
	// initdb cleans up when it can; this is one that could not.
	must(t, os.MkdirAll(found[0], 0o700))
	writeFile(t, "15\n", filepath.Dir(found[0]), versionFile)
	start(t, Options{DataDir: dir})
	if left := unfinished(dir); len(left) > 0 {
		t.Errorf("left after the next start: %v", left)
	}
}

func TestDefaultDir(t *testing.T) {
	t.Parallel()
	tests := []struct {
		uid       int
		env, want string
	}{
		{0, "XDG_DATA_HOME=/x HOME=/root", "/var/lib/grantwood"},
		{1000, "XDG_DATA_HOME=/x HOME=/home/a", "/x/grantwood"},
		{1000, "XDG_DATA_HOME=x HOME=/home/a", "/home/a/.local/share/grantwood"},
		{1000, "HOME=/home/a", "/home/a/.local/share/grantwood"},
		{1000, "", ""},
	}
	for _, test := range tests {
		got, err := defaultDir(test.uid, variables(strings.Fields(test.env)...))
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("uid %d, %s: %q, %v; want %q", test.uid, test.env, got, err, test.want)
		}
	}
}
