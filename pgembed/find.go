package pgembed

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// oldest is the oldest PostgreSQL that the schema and this package work with.
const oldest = 14

// Programs are the PostgreSQL programs that a server is made of.
type Programs struct {
	BinDir  string // the directory that holds initdb and postgres, absolute
	Major   int    // 15
	Version string // "15.18 (Debian 15.18-0+deb12u1)"
}

func (p Programs) path(name string) string { return filepath.Join(p.BinDir, name) }

// Find looks for PostgreSQL 14 or newer: in PG_BINDIR and, when that is set, nowhere else; along PATH, following
// links; where Debian, the PostgreSQL RPMs, Alpine and Homebrew put it, highest version first; and last where
// pg_config says. The error names what to install on which system.
func Find() (Programs, error) {
	return finder{getenv: os.Getenv}.find(0)
}

// finder is Find with its surroundings.
type finder struct {
	getenv func(string) string
	root   string // stands before the well-known directories; empty but in tests
}

// wellKnown are the directories of programs by system; the star is the version.
var wellKnown = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/libexec/postgresql*",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
}

// find returns the first usable programs, or the first of the major version prefer where such are installed: an
// upgrade of the system may put a newer version beside the one that wrote the data.
func (f finder) find(prefer int) (Programs, error) {
	if dir := f.getenv("PG_BINDIR"); dir != "" {
		p, err := inspect(dir)
		if err != nil {
			return Programs{}, fmt.Errorf("PG_BINDIR: %w", err)
		}
		return p, nil
	}
	var first Programs
	var refused []error
	for dir := range f.candidates() {
		p, err := inspect(dir)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			refused = append(refused, err)
			continue
		}
		if prefer == 0 || p.Major == prefer {
			return p, nil
		}
		if first.BinDir == "" {
			first = p
		}
	}
	if first.BinDir != "" {
		return first, nil
	}
	return Programs{}, notFound(refused)
}

// candidates are the directories to look into, in order. Running pg_config costs the most, so it is the last.
func (f finder) candidates() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, dir := range filepath.SplitList(f.getenv("PATH")) {
			for _, found := range throughLinks(dir) {
				if !yield(found) {
					return
				}
			}
		}
		for _, pattern := range wellKnown {
			for _, dir := range newestFirst(f.root + pattern) {
				if !yield(dir) {
					return
				}
			}
		}
		if dir := f.configured(); dir != "" {
			yield(dir)
		}
	}
}

// throughLinks follows a link such as /usr/bin/postgres to the directory where its siblings are. The directory
// itself follows: it may be a farm of links that lead to different places.
func throughLinks(dir string) []string {
	if !filepath.IsAbs(dir) {
		return nil // a relative entry of PATH would depend on where the program was started
	}
	var dirs []string
	for _, name := range []string{"initdb", "postgres"} {
		if target, err := filepath.EvalSymlinks(filepath.Join(dir, name)); err == nil {
			dirs = append(dirs, filepath.Dir(target), dir)
		}
	}
	return dirs
}

var digits = regexp.MustCompile(`\d+`)

// newestFirst expands a pattern of wellKnown, highest major version first.
func newestFirst(pattern string) []string {
	dirs, _ := filepath.Glob(pattern) // the patterns are constants, so the error cannot occur
	prefix, _, _ := strings.Cut(pattern, "*")
	major := func(dir string) int {
		n, _ := strconv.Atoi(digits.FindString(strings.TrimPrefix(dir, prefix)))
		return n
	}
	slices.SortFunc(dirs, func(a, b string) int { return cmp.Compare(major(b), major(a)) })
	return dirs
}

// configured asks pg_config, which the development package brings even where nothing else is on PATH.
func (f finder) configured() string {
	for _, dir := range filepath.SplitList(f.getenv("PATH")) {
		program := filepath.Join(dir, "pg_config")
		if !filepath.IsAbs(dir) || !executable(program) {
			continue
		}
		out, err := exec.Command(program, "--bindir").Output()
		if err == nil {
			return strings.TrimSpace(string(out))
		}
	}
	return ""
}

func notFound(refused []error) error {
	var b strings.Builder
	fmt.Fprintf(&b, "PostgreSQL %d or newer was not found: its programs initdb and postgres are needed.\n", oldest)
	for _, err := range refused {
		fmt.Fprintf(&b, "Found, but not usable: %v.\n", err)
	}
	b.WriteString(`Install it:
  Debian, Ubuntu:  apt-get install postgresql
  Fedora, RHEL:    dnf install postgresql-server
  Alpine:          apk add postgresql
  Arch:            pacman -S postgresql
  macOS:           brew install postgresql@17
or set PG_BINDIR to the directory that holds the programs,
or set DATABASE_URL to a PostgreSQL server that is already running.`)
	return errors.New(b.String())
}
