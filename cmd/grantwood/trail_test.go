package main

import (
	"database/sql"
	"strings"
	"testing"

	"grantwood/pgembed"
)

// TestTwoRoles does what the README says for a PostgreSQL that somebody else runs: one role owns the tables, another serves.
// Old events leave by the owner.
func TestTwoRoles(t *testing.T) {
	t.Parallel()
	s, err := pgembed.Start(t.Context(), pgembed.Options{DataDir: dataDir(t), Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop() }()
	superuser, err := sql.Open("postgres", s.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = superuser.Close() }()
	for _, statement := range []string{"CREATE ROLE accounts_owner LOGIN", "CREATE ROLE accounts_server LOGIN", "CREATE DATABASE accounts OWNER accounts_owner"} {
		if _, err := superuser.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	one := environment("DATABASE_URL=" + s.DSNAs("accounts_owner", "accounts"))
	two := environment("DATABASE_URL="+s.DSNAs("accounts_server", "accounts"), "DATABASE_ADMIN_URL="+s.DSNAs("accounts_owner", "accounts"))

	p := start(t, one, "serve")
	newOwner(t, p, one)
	p.stop(t)
	if !strings.Contains(p.out.String(), "could rewrite it") {
		t.Errorf("the log of one role does not warn:\n%s", p.out)
	}
	if out, err := run(t, one, "doctor"); err != nil || !strings.Contains(out, "note  the role that serves requests owns the audit trail") {
		t.Errorf("doctor with one role: %v\n%s", err, out)
	}

	owner, err := sql.Open("postgres", s.DSNAs("accounts_owner", "accounts"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = owner.Close() }()
	if _, err := owner.ExecContext(t.Context(), `UPDATE audit_events SET occurred_at = now() - interval '31 days'`); err != nil {
		t.Fatal(err)
	}
	events := func() (n int) {
		if err := owner.QueryRowContext(t.Context(), `SELECT count(*) FROM audit_events WHERE occurred_at < now() - interval '30 days'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	p = start(t, two, "serve") // for ever, when nothing is set
	if names(t, p, signIn(t, p)) == nil {
		t.Error("the owner sees no key")
	}
	if out, err := run(t, two, "doctor"); err != nil || !strings.Contains(out, "ok    the audit trail is append-only for the role that serves requests") {
		t.Errorf("doctor with two roles: %v\n%s", err, out)
	}
	p.stop(t)
	if strings.Contains(p.out.String(), "could rewrite it") {
		t.Errorf("the log of two roles warns:\n%s", p.out)
	}
	if n := events(); n < 3 {
		t.Fatalf("%d old events are left without a retention", n)
	}
	p = start(t, append(two, "GRANTWOOD_AUDIT_RETENTION=30"), "serve")
	eventually(t, "old events have left", func() bool { return events() == 0 })
	signIn(t, p)
	p.stop(t)
	var kept int
	if err := owner.QueryRowContext(t.Context(), `SELECT count(*) FROM audit_events`).Scan(&kept); err != nil || kept != 2 {
		t.Errorf("%d events are kept, %v, want those of both sign-ins", kept, err)
	}
}

func signIn(t *testing.T, p *program) string {
	t.Helper()
	return at(p.mustAsk(t, "", `mutation { signIn(input: {email: "owner@test.example", password: "correct horse battery"}) { userErrors { message } sessionToken } }`, nil),
		"signIn", "sessionToken")
}
