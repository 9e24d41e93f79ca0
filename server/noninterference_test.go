package server_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/demo"
)

// TestNonInterference is the test of the product's heart: delete everything hidden from a viewer, and every answer stays
// the same to the byte. For each fixed person, the corpus runs on the demo and on a copy of it from which what is hidden
// from that person was deleted.
func TestNonInterference(t *testing.T) {
	t.Parallel()
	whole := demoDatabase(t)
	tokens, objects := prepare(t, whole)
	operations := corpus(objects)
	if len(operations) < 60 {
		t.Fatalf("the corpus has %d operations", len(operations))
	}
	t.Logf("%d operations for each of %d people", len(operations), len(tokens))
	for email, token := range tokens {
		t.Run(email, func(t *testing.T) {
			// Two copies for each, since refused sign-ins are counted and noted.
			same, less := dbtest.Copy(t, whole), dbtest.Copy(t, whole)
			deleteHidden(t, sql(t, less), email)
			all, rest := apiOn(t, dbtest.OpenNamed(t, same)), apiOn(t, dbtest.OpenNamed(t, less))
			for _, op := range operations {
				a, b := (client{all, token}).post(t, op.query, op.variables), (client{rest, token}).post(t, op.query, op.variables)
				if a.Status != b.Status || !bytes.Equal(a.Body, b.Body) {
					t.Errorf("%s\n%v\nwith what is hidden:    %d %s\nwithout what is hidden: %d %s", op.query, op.variables, a.Status, a.Body, b.Status, b.Body)
				}
			}
			if all.srv.Hits()+rest.srv.Hits() != 0 {
				t.Error("@visible caught what SQL let through")
			}
		})
	}
}

// TestNonInterferenceIsNoEmptyPromise deletes what is not hidden: the answers must differ.
func TestNonInterferenceIsNoEmptyPromise(t *testing.T) {
	t.Parallel()
	whole := demoDatabase(t)
	tokens, objects := prepare(t, whole)
	other := dbtest.Copy(t, whole)
	sql(t, other).MustExec(`DELETE FROM api_keys WHERE name = 'Asia Pacific: Sales'`)
	token := tokens["reporting@globex.example"]
	all, rest := apiOn(t, dbtest.OpenNamed(t, whole)), apiOn(t, dbtest.OpenNamed(t, other))
	differ := 0
	for _, op := range corpus(objects) {
		if !bytes.Equal((client{all, token}).post(t, op.query, op.variables).Body, (client{rest, token}).post(t, op.query, op.variables).Body) {
			differ++
		}
	}
	if differ < 10 {
		t.Errorf("only %d answers differ", differ)
	}
}

// prepare signs everybody in and gives their tokens and all objects of the demo, and leaves nobody connected.
func prepare(t *testing.T, name string) (map[string]string, demoObjects) {
	t.Helper()
	d, err := db.Open(db.Config{URL: dbtest.DSN(t, name)})
	if err != nil {
		t.Fatal(err)
	}
	a, h := newAPI(d)
	defer func() {
		h.Close()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	objects := readDemo(t, a)
	tokens := map[string]string{}
	for _, p := range demo.People() {
		tokens[p.Email] = signIn(t, a, p.Email).token
	}
	return tokens, objects
}

// who is a fixed person in the account that they enter.
type who struct {
	Account    string
	User       string
	Person     string
	IsPrimary  bool
	Granted    pq.StringArray
	VisibleKey []string
}

func (w who) may(capability string) bool {
	return w.IsPrimary || slices.Contains(w.Granted, capability)
}

// deleteHidden deletes everything that the tables of product.md hide from a person. It is written from these tables, and
// shares nothing with the predicates of the product.
func deleteHidden(t *testing.T, pool *sqlx.DB, email string) {
	t.Helper()
	w := read(t, pool, email)
	exec := func(statement string, args ...any) {
		if _, err := pool.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	// Other accounts, and people who are nowhere else. Of accounts that the person can switch to they see the name and what
	// they are there.
	exec(`DELETE FROM accounts WHERE account_id <> $1 AND account_id NOT IN (SELECT account_id FROM users WHERE person_id = $2)`, w.Account, w.Person)
	exec(`DELETE FROM memberships WHERE account_id <> $1 AND person_id <> $2`, w.Account, w.Person)
	exec(`DELETE FROM users WHERE account_id <> $1 AND person_id <> $2`, w.Account, w.Person)
	exec(`DELETE FROM audit_events WHERE account_id <> $1`, w.Account)
	exec(`DELETE FROM invitations WHERE account_id <> $1`, w.Account)
	exec(`DELETE FROM sign_in_failures`)
	exec(`DELETE FROM password_resets`)
	// Keys that are not visible, and what is about them.
	exec(`DELETE FROM api_keys WHERE NOT key_id::text = ANY($1)`, pq.Array(w.VisibleKey))
	exec(`DELETE FROM audit_events WHERE key_id IS NOT NULL AND NOT key_id::text = ANY($1)`, pq.Array(w.VisibleKey))
	// Secrets, and the hints of them.
	exec(`UPDATE api_keys SET secret_hash = '\x00' WHERE secret_hash IS NOT NULL`)
	if !w.may("ROTATE_SECRETS") {
		exec(`UPDATE api_keys SET secret_hash = NULL, secret_hint = NULL, secret_issued_at = NULL`)
	}
	if !w.may("VIEW_AUDIT") {
		exec(`DELETE FROM audit_events`)
	}
	if !w.may("MANAGE_USERS") {
		exec(`DELETE FROM invitations`)
		exec(`UPDATE users SET last_sign_in_at = NULL WHERE person_id <> $1`, w.Person)
		exec(`UPDATE users SET granted = '{}' WHERE person_id <> $1`, w.Person)
	}
	if !w.may("MANAGE_GRANTS") {
		exec(`DELETE FROM grants WHERE user_id <> $1`, w.User)
	}
	if !w.may("MANAGE_USERS") && !w.may("MANAGE_GRANTS") {
		exec(`DELETE FROM users WHERE person_id <> $1 AND NOT is_primary`, w.Person)
	}
	exec(`DELETE FROM sessions WHERE user_id NOT IN (SELECT user_id FROM users WHERE person_id = $1)`, w.Person)
	exec(`DELETE FROM persons WHERE person_id NOT IN (SELECT person_id FROM users)`)
	exec(`DELETE FROM logins WHERE person_id NOT IN (SELECT person_id FROM persons)`)
	exec(`DELETE FROM operators`)
}

func read(t *testing.T, pool *sqlx.DB, email string) who {
	t.Helper()
	account := demo.Globex
	if email == "owner@initech.example" {
		account = demo.Initech
	}
	var w who
	row := pool.QueryRowxContext(t.Context(), `SELECT u.account_id, u.user_id, u.person_id, u.is_primary, u.granted FROM users u JOIN accounts a USING (account_id)
		WHERE u.email = $1 AND a.name = $2`, email, account)
	err := row.Scan(&w.Account, &w.User, &w.Person, &w.IsPrimary, &w.Granted)
	rows, err2 := pool.QueryxContext(t.Context(), `SELECT k.key_id, k.is_master, g.enabled FROM api_keys k
		LEFT JOIN grants g ON g.key_id = k.key_id AND g.user_id = $2 WHERE k.account_id = $1`, w.Account, w.User)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var key string
		var master bool
		var enabled *bool
		if err := rows.Scan(&key, &master, &enabled); err != nil {
			t.Fatal(err)
		}
		if w.IsPrimary || enabled != nil && *enabled || enabled == nil && master {
			w.VisibleKey = append(w.VisibleKey, key)
		}
	}
	return w
}
