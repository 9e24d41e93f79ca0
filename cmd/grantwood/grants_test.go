package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGrantsCommand exports from a running server, changes the file, plans, imports, and meets refusals.
func TestGrantsCommand(t *testing.T) {
	t.Parallel()
	p := start(t, environment("GRANTWOOD_DEMO_DIR="+dataDir(t)), "demo")
	env := environment("GRANTWOOD_URL="+p.url, "GRANTWOOD_TOKEN="+signedIn(t, p, "owner@globex.example"))
	file := filepath.Join(t.TempDir(), "grants.csv")
	grants := func(want string, args ...string) string {
		t.Helper()
		out, err := run(t, env, append([]string{"grants"}, args...)...)
		if err != nil || !strings.Contains(out, want) {
			t.Fatalf("grants %v: %v, want %q:\n%s", args, err, want, out)
		}
		return out
	}
	read := func() string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	grants("", "export", file)
	before := read()
	if lines := strings.Count(before, "\n"); lines != 26 || !strings.HasPrefix(before, "email,name,gwk") || !strings.Contains(before, "\nreporting@globex.example,Rita Reporting,disabled,") {
		t.Fatalf("%d lines:\n%s", lines, before)
	}
	if out := grants("", "export", "-"); out != before {
		t.Errorf("on standard output:\n%s", out)
	}
	for _, command := range []string{"plan", "import"} {
		grants("0 changes", command, file)
	}
	rita := before[strings.Index(before, "reporting@"):]
	rita = rita[:strings.Index(rita, "\n")]
	wanted := strings.Replace(before, rita, strings.Replace(rita, "disabled,", "enabled until 2100-01-01T00:00:00Z,", 1), 1)
	write(wanted)
	const change = "column 3: reporting@globex.example gwk"
	if out := grants(change, "plan", file); !strings.Contains(out, ": disabled -> enabled until 2100-01-01T00:00:00Z\n1 changes: would enable 1 grants, would disable 0\n") {
		t.Errorf("plan:\n%s", out)
	}
	if out := grants("", "export", "-"); out != before {
		t.Errorf("a plan changed something:\n%s", out)
	}
	if out := grants(change, "import", file); !strings.Contains(out, "1 changes: enabled 1 grants, disabled 0\noperation evt_") {
		t.Errorf("import:\n%s", out)
	}
	if out := grants("", "export", "-"); out != wanted {
		t.Errorf("imported:\n%s", out)
	}
	write(strings.Replace(before, rita, rita+"\nnobody@globex.example"+strings.Repeat(",", strings.Count(rita, ","))+"perhaps", 1))
	for _, command := range []string{"plan", "import"} {
		out, err := run(t, env, "grants", command, file)
		if err == nil || !strings.Contains(out, "refused, NOT_FOUND: There is no such object, or it is not visible to you.\n") ||
			!strings.Contains(out, "refused, INVALID: A cell says") || !strings.Contains(out, "2 refusals: nothing is changed") || !strings.Contains(out, change) {
			t.Errorf("%s ended with %v:\n%s", command, err, out)
		}
	}
	if out := grants("", "export", "-"); out != wanted {
		t.Errorf("what was refused changed something:\n%s", out)
	}
	grantsFail(t, p, file)
	p.stop(t)
}

// grantsFail: each failure says what to do, writes no file, and shows no token.
func grantsFail(t *testing.T, p *program, file string) {
	t.Helper()
	reporting, missing := signedIn(t, p, "reporting@globex.example"), filepath.Join(t.TempDir(), "none.csv")
	for name, c := range map[string]struct {
		url, token string
		args       []string
		want       string
	}{
		"no token":        {p.url, "", []string{"plan", file}, "GRANTWOOD_TOKEN"},
		"a wrong token":   {p.url, "gws_wrong", []string{"export", missing}, "401"},
		"who may not":     {p.url, reporting, []string{"export", missing}, "This needs the capability MANAGE_GRANTS."},
		"no server":       {"http://127.0.0.1:1", reporting, []string{"export", missing}, "cannot reach the server"},
		"no address":      {"http://\x7f", reporting, []string{"export", missing}, "GRANTWOOD_URL"},
		"another server":  {p.url + "/healthz", reporting, []string{"export", missing}, "404"},
		"no file":         {p.url, reporting, []string{"import", missing}, "none.csv"},
		"no such command": {p.url, reporting, []string{"imprt", file}, "imprt"},
	} {
		out, err := run(t, environment("GRANTWOOD_URL="+c.url, "GRANTWOOD_TOKEN="+c.token), append([]string{"grants"}, c.args...)...)
		if err == nil || !strings.Contains(out, c.want) || strings.Contains(out, reporting) {
			t.Errorf("%s: ended with %v, want a failure that names %s:\n%s", name, err, c.want, out)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("a failed export left a file")
	}
}

// TestReports: progress goes aside, and a report that breaks off is a failure.
func TestReports(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ report, out, aside, err string }{
		"progress": {`{"progress":{"done":1,"of":2}}
{"result":{"applied":true,"changes":2,"refused":0,"enabled":2,"disabled":0,"operationId":"evt_x"}}`, "2 changes: enabled 2 grants, disabled 0\noperation evt_x\n", "1 of 2 changes written\n", ""},
		"broken off": {`{"progress":{"done":1,"of":2}}`, "", "1 of 2 changes written\n", "broke off"},
		"no report":  {"", "", "", "broke off"},
		"a failure":  {`{"error":{"code":"UNAVAILABLE","message":"The request took too long."}}`, "", "", "the server gave up, UNAVAILABLE: The request took too long."},
	} {
		var out, aside bytes.Buffer
		err := show(strings.NewReader(c.report), &out, &aside)
		if out.String() != c.out || aside.String() != c.aside || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, %q, aside %q", name, err, out.String(), aside.String())
		}
	}
}
