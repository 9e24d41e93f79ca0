package pgembed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
}

// ids are the user, group and supplementary groups of a process.
func ids(t *testing.T, pid int) string {
	t.Helper()
	status := readFile(t, "/proc", strconv.Itoa(pid), "status")
	var found []string
	for _, m := range regexp.MustCompile(`(?m)^(?:Uid|Gid|Groups):(.*)$`).FindAllStringSubmatch(status, -1) {
		found = append(found, strings.Join(strings.Fields(m[1]), " "))
	}
	return strings.Join(found, " | ")
}

// same is what ids returns for a process that is uid and gid and nothing else.
func same(uid, gid int) string {
	four := func(id int) string { return strings.TrimSpace(strings.Repeat(strconv.Itoa(id)+" ", 4)) }
	return four(uid) + " | " + four(gid) + " | "
}

// give makes everything in dir belong to owner, but for what a start creates.
func give(t *testing.T, dir string, owner account) {
	t.Helper()
	for _, name := range []string{lockFile, journalFile, runDir} {
		must(t, os.RemoveAll(filepath.Join(dir, name)))
	}
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, owner.uid, owner.gid))
	}))
}

// A directory that belongs to somebody makes the server run as that user, and everything in it stays theirs.
func TestRunsAsOwner(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	owner, err := accountNamed("nobody")
	must(t, err)
	dir := usedHome(t)
	give(t, dir, owner)
	s := start(t, Options{DataDir: dir})
	if got := ids(t, s.child.process.Pid); got != same(owner.uid, owner.gid) {
		t.Errorf("PostgreSQL runs as %s, want %s", got, owner)
	}
	for _, name := range []string{clusterDir, runDir, lockFile, journalFile} {
		if got, _ := ownerOf(filepath.Join(dir, name)); got.uid != owner.uid {
			t.Errorf("%s belongs to %s, want %s", name, got, owner)
		}
	}
	must(t, s.Stop())

	// The same directory then serves that user alone.
	p := startProgram(t, dir, &syscall.Credential{Uid: uint32(owner.uid), Gid: uint32(owner.gid)})
	p.insertSome(t, 5)
	if got := ids(t, p.postmaster); got != same(owner.uid, owner.gid) {
		t.Errorf("PostgreSQL runs as %s, want %s", got, owner)
	}
	kill(t, p.cmd.Process.Pid, syscall.SIGINT)
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d: %s", code, p.stderr.String())
	}
}

// An ordinary user starts from nothing, and survives a kill as root does.
func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	needsRoot(t) // for everybody else, every test is this one
	user, err := accountNamed("nobody")
	must(t, err)
	base := tempDir(t)
	must(t, os.Chown(base, user.uid, user.gid))
	dir := filepath.Join(base, "home")
	for range 2 {
		p := startProgram(t, dir, &syscall.Credential{Uid: uint32(user.uid), Gid: uint32(user.gid)})
		p.insertSome(t, 20)
		if got := ids(t, p.postmaster); got != same(user.uid, user.gid) {
			t.Errorf("PostgreSQL runs as %s, want %s", got, user)
		}
		kill(t, p.cmd.Process.Pid, syscall.SIGKILL)
		p.exit()
	}
	expectNothingRuns(t, dir)
}

func TestDirectoryThatTheUserCannotEnter(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	closed := filepath.Join(tempDir(t), "closed")
	must(t, os.Mkdir(closed, 0o700))
	dir := filepath.Join(closed, "below", "home")
	_, err := Start(t.Context(), Options{DataDir: dir}) // fails at initdb
	expectText(t, err, "who cannot enter "+closed+":", "uid")

	must(t, os.RemoveAll(dir))
	must(t, os.Rename(usedHome(t), dir))
	_, err = Start(t.Context(), Options{DataDir: dir}) // fails at postgres
	expectText(t, err, "who cannot enter "+closed+":", "uid")

	must(t, os.Chmod(closed, 0o711))
	start(t, Options{DataDir: dir})
}

func TestDataOfRoot(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	dir := newHome(t)
	must(t, os.MkdirAll(filepath.Join(dir, clusterDir), 0o700))
	_, err := Start(t.Context(), Options{DataDir: dir})
	expectText(t, err, filepath.Join(dir, clusterDir)+" belongs to root", "chown")
}

// A link that the directory's owner has placed does not make root write elsewhere.
func TestLinkOutOfHome(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	victim := filepath.Join(tempDir(t), "victim")
	writeFile(t, "precious", victim)
	dir := usedHome(t)
	for _, name := range []string{socketFile, journalFile, lockFile} {
		_ = os.Remove(filepath.Join(dir, name))
		must(t, os.Symlink(victim, filepath.Join(dir, name)))
		if s, err := Start(t.Context(), Options{DataDir: dir}); err == nil {
			must(t, s.Stop())
		} else if !strings.Contains(err.Error(), "escapes") {
			t.Errorf("%s: %v", name, err)
		}
		if owner, _ := ownerOf(victim); readFile(t, victim) != "precious" || owner.uid != 0 {
			t.Errorf("%s: a link made root change a file outside", name)
		}
		_ = os.Remove(filepath.Join(dir, name))
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	got := environment([]string{"PATH=/bin", "PGPORT=1", "DATABASE_URL=secret", "LD_LIBRARY_PATH=/lib", "LC_ALL=de_DE"})
	want := "LC_ALL=C TZ=UTC PATH=/bin LD_LIBRARY_PATH=/lib"
	if strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
