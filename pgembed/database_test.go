package pgembed

import (
	"database/sql"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

func output(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).Output()
	return string(out), err
}

// Several callers at once all succeed, each over its own connection as separate processes would.
func TestEnsureDatabase(t *testing.T) {
	t.Parallel()
	s := start(t, Options{DataDir: usedHome(t), Volatile: true})
	for _, name := range []string{"grantwood", `it's "quoted" \ Ä`} {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := s.EnsureDatabase(t.Context(), name); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := query(t, s, `SELECT count(*) FROM pg_database WHERE datname = $1`, name); got != "1" {
			t.Errorf("%s databases %q", got, name)
		}
	}
	for _, name := range []string{"", "a\x00b", strings.Repeat("x", 64)} {
		expectText(t, s.EnsureDatabase(t.Context(), name), "1 to 63 bytes")
	}
}

// A role may connect, over a DSN of its own, and has no rights beyond.
func TestEnsureRole(t *testing.T) {
	t.Parallel()
	s := start(t, Options{DataDir: usedHome(t), Volatile: true})
	for _, name := range []string{"clerk", `it's a "clerk" \ Ä`} {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := s.EnsureRole(t.Context(), name); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		db, err := sql.Open("postgres", s.DSNAs(name, "postgres"))
		must(t, err)
		defer db.Close()
		var got string
		must(t, db.QueryRow(`SELECT current_user`).Scan(&got))
		if got != name {
			t.Errorf("connected as %q, want %q", got, name)
		}
		if _, err := db.Exec(`CREATE ROLE another`); err == nil {
			t.Errorf("%s may create roles", name)
		}
	}
	expectText(t, s.EnsureRole(t.Context(), ""), "1 to 63 bytes")
}

func TestJournalIsBounded(t *testing.T) {
	t.Parallel()
	dir := newHome(t)
	h, err := openHome(dir)
	must(t, err)
	defer h.close()
	j, writer, err := newJournal(h)
	must(t, err)
	line := strings.Repeat("x", 999) + "\n"
	for range 5000 {
		_, err := writer.WriteString(line)
		must(t, err)
	}
	_, err = writer.WriteString("the last line\n")
	must(t, err)
	must(t, writer.Close())
	j.close()
	newest, older := readFile(t, dir, journalFile), readFile(t, dir, journalFile+".1")
	if n := len(newest) + len(older); n > 2*journalSize+64<<10 || n < journalSize {
		t.Errorf("%d bytes of log", n)
	}
	if !strings.HasSuffix(newest, "the last line\n") || !strings.HasSuffix(j.lastLines(), "\nthe last line") {
		t.Errorf("the last line is missing; lastLines is %q", j.lastLines())
	}
}
