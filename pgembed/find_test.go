package pgembed

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// variables is an environment.
func variables(entries ...string) func(string) string {
	return func(name string) string {
		for _, entry := range entries {
			if k, v, _ := strings.Cut(entry, "="); k == name {
				return v
			}
		}
		return ""
	}
}

// install makes a directory with programs that say they are version.
func install(t *testing.T, version string, path ...string) string {
	t.Helper()
	dir := filepath.Join(path...)
	must(t, os.MkdirAll(dir, 0o755))
	for _, name := range []string{"initdb", "postgres"} {
		script(t, fmt.Sprintf("echo '%s (PostgreSQL) %s'", name, version), dir, name)
	}
	return dir
}

// script makes a shell script.
func script(t *testing.T, body string, path ...string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(path...), []byte("#!/bin/sh\n"+body+"\n"), 0o755))
}

func TestFindOrder(t *testing.T) {
	t.Parallel()
	root := tempDir(t)
	bindir := install(t, "16.1", root, "bindir")
	install(t, "17.2", root, "store/pg/bin")
	links := filepath.Join(root, "links")
	must(t, os.Mkdir(links, 0o755))
	must(t, os.Symlink("../store/pg/bin/postgres", filepath.Join(links, "postgres")))
	configured := install(t, "14.7", root, "configured")
	onlyConfig := filepath.Join(root, "onlyconfig")
	must(t, os.Mkdir(onlyConfig, 0o755))
	script(t, "[ $1 = --bindir ] && echo "+configured, onlyConfig, "pg_config")
	for _, dir := range []string{
		"/opt/homebrew/opt/postgresql@16/bin", "/usr/libexec/postgresql15", "/usr/pgsql-15/bin",
		"/usr/lib/postgresql/9.6/bin", "/usr/lib/postgresql/14/bin", "/usr/lib/postgresql/15/bin",
	} {
		install(t, strings.Trim(filepath.Base(strings.TrimSuffix(dir, "/bin")), "abcdeglopqrstuvwxyz@-")+".3", root, dir)
	}

	path := "PATH=" + onlyConfig + ":" + filepath.Join(root, "nowhere") + ":" + links
	f := finder{getenv: variables("PG_BINDIR="+bindir, path), root: root}
	expectFound(t, f, bindir, 16)
	f.getenv = variables(path)
	expectFound(t, f, filepath.Join(root, "store/pg/bin"), 17)
	f.getenv = variables("PATH=" + onlyConfig)
	for _, dir := range []string{"/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/14/bin", "/usr/pgsql-15/bin",
		"/usr/libexec/postgresql15", "/opt/homebrew/opt/postgresql@16/bin"} {
		dir = filepath.Join(root, dir)
		p, err := f.find(0)
		if err != nil || p.BinDir != dir {
			t.Fatalf("found %+v, %v; want %s", p, err, dir)
		}
		must(t, os.RemoveAll(dir))
	}
	expectFound(t, f, configured, 14)
}

func expectFound(t *testing.T, f finder, dir string, major int) {
	t.Helper()
	p, err := f.find(0)
	if err != nil || p.BinDir != dir || p.Major != major {
		t.Errorf("found %+v, %v; want %d in %s", p, err, major, dir)
	}
}

// After an upgrade of the system, the version that wrote the data is still the one to use.
func TestFindPrefersTheVersionOfTheData(t *testing.T) {
	t.Parallel()
	root := tempDir(t)
	older := install(t, "15.3", root, "usr/lib/postgresql/15/bin")
	newer := install(t, "17.0", root, "usr/lib/postgresql/17/bin")
	f := finder{getenv: variables(), root: root}
	for prefer, want := range map[int]string{0: newer, 15: older, 17: newer, 16: newer} {
		if p, err := f.find(prefer); err != nil || p.BinDir != want {
			t.Errorf("prefer %d: %+v, %v; want %s", prefer, p, err, want)
		}
	}
}

func TestFindNothing(t *testing.T) {
	t.Parallel()
	root := tempDir(t)
	f := finder{getenv: variables("PATH=" + root), root: root}
	_, err := f.find(0)
	expectText(t, err, "PostgreSQL 14 or newer was not found", "initdb", "Debian, Ubuntu:", "apt-get install postgresql\n",
		"Fedora, RHEL:", "postgresql-server", "Alpine:", "macOS:", "brew", "PG_BINDIR", "DATABASE_URL")

	old := install(t, "13.9 (Debian 13.9-1)", root, "usr/lib/postgresql/13/bin")
	_, err = f.find(0)
	expectText(t, err, old+" holds PostgreSQL 13.9 (Debian 13.9-1), but 14 or newer is needed", "DATABASE_URL")

	f.getenv = variables("PG_BINDIR=" + root)
	_, err = f.find(0)
	expectText(t, err, "PG_BINDIR", "no program initdb in "+root)
	f.getenv = variables("PG_BINDIR=" + old)
	_, err = f.find(0)
	expectText(t, err, "PG_BINDIR", "14 or newer is needed")
}

// The real programs: what is read out of the file is what the program would say.
func TestFind(t *testing.T) {
	t.Parallel()
	p, err := Find()
	must(t, err)
	out, err := output(p.path("initdb"), "--version")
	must(t, err)
	if got := "initdb (PostgreSQL) " + p.Version; got != strings.TrimSpace(out) {
		t.Errorf("found version %q, the program says %q", got, out)
	}
	if !strings.HasPrefix(p.Version, fmt.Sprint(p.Major)) {
		t.Errorf("major version %d of %s", p.Major, p.Version)
	}
}
