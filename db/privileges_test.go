package db_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"grantwood/db"
	"grantwood/db/dbtest"
)

// serving connects to a migrated database of the test's own as the role that serves requests.
func serving(t *testing.T) (pool *sqlx.DB, name, role string) {
	t.Helper()
	name = dbtest.Copy(t, "")
	dbtest.OpenNamed(t, name)
	pool, err := sqlx.Open("postgres", dbtest.Config(t, name).URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	if err := pool.GetContext(t.Context(), &role, `SELECT current_user`); err != nil {
		t.Fatal(err)
	}
	return pool, name, role
}

const anEvent = `INSERT INTO audit_events (account_id, event_id, action, occurred_at, actor_label, summary, request_id)
	VALUES ('00000000-0000-7000-8000-000000000001', gen_random_uuid(), 'SIGNED_IN', now(), 'x', 'x', 'x')`

// TestAuditTrailIsAppendOnly tries what the serving role could do to rewrite history, and some detours.
func TestAuditTrailIsAppendOnly(t *testing.T) {
	t.Parallel()
	pool, name, role := serving(t)
	var owner string
	if err := connect(t, name).GetContext(t.Context(), &owner, `SELECT current_user`); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`INSERT INTO accounts (account_id, name, currency, created_at) VALUES ('00000000-0000-7000-8000-000000000001', 'x', 'EUR', now())`,
		anEvent, `SELECT 1 FROM audit_events`, `UPDATE accounts SET status = 'SUSPENDED'`,
	} {
		if _, err := pool.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	for _, statement := range []string{
		`UPDATE audit_events SET summary = 'y'`,
		`UPDATE audit_events SET summary = 'y' WHERE false`,
		`DELETE FROM audit_events`,
		`TRUNCATE audit_events`,
		`INSERT INTO audit_events SELECT * FROM audit_events ON CONFLICT (account_id, event_id) DO UPDATE SET summary = 'y'`,
		`SELECT 1 FROM audit_events FOR UPDATE`,
		`DELETE FROM accounts`, // would take the events along
		`TRUNCATE accounts CASCADE`,
		`ALTER TABLE audit_events ADD COLUMN x text`,
		`DROP TABLE audit_events`,
		`CREATE RULE gone AS ON INSERT TO audit_events DO INSTEAD NOTHING`,
		`CREATE INDEX slow ON audit_events (summary)`,
		`SET ROLE ` + pq.QuoteIdentifier(owner),
		`SET SESSION AUTHORIZATION ` + pq.QuoteIdentifier(owner),
		`SET session_replication_role = replica`, // no foreign keys, no cascades
		`ALTER ROLE ` + pq.QuoteIdentifier(role) + ` SUPERUSER`,
		`SELECT 1 FROM goose_db_version`,
	} {
		_, err := pool.ExecContext(t.Context(), statement)
		e, ok := errors.AsType[*pq.Error](err)
		if !ok || e.Code != "42501" {
			t.Errorf("%s: %v, want a refusal", statement, err)
		}
	}
	// Giving oneself the right is no error in PostgreSQL, but a warning.
	_, _ = pool.ExecContext(t.Context(), `GRANT UPDATE, DELETE ON audit_events TO `+pq.QuoteIdentifier(role))
	if _, err := pool.ExecContext(t.Context(), `DELETE FROM audit_events`); err == nil {
		t.Error("the role gave itself the right to delete")
	}
	// An account's id, which events hang on, stays.
	if _, err := pool.ExecContext(t.Context(), `UPDATE accounts SET account_id = gen_random_uuid()`); err == nil {
		t.Error("an account got another id")
	}
}

// TestRightsOfTheServingRole: on every table, whichever comes later, and no more. Rights that somebody has added go, those
// that are missing come, at the next start.
func TestRightsOfTheServingRole(t *testing.T) {
	t.Parallel()
	_, name, role := serving(t)
	owner := connect(t, name)
	quoted := pq.QuoteIdentifier(role)
	check := func() (wrong []string) {
		t.Helper()
		var list []struct {
			Table, Rights string
		}
		err := owner.SelectContext(t.Context(), &list, `
			SELECT c.relname AS table, (SELECT coalesce(string_agg(p, ' ' ORDER BY n), '')
				FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) WITH ORDINALITY u (p, n)
				WHERE has_table_privilege($1, c.oid, p)) AS rights
			FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'goose_db_version'`, role)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) < 11 {
			t.Fatalf("there are %d tables", len(list))
		}
		for _, l := range list {
			want := "SELECT INSERT UPDATE DELETE"
			switch l.Table {
			case "audit_events", "grant_changes":
				want = "SELECT INSERT"
			case "accounts":
				want = "SELECT INSERT UPDATE"
			}
			if l.Rights != want {
				wrong = append(wrong, fmt.Sprintf("%s: %q, want %q", l.Table, l.Rights, want))
			}
		}
		return wrong
	}
	if wrong := check(); len(wrong) > 0 {
		t.Error(strings.Join(wrong, "\n"))
	}
	owner.MustExec(`GRANT UPDATE, DELETE, TRUNCATE ON audit_events TO ` + quoted + `; GRANT TRUNCATE ON users TO ` + quoted +
		`; REVOKE ALL ON grants FROM ` + quoted + `; CREATE TABLE later (x int)`)
	d, err := db.Open(dbtest.Config(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	expectRewrite(t, d, true)
	if wrong := check(); len(wrong) != 4 {
		t.Fatalf("wrong are only %v", wrong)
	}
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if wrong := check(); len(wrong) > 0 {
		t.Error(strings.Join(wrong, "\n"))
	}
	expectRewrite(t, d, false)
}

// TestOneRole: where the owner of the tables serves, everything works as well, and it is known what that means.
func TestOneRole(t *testing.T) {
	t.Parallel()
	d, err := db.Open(db.Config{URL: dbtest.DSN(t, dbtest.Copy(t, ""))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	expectRewrite(t, d, false) // there are no tables yet
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectRewrite(t, d, true)
}

func expectRewrite(t *testing.T, d *db.DB, want bool) {
	t.Helper()
	if can, err := d.CanRewriteTrail(t.Context()); err != nil || can != want {
		t.Errorf("the serving role can rewrite the audit trail: %v, %v, want %v", can, err, want)
	}
}
