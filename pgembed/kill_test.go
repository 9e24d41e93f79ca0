package pgembed

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Whatever is killed: nothing acknowledged is lost, nothing goes on running, and the next start works, also when it
// comes at once.
func TestKill(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                string
		program, postmaster bool
		atOnce              bool // the next start does not wait until nothing runs
	}{
		{"program", true, false, false},
		{"program, start at once", true, false, true},
		{"postmaster", false, true, false},
		{"both", true, true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := usedHome(t)
			p := startProgram(t, dir, nil)
			p.insertSome(t, 50)
			if test.program {
				kill(t, p.cmd.Process.Pid, syscall.SIGKILL)
			}
			if test.postmaster {
				kill(t, p.postmaster, syscall.SIGKILL)
			}
			expectExit(t, p, test.program)
			if !test.atOnce {
				expectNothingRuns(t, dir)
			}
			expectAcknowledged(t, dir, p.last)
		})
	}
}

// expectExit waits for the program: one that was not killed ends with the log of its server.
func expectExit(t *testing.T, p *program, killed bool) {
	t.Helper()
	code := p.exit()
	if killed {
		if code != -1 {
			t.Errorf("exit code %d of a killed program", code)
		}
		return
	}
	if code != 3 || !strings.Contains(p.stderr.String(), "signal: killed") ||
		!strings.Contains(p.stderr.String(), "database system is ready to accept connections") {
		t.Errorf("exit code %d, want 3 and the log; stderr: %s", code, p.stderr.String())
	}
}

// expectAcknowledged starts a server in dir and looks for the numbers 1 to last.
func expectAcknowledged(t *testing.T, dir string, last int) {
	t.Helper()
	s, err := Start(t.Context(), Options{DataDir: dir})
	must(t, err)
	got := query(t, s, `SELECT count(*) FROM acknowledged WHERE n BETWEEN 1 AND $1`, last)
	if got != strconv.Itoa(last) || last < 50 {
		t.Errorf("%s of %d acknowledged rows are there", got, last)
	}
	must(t, s.Stop())
}

// Ctrl-C reaches every process of the terminal's group. The server is in another one: the program stops it.
func TestInterruptGroup(t *testing.T) {
	t.Parallel()
	dir := usedHome(t)
	p := startProgram(t, dir, nil)
	p.insertSome(t, 50)
	group, err := syscall.Getpgid(p.postmaster)
	must(t, err)
	if group == p.cmd.Process.Pid {
		t.Error("the server is in the program's process group")
	}
	kill(t, -p.cmd.Process.Pid, syscall.SIGINT)
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d: %s", code, p.stderr.String())
	}
	if left := processesBelow(dir); len(left) > 0 {
		t.Errorf("left after the program has ended: %v", left)
	}
	expectAcknowledged(t, dir, p.last)
	if log := readFile(t, dir, journalFile); strings.Contains(log, "not properly shut down") {
		t.Errorf("the server had to recover:\n%s", log)
	}
}

// A statement that computes goes on when the program and the postmaster are killed: it never looks at either. The
// next start ends it.
func TestBusyBackendOutlivesBoth(t *testing.T) {
	t.Parallel()
	dir := usedHome(t)
	p := startProgram(t, dir, nil)
	p.insertSome(t, 50)
	backend := busyBackend(t, dir)
	kill(t, p.cmd.Process.Pid, syscall.SIGSTOP) // so that it does not end the backend itself
	kill(t, p.postmaster, syscall.SIGKILL)
	kill(t, p.cmd.Process.Pid, syscall.SIGKILL)
	p.exit()
	user, err := accountFor(dir, filepath.Join(dir, clusterDir))
	must(t, err)
	runs := func() bool {
		pids, err := user.processesIn(filepath.Join(dir, clusterDir))
		must(t, err)
		return slices.Contains(pids, backend)
	}
	if !runs() {
		t.Fatal("the backend has ended by itself, so this test proves nothing")
	}
	expectAcknowledged(t, dir, p.last)
	if runs() {
		t.Error("the backend of the killed server still runs")
	}
}

// busyBackend makes a server that another process runs compute for ever, and returns the process that does.
func busyBackend(t *testing.T, dir string) int {
	t.Helper()
	s, err := Attach(dir)
	must(t, err)
	db, err := s.maintenance()
	must(t, err)
	t.Cleanup(func() { db.Close() })
	go func() { _, _ = db.Exec(`DO 'BEGIN LOOP END LOOP; END'`) }() // ends with the server
	const busy = `SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DO %'`
	var backend int
	eventually(t, "a busy backend", func() bool {
		backend, _ = strconv.Atoi(query(t, s, busy))
		return backend != 0
	})
	return backend
}
