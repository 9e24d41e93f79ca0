package pgembed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A process number in postmaster.pid and in the socket's lock file says nothing by itself.
func TestStaleProcessNumber(t *testing.T) {
	t.Parallel()
	other := start(t, Options{DataDir: usedHome(t)})
	dir := usedHome(t)
	s := start(t, Options{DataDir: dir})
	_, rest, _ := strings.Cut(readFile(t, dir, clusterDir, pidFile), "\n")
	must(t, s.Stop())
	tests := map[string]string{
		"of nobody":                fmt.Sprint(deadPID(t)),
		"of a stranger":            fmt.Sprint(stranger(t, dir)),
		"of another PostgreSQL":    fmt.Sprint(other.child.process.Pid),
		"missing in an empty file": "",
	}
	for name, pid := range tests {
		t.Run(name, func(t *testing.T) {
			file := ""
			if pid != "" {
				file = pid + "\n" + rest
			}
			plant(t, file, dir, clusterDir, pidFile)
			plant(t, file, dir, runDir, socketName+".lock")
			query(t, start(t, Options{DataDir: dir}), `SELECT 1`)
		})
	}
	query(t, other, `SELECT 1`)
}

// plant writes a file that belongs to the owner of its directory.
func plant(t *testing.T, content string, path ...string) {
	t.Helper()
	writeFile(t, content, path...)
	file := filepath.Join(path...)
	owner, _ := ownerOf(filepath.Dir(file))
	must(t, os.Chown(file, owner.uid, owner.gid))
}

func deadPID(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	must(t, cmd.Run())
	return cmd.Process.Pid
}

// stranger is a process of the server's user that has nothing to do with it, and that must survive the test.
func stranger(t *testing.T, dir string) int {
	t.Helper()
	user, err := accountFor(dir, filepath.Join(dir, clusterDir))
	must(t, err)
	cmd := exec.Command("sleep", "600")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: user.credential()}
	must(t, cmd.Start())
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("the stranger was ended: %v", err)
		}
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

// Data of another major version is refused, and not a byte of it changes.
func TestOtherVersion(t *testing.T) {
	t.Parallel()
	dir := newHome(t)
	must(t, os.MkdirAll(filepath.Join(dir, clusterDir), 0o700))
	writeFile(t, "13\n", dir, clusterDir, versionFile)
	writeFile(t, "12345\n", dir, clusterDir, pidFile)
	before := listing(t, dir)
	_, err := Start(t.Context(), Options{DataDir: dir})
	expectText(t, err, filepath.Join(dir, clusterDir)+" was written by PostgreSQL 13", "nothing was changed")
	if diff := cmp.Diff(before, listing(t, dir)); diff != "" {
		t.Errorf("changes (-before +after):\n%s", diff)
	}
}

// listing is every name in dir with its size, mode and time of change.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err == nil {
			found[path] = fmt.Sprint(info.Size(), info.Mode(), info.ModTime())
		}
		return err
	}))
	return found
}

func TestSecondStart(t *testing.T) {
	t.Parallel()
	dir := usedHome(t)
	if _, err := Attach(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Attach where no server has run: %v", err)
	}
	p := startProgram(t, dir, nil)
	p.insertSome(t, 50)

	_, err := Start(t.Context(), Options{DataDir: dir})
	if l := locked(t, err); l.PID != p.cmd.Process.Pid || l.Dir != dir {
		t.Errorf("%+v, want process %d", l, p.cmd.Process.Pid)
	}
	expectText(t, err, fmt.Sprintf("%s is in use by process %d", dir, p.cmd.Process.Pid))

	s, err := Attach(dir)
	must(t, err)
	must(t, s.EnsureDatabase(t.Context(), "second"))
	if got := query(t, s, `SHOW server_version_num`); !strings.HasPrefix(got, fmt.Sprint(s.Version())) {
		t.Errorf("Version() is %d of %s", s.Version(), got)
	}
	must(t, s.Stop())
	query(t, s, `SELECT 1`) // it was not ours to stop

	kill(t, p.cmd.Process.Pid, syscall.SIGINT)
	p.exit()
	if _, err := Attach(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Attach to a stopped server: %v", err)
	}
}

// Attach waits for a server that is being made, and one process cannot start two servers in one directory.
func TestAttachWhileStarting(t *testing.T) {
	t.Parallel()
	dir := newHome(t)
	p := startProgram(t, dir, nil)
	eventually(t, "a lock", func() bool { return held(filepath.Join(dir, lockFile)) })
	s, err := Attach(dir)
	must(t, err)
	query(t, s, `SELECT 1`)
	kill(t, p.cmd.Process.Pid, syscall.SIGINT)
	p.exit()

	start(t, Options{DataDir: dir})
	_, err = Start(t.Context(), Options{DataDir: dir})
	if l := locked(t, err); l.PID != os.Getpid() {
		t.Errorf("locked by %d, want %d", l.PID, os.Getpid())
	}
}
