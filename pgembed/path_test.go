package pgembed

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lib/pq"
)

func TestPaths(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long/", 30)
	tests := map[string]struct {
		below     string
		temporary bool // the socket does not fit into the directory
	}{
		"space and quote": {below: `a b/it's`},
		"all quotes":      {below: `"ä" \b\ 'c'`},
		"very long":       {below: long + "it's", temporary: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from := usedHome(t)
			dir := filepath.Join(tempDir(t), test.below)
			must(t, os.MkdirAll(filepath.Dir(dir), 0o755))
			must(t, os.Rename(from, dir))
			s := start(t, Options{DataDir: dir})
			if got := query(t, s, `SELECT 'it works'`); got != "it works" {
				t.Errorf("got %q", got)
			}
			if got := s.socketDir != filepath.Join(dir, runDir); got != test.temporary {
				t.Errorf("the socket is in %s", s.socketDir)
			}
			attached, err := Attach(dir)
			must(t, err)
			if attached.DSN("x") != s.DSN("x") {
				t.Errorf("DSN of Attach is %s, of Start %s", attached.DSN("x"), s.DSN("x"))
			}
			socketDir := s.socketDir
			must(t, s.Stop())
			if _, err := os.Stat(socketDir); test.temporary && !os.IsNotExist(err) {
				t.Errorf("the temporary directory is left: %v", err)
			}
		})
	}
}

// The temporary directory of a killed server is removed by the next start.
func TestSweepSocket(t *testing.T) {
	t.Parallel()
	dir := usedHome(t) + ",with a comma"
	must(t, os.Rename(strings.TrimSuffix(dir, ",with a comma"), dir))
	p := startProgram(t, dir, nil)
	p.insertSome(t, 1)
	left := strings.TrimSpace(readFile(t, dir, socketFile))
	kill(t, p.cmd.Process.Pid, syscall.SIGKILL)
	kill(t, p.postmaster, syscall.SIGKILL)
	p.exit()
	if _, err := os.Stat(left); err != nil {
		t.Fatalf("nothing to sweep, so this test proves nothing: %v", err)
	}
	s := start(t, Options{DataDir: dir})
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", left, err)
	}
	query(t, s, `SELECT 1`)
}

// The file that remembers the directory may say anything; only what this package has made is removed.
func TestSweepSocketIsCareful(t *testing.T) {
	t.Parallel()
	h, err := openHome(newHome(t))
	must(t, err)
	defer h.close()
	victim := filepath.Join(tempDir(t), "victim")
	must(t, os.MkdirAll(victim, 0o755))
	writeFile(t, victim+"\n", h.path(socketFile))
	h.sweepSocket()
	if _, err := os.Stat(victim); err != nil {
		t.Errorf("a foreign directory was removed: %v", err)
	}
}

func TestFits(t *testing.T) {
	t.Parallel()
	room := maxSocketPath() - len("/"+socketName)
	tests := map[string]bool{
		"/" + strings.Repeat("x", room-1): true,
		"/" + strings.Repeat("x", room):   false,
		"/a 'b'":                          true,
		"/a,b":                            false,
		"/a\xffb":                         false,
	}
	for dir, want := range tests {
		if got := fits(dir); got != want {
			t.Errorf("fits(%q) is %v", dir, got)
		}
	}
}

func TestDSN(t *testing.T) {
	t.Parallel()
	s := &Server{socketDir: `/tmp/a 'b' \c="d"`}
	config, err := pq.NewConfig(s.DSN(`x 'y' \z`))
	must(t, err)
	if config.Host != s.socketDir || config.Database != `x 'y' \z` || config.User != "grantwood" ||
		config.Port != 5432 || config.SSLMode != pq.SSLModeDisable {
		t.Errorf("%s is read as %+v", s.DSN(`x 'y' \z`), config)
	}
}

func TestLineBreak(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Options{DataDir: "/tmp/a\nb"})
	expectText(t, err, "line break")
}
