package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"grantwood/demo"
	"grantwood/pgembed"
)

func signedIn(t *testing.T, p *program, email string) string {
	t.Helper()
	data := p.mustAsk(t, "", `mutation($e: String!, $p: String!) { signIn(input: {email: $e, password: $p}) { userErrors { message } sessionToken } }`,
		map[string]any{"e": email, "p": demo.Password})
	return at(data, "signIn", "sessionToken")
}

// TestDemo starts the demo three times: it is filled once, keeps what was changed, and starts over when asked.
func TestDemo(t *testing.T) {
	t.Parallel()
	env := environment("GRANTWOOD_DEMO_DIR=" + dataDir(t))
	p := start(t, env, "demo", "--usage", "5000")
	for _, person := range demo.People() {
		signedIn(t, p, person.Email)
		if !strings.Contains(p.out.String(), person.Email) {
			t.Errorf("the demo does not print %s", person.Email)
		}
	}
	if got := len(names(t, p, signedIn(t, p, "reporting@globex.example"))); got != 2 {
		t.Errorf("reporting sees %d keys, want 2", got)
	}
	if got := len(names(t, p, signedIn(t, p, "owner@globex.example"))); got != 40 {
		t.Errorf("the owner sees %d keys, want 40", got)
	}
	loaded(t, p)
	hasUsage(t, p, 5000)
	p.mustAsk(t, signedIn(t, p, "owner@globex.example"), `mutation { createApiKey(input: {name: "Changed", kind: OTHER}) { userErrors { message } } }`, nil)
	p.stop(t)
	p = start(t, env, "demo")
	if got := len(names(t, p, signedIn(t, p, "owner@globex.example"))); got != 41 {
		t.Errorf("after a second start the owner sees %d keys, want 41", got)
	}
	hasUsage(t, p, 5000)
	if out := p.out.String(); strings.Contains(out, "is being loaded") || strings.Contains(out, "usage loaded") {
		t.Errorf("a second start loads usage\n%s", out)
	}
	p.stop(t)
	p = start(t, env, "demo", "--fresh", "--usage", "0")
	if got := len(names(t, p, signedIn(t, p, "owner@globex.example"))); got != 40 {
		t.Errorf("after a fresh start the owner sees %d keys, want 40", got)
	}
	hasUsage(t, p, 0)
	p.stop(t)
}

// TestDemoInterrupted kills the demo while it loads usage and changes what it goes by: the next start goes on, and every record is
// there once.
func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	const records = 60_000
	env := environment("GRANTWOOD_DEMO_DIR=" + dataDir(t))
	p := start(t, env, "demo", "--usage", fmt.Sprint(records))
	eventually(t, "some usage is loaded", func() bool { return strings.Contains(p.out.String(), "loading usage") })
	p.mustAsk(t, signedIn(t, p, "owner@initech.example"), `mutation($k: ID!) { updateApiKey(input: {keyId: $k, name: "Renamed"}) { userErrors { message } } }`,
		map[string]any{"k": keyID(t, p, signedIn(t, p, "owner@initech.example"), "Customer: Wonka")})
	sigkill(t, p.cmd.Process.Pid)
	p.ended(t, false)
	p = start(t, env, "demo", "--usage", "1000")
	loaded(t, p)
	hasUsage(t, p, records)
	p.stop(t)
}

func keyID(t *testing.T, p *program, token, name string) string {
	t.Helper()
	data := p.mustAsk(t, token, `query($n: String!) { account { apiKeys(filter: {search: $n}) { nodes { id } } } }`, map[string]any{"n": name})
	return at(data["account"].(map[string]any)["apiKeys"].(map[string]any)["nodes"].([]any)[0], "id")
}

func loaded(t *testing.T, p *program) {
	t.Helper()
	eventually(t, "usage is loaded", func() bool { return strings.Contains(p.out.String(), "usage loaded") })
}

// hasUsage expects that the demo has as many records in all; those that were corrected do not count.
func hasUsage(t *testing.T, p *program, records int) {
	t.Helper()
	for account, owner := range map[string]string{demo.Globex: "owner@globex.example", demo.Initech: "owner@initech.example"} {
		now := time.Now().UTC()
		data := p.mustAsk(t, signedIn(t, p, owner), `query($f: DateTime!, $t: DateTime!) { account { usageReport(input: {from: $f, to: $t}) { totals { records } } } }`,
			map[string]any{"f": now.AddDate(0, 0, -demo.UsageDays-5), "t": now})
		of := demo.UsageOf(account, records)
		report := data["account"].(map[string]any)["usageReport"].(map[string]any)
		if got, want := fmt.Sprint(report["totals"].(map[string]any)["records"]), fmt.Sprint(of-of/2000); got != want {
			t.Errorf("%s has %s records of usage, want %s", account, got, want)
		}
	}
}

var (
	printedBody  = regexp.MustCompile(`-d '([^']*)'`)
	printedToken = regexp.MustCompile(`Authorization: Bearer ([^"]+)"`)
)

// TestDemoPrintsWhatWorks does what the printed commands do, with their own bodies and tokens.
func TestDemoPrintsWhatWorks(t *testing.T) {
	t.Parallel()
	p := start(t, environment("GRANTWOOD_DEMO_DIR="+dataDir(t)), "demo", "--usage", "20000")
	loaded(t, p)
	eventually(t, "the commands are printed", func() bool { return strings.Count(p.out.String(), "curl -s") == 3 })
	var session, answers string
	for line := range strings.Lines(p.out.String()) {
		body := printedBody.FindStringSubmatch(line)
		if body == nil {
			continue
		}
		token := ""
		if m := printedToken.FindStringSubmatch(line); m != nil {
			token = strings.ReplaceAll(m[1], "$TOKEN", session)
		}
		var operation struct{ Query string }
		if err := json.Unmarshal([]byte(body[1]), &operation); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		data := p.mustAsk(t, token, operation.Query, nil)
		if strings.HasPrefix(strings.TrimSpace(line), "TOKEN=") {
			session = at(data, "signIn", "sessionToken")
		}
		answers += fmt.Sprint(data)
	}
	for _, want := range []string{"Rita Reporting", "totalCount:2", "Asia Pacific: Sales", "product:VOICE", "Hooli", "/invitation#gwi_"} {
		if !strings.Contains(answers, want) {
			t.Errorf("the commands do not show %s:\n%s\n%s", want, p.out, answers)
		}
	}
	p.stop(t)
}

// TestDatabaseURL serves from a PostgreSQL that somebody else runs.
func TestDatabaseURL(t *testing.T) {
	t.Parallel()
	s, err := pgembed.Start(t.Context(), pgembed.Options{DataDir: dataDir(t), Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop() }()
	if err := s.EnsureDatabase(t.Context(), "accounts"); err != nil {
		t.Fatal(err)
	}
	env := environment("DATABASE_URL=" + s.DSN("accounts"))
	if out, err := run(t, env, "doctor"); err == nil || !strings.Contains(out, "migrations are missing") {
		t.Errorf("doctor before migrate: %v\n%s", err, out)
	}
	if out, err := run(t, env, "migrate"); err != nil {
		t.Fatalf("migrate: %v\n%s", err, out)
	}
	if out, err := run(t, env, "doctor"); err != nil {
		t.Errorf("doctor after migrate: %v\n%s", err, out)
	}
	p := start(t, env, "serve")
	owner := newOwner(t, p, env)
	if got := names(t, p, owner); len(got) != 1 {
		t.Errorf("the owner of a new account sees %v, want the master key", got)
	}
	if out, err := run(t, env, "operator", "list"); err != nil || !strings.Contains(out, "ADMIN") {
		t.Errorf("operator list: %v\n%s", err, out)
	}
	if out, err := run(t, env, "operator", "revoke", "Test"); err != nil {
		t.Errorf("operator revoke: %v\n%s", err, out)
	}
	p.stop(t)
}

// TestWrongSettings: each stops the start with a sentence that says which setting it is.
func TestWrongSettings(t *testing.T) {
	t.Parallel()
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		env  []string
		args []string
		want string
	}{
		{"address", nil, []string{"serve", "--addr", "nowhere"}, "GRANTWOOD_ADDR"},
		{"address by variable", []string{"GRANTWOOD_ADDR=8080"}, []string{"serve"}, "GRANTWOOD_ADDR"},
		{"public address", []string{"GRANTWOOD_PUBLIC_URL=example.com"}, []string{"serve"}, "GRANTWOOD_PUBLIC_URL"},
		{"usage", []string{"GRANTWOOD_USAGE=-1"}, []string{"demo"}, "GRANTWOOD_USAGE"},
		{"cost", []string{"GRANTWOOD_MAX_COST=0"}, []string{"serve"}, "GRANTWOOD_MAX_COST"},
		{"cost that is no number", []string{"GRANTWOOD_MAX_COST=much"}, []string{"serve"}, "max-cost"},
		{"connections", []string{"GRANTWOOD_MAX_CONNECTIONS=0"}, []string{"serve"}, "GRANTWOOD_MAX_CONNECTIONS"},
		{"usage for no month", []string{"GRANTWOOD_USAGE_RETENTION=0"}, []string{"serve"}, "GRANTWOOD_USAGE_RETENTION"},
		{"admin database alone", []string{"DATABASE_ADMIN_URL=postgres:///x"}, []string{"serve"}, "DATABASE_URL"},
		{"binary parameters", []string{"DATABASE_URL=host=/nowhere binary_parameters=no"}, []string{"serve"}, "binary_parameters"},
		{"malformed database", []string{"DATABASE_URL=host=/nowhere sslmode=maybe"}, []string{"serve"}, "DATABASE_URL"},
		{"unreachable database", []string{"DATABASE_URL=host=/nowhere dbname=x sslmode=disable"}, []string{"serve"}, "cannot be reached"},
		{"data directory", nil, []string{"serve", "--data-dir", filepath.Join(blocked, "below")}, blocked},
		{"programs", []string{"PG_BINDIR=/nowhere"}, []string{"serve", "--data-dir", filepath.Join(t.TempDir(), "x")}, "PG_BINDIR"},
		{"log format", nil, []string{"serve", "--log-format", "xml"}, "log-format"},
		{"scopes", nil, []string{"operator", "create", "--label", "x", "--scopes", "root"}, "--scopes"},
		{"label", nil, []string{"operator", "create", "--label", " ", "--scopes", "admin"}, "--label"},
		{"command", nil, []string{"sreve"}, "sreve"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out, err := run(t, environment(c.env...), c.args...)
			if err == nil || !strings.Contains(out, c.want) || strings.Contains(out, "goroutine") {
				t.Errorf("ended with %v, want a failure that names %s:\n%s", err, c.want, out)
			}
		})
	}
}

// TestSecondServer: a second server on the same directory says which process has it.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := start(t, environment(), "serve", "--data-dir", dir)
	out, err := run(t, environment(), "serve", "--data-dir", dir, "--addr", "127.0.0.1:0")
	if err == nil || !strings.Contains(out, "in use by process") {
		t.Errorf("ended with %v:\n%s", err, out)
	}
	if out, err := run(t, environment(), "doctor", "--data-dir", dir); err != nil {
		t.Errorf("doctor beside a running server: %v\n%s", err, out)
	}
	p.stop(t)
}
