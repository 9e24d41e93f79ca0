package main

import (
	"compress/gzip"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/lib/pq"

	"grantwood/pgembed"
)

// meter makes an operator who sends usage in, beside a running server, and gives its token.
func meter(t *testing.T, env []string, args ...string) string {
	t.Helper()
	token, err := run(t, env, append([]string{"operator", "create", "--label", "Meter", "--scopes", "ingest"}, args...)...)
	if err != nil {
		t.Fatalf("operator create: %v: %s", err, token)
	}
	return strings.TrimSpace(token)
}

// masterKey gives the public part of the owner's only key.
func masterKey(t *testing.T, p *program, owner string) string {
	t.Helper()
	return at(p.mustAsk(t, owner, `{ account { masterKey { key } } }`, nil), "account", "masterKey", "key")
}

// usageFile writes lines of usage, a record a second, in a form and gives the name of the file.
func usageFile(t *testing.T, name, key string, records int, more ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var w io.Writer = f
	if strings.HasSuffix(name, ".gz") {
		z := gzip.NewWriter(f)
		defer func() { _ = z.Close() }()
		w = z
	}
	start, line := time.Now().UTC().Add(-24*time.Hour), `{"key":%q,"reference":"r%d","product":"SMS","quantity":1,"cost":"0.01","occurredAt":%q}`+"\n"
	if strings.Contains(name, ".csv") {
		line = "%s,r%d,SMS,1,0.01,%s\n"
		_, _ = io.WriteString(w, "key,reference,product,quantity,cost,occurredAt\n")
	}
	for i := range records {
		_, _ = fmt.Fprintf(w, line, key, i, start.Add(time.Duration(i)*time.Second).Truncate(time.Second).Format(time.RFC3339))
	}
	for _, m := range more {
		_, _ = io.WriteString(w, m)
	}
	if w == io.Writer(f) {
		_ = f.Close()
	}
	return path
}

// runWith is run with standard input.
func runWith(t *testing.T, env []string, in io.Reader, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env, cmd.Stdin = env, in
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestIngest sends files as a provider does, in all forms, again, with mistakes, and strictly; then the sums are compared,
// sabotaged and made anew.
func TestIngest(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := start(t, environment(), "serve", "--data-dir", dir)
	owner, token := newOwner(t, p, environment(), "--data-dir", dir), meter(t, environment(), "--data-dir", dir)
	key := masterKey(t, p, owner)
	env := environment("GRANTWOOD_TOKEN="+token, "GRANTWOOD_URL="+p.url)
	lines, table := usageFile(t, "a.ndjson", key, 10), usageFile(t, "b.csv", key, 12)
	bad := usageFile(t, "c.ndjson", key, 1, `{"key":"gwk0","reference":"x","product":"SMS","quantity":1,"cost":"1","occurredAt":"2016-06-29T09:00:00Z"}`+"\n", "nonsense\n")
	for _, step := range []struct {
		name  string
		env   []string
		in    string
		args  []string
		fails bool
		want  []string
	}{
		{"lines and a table", env, "", []string{lines, table}, false, []string{"a.ndjson: 10 accepted, 0 duplicates, 0 refused", "b.csv: 2 accepted, 10 duplicates, 0 refused"}},
		{"again", env, "", []string{lines}, false, []string{"0 accepted, 10 duplicates, 0 refused"}},
		{"mistakes", env, "", []string{bad}, true, []string{"0 accepted, 1 duplicates, 2 refused", "c.ndjson:2: occurredAt: The time lies before", "c.ndjson:3: The line is no JSON object. (INVALID)", "2 records were refused"}},
		{"standard input", env, `{"key":"` + key + `","reference":"s","product":"SMS","quantity":1,"cost":"1","occurredAt":"` + time.Now().UTC().Format(time.RFC3339) + `"}`, []string{"-"}, false, []string{"-: 1 accepted"}},
		{"a form of its own", env, "key", []string{"--format", "csv", "-"}, true, []string{"There is no column reference."}},
		{"strict", env, "", []string{"--strict", bad}, true, []string{"0 accepted, 0 duplicates, 1 refused", "Stopped"}},
		{"no token", environment(), "", []string{lines}, true, []string{"GRANTWOOD_TOKEN"}},
		{"bad token", environment("GRANTWOOD_TOKEN=x", "GRANTWOOD_URL="+p.url), "", []string{lines}, true, []string{"Sign in first"}},
		{"somebody else's token", environment("GRANTWOOD_TOKEN="+owner, "GRANTWOOD_URL="+p.url), "", []string{lines}, true, []string{"callers of the kind USER"}},
		{"no server", environment("GRANTWOOD_TOKEN=x", "GRANTWOOD_URL=http://127.0.0.1:1"), "", []string{lines}, true, []string{"127.0.0.1:1"}},
		{"no file", env, "", []string{"/nowhere"}, true, []string{"/nowhere"}},
	} {
		out, err := runWith(t, step.env, strings.NewReader(step.in), append([]string{"ingest"}, step.args...)...)
		if (err != nil) != step.fails {
			t.Errorf("%s: ended with %v\n%s", step.name, err, out)
		}
		for _, want := range step.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", step.name, want, out)
			}
		}
	}
	p.stop(t)
}

// counted gives how many records a page of the account's usage of the last days holds, following the cursors, each once.
func counted(t *testing.T, p *program, owner string) []string {
	t.Helper()
	var all []string
	after := any(nil)
	for {
		usage := p.mustAsk(t, owner, `query($after: String, $from: DateTime!) { account { usage(first: 100, after: $after, filter: {from: $from}) { nodes { reference } pageInfo { hasNextPage endCursor } } } }`,
			map[string]any{"after": after, "from": time.Now().UTC().AddDate(0, 0, -3).Format(time.RFC3339)})["account"].(map[string]any)["usage"].(map[string]any)
		for _, n := range usage["nodes"].([]any) {
			all = append(all, at(n, "reference"))
		}
		info := usage["pageInfo"].(map[string]any)
		if info["hasNextPage"] != true {
			slices.Sort(all)
			return all
		}
		after = info["endCursor"]
	}
}

// TestKillDuringIngestion kills the server while usage is sent in, starts it again and sends the same once more: each record is there
// once, and the sums are those of the records.
func TestKillDuringIngestion(t *testing.T) {
	t.Parallel()
	const records = 12_000
	dir := dataDir(t)
	p := start(t, environment(), "serve", "--data-dir", dir)
	owner, token := newOwner(t, p, environment(), "--data-dir", dir), meter(t, environment(), "--data-dir", dir)
	file := usageFile(t, "all.csv.gz", masterKey(t, p, owner), records)
	ended := make(chan string, 1)
	go func() {
		out, _ := runWith(t, environment("GRANTWOOD_TOKEN="+token, "GRANTWOOD_URL="+p.url), nil, "ingest", file)
		ended <- out
	}()
	eventually(t, "something was added", func() bool {
		data, err := p.ask(owner, `{ account { usage(first: 1, filter: {from: "2020-01-01T00:00:00Z"}) { nodes { id } } } }`, nil)
		return err == nil && len(data["account"].(map[string]any)["usage"].(map[string]any)["nodes"].([]any)) > 0
	})
	sigkill(t, p.cmd.Process.Pid)
	p.ended(t, false)
	t.Logf("the first time: %s", <-ended)
	eventually(t, "nothing is left running", func() bool { return len(processesIn(t, dir)) == 0 })
	p = start(t, environment(), "serve", "--data-dir", dir)
	before := len(counted(t, p, owner))
	out, err := runWith(t, environment("GRANTWOOD_TOKEN="+token, "GRANTWOOD_URL="+p.url), nil, "ingest", file)
	if want := fmt.Sprintf("%d accepted, %d duplicates, 0 refused", records-before, before); err != nil || !strings.Contains(out, want) {
		t.Errorf("%v: no %q in %s", err, want, out)
	}
	all := counted(t, p, owner)
	if len(all) != records || len(slices.Compact(all)) != records {
		t.Errorf("%d records, of which %d differ, want %d", len(all), len(slices.Compact(all)), records)
	}
	if out, err := run(t, environment(), "doctor", "--data-dir", dir, "--rollups"); err != nil {
		t.Errorf("doctor --rollups: %v\n%s", err, out)
	}
	p.stop(t)
}

// TestDoctorRollups spoils a sum behind the program's back: the doctor finds it, and makes it anew when told to.
func TestDoctorRollups(t *testing.T) {
	t.Parallel()
	s, err := pgembed.Start(t.Context(), pgembed.Options{DataDir: dataDir(t), Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop() }()
	if err := s.EnsureDatabase(t.Context(), "accounts"); err != nil {
		t.Fatal(err)
	}
	env := environment("DATABASE_URL="+s.DSN("accounts"), "GRANTWOOD_USAGE_RETENTION=3")
	p := start(t, env, "serve")
	owner, token := newOwner(t, p, env), meter(t, env)
	file := usageFile(t, "a.csv", masterKey(t, p, owner), 20)
	if out, err := run(t, append(env, "GRANTWOOD_TOKEN="+token, "GRANTWOOD_URL="+p.url), "ingest", file); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pool, err := sql.Open("postgres", s.DSN("accounts"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	var partitions int
	if err := pool.QueryRow(`SELECT count(*) FROM pg_inherits WHERE inhparent = 'usage_records'::regclass`).Scan(&partitions); err != nil || partitions != 3+1+2 {
		t.Errorf("%d partitions, %v, want those of the 3 months kept, of this one and of the next 2", partitions, err)
	}
	if _, err := pool.Exec(`UPDATE usage_days SET records = records + 1`); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args  []string
		fails bool
		want  string
	}{
		{[]string{"doctor"}, false, "ok"},
		{[]string{"doctor", "--rebuild"}, true, "--rollups"},
		{[]string{"doctor", "--rollups"}, true, "sums differ from the records"},
		{[]string{"doctor", "--rollups", "--rebuild"}, false, "made anew"},
		{[]string{"doctor", "--rollups"}, false, "ok    sums of usage are those of its records"},
	} {
		out, err := run(t, env, step.args...)
		if (err != nil) != step.fails || !strings.Contains(out, step.want) {
			t.Errorf("%v ended with %v, want %q in\n%s", step.args, err, step.want, out)
		}
	}
	p.stop(t)
}
