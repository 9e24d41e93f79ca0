package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"
	_ "github.com/lib/pq"

	"grantwood/db/dbtest"
	"grantwood/graph"
)

// direct reaches the shared database around the program: for what time does, and for what the program cannot do yet.
var direct = sync.OnceValues(func() (*sqlx.DB, error) {
	name := "grantwood" // what dbtest calls it on a server of its own
	if os.Getenv("TEST_DATABASE_URL") != "" {
		name = fmt.Sprintf("grantwood_test_%d", os.Getpid())
	}
	pool, err := sqlx.Open("postgres", dbtest.DSN(nil, name))
	if err == nil {
		pool.SetMaxOpenConns(4)
	}
	return pool, err
})

func directly(t testing.TB) *sqlx.DB {
	t.Helper()
	pool, err := direct()
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

// edit runs a statement whose $1 is the account; it must touch a row.
func (w *world) edit(t testing.TB, statement string, args ...any) {
	t.Helper()
	result, err := directly(t).ExecContext(t.Context(), statement, append([]any{graph.ParseID(w.account).Account}, args...)...)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%s touched nothing: %v", statement, err)
	}
}

// rowOf gives the identifier behind the ID of a key, a user or an invitation.
func rowOf(id string) graph.UUID { return graph.ParseID(id).Object }

func (w *world) suspend(t testing.TB) {
	t.Helper()
	w.edit(t, `UPDATE accounts SET status = 'SUSPENDED' WHERE account_id = $1`)
}

func (w *world) disable(t testing.TB, user string) {
	t.Helper()
	w.edit(t, `UPDATE users SET status = 'DISABLED' WHERE account_id = $1 AND user_id = $2`, rowOf(user))
}

// remove deletes a key as the program will: for good, with its secret.
func (w *world) remove(t testing.TB, key string) {
	t.Helper()
	w.edit(t, `UPDATE api_keys SET deleted_at = now(), secret_hash = NULL, secret_hint = NULL, secret_issued_at = NULL
		WHERE account_id = $1 AND key_id = $2`, rowOf(key))
}

// tablesOfAccounts are those whose rows belong to an account.
const tablesOfAccounts = `SELECT table_name FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
	WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND column_name = 'account_id'
		AND NOT (SELECT relispartition FROM pg_class WHERE oid = table_name::regclass)`

// rows gives every row about the account as text, and its persons by the way of their membership.
func (w *world) rows(t testing.TB) []string {
	t.Helper()
	account := graph.ParseID(w.account).Account
	var all []string
	for _, table := range texts(t, tablesOfAccounts) {
		all = append(all, texts(t, `SELECT '`+table+` ' || (to_jsonb(x) - 'last_used_at')::text FROM `+table+` x WHERE account_id = $1`, account)...)
	}
	all = append(all, texts(t, `SELECT 'persons ' || p::text FROM persons p JOIN memberships USING (person_id) WHERE account_id = $1`, account)...)
	all = slices.DeleteFunc(all, func(row string) bool { return strings.Contains(row, `"`+string(graph.SignInRefused)+`"`) })
	slices.Sort(all)
	return all
}

func texts(t testing.TB, query string, args ...any) []string {
	t.Helper()
	rows, err := directly(t).QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// unchanged reports every row about the account that do changes. What is noted on the way is no change: that a sign-in was
// refused, and when a session, token or key was used last.
func (w *world) unchanged(t testing.TB, do func()) {
	t.Helper()
	before := w.rows(t)
	do()
	if diff := cmp.Diff(before, w.rows(t)); diff != "" {
		t.Errorf("rows changed (-before +after):\n%s", diff)
	}
}

// event is an audit event as the API shows it, without its ID and time.
type event struct {
	Action     string
	Actor      string // ID of a user, label of an operator
	ActorLabel string
	User       string // ID
	Key        string // ID
	Unit       string // ID
	Summary    string
	Changes    string // such as "status: ENABLED -> DISABLED; expiresAt: … -> "
	IPAddress  string
}

// entries reads as c what the account's audit trail says about the request that a answers, the oldest first. It knows the
// request by the header X-Request-Id.
func (c client) entries(t testing.TB, account string, a answer) []event {
	t.Helper()
	trail := c.post(t, `query($id: ID!) { account(id: $id) { auditEvents(first: 100) { nodes { action actorLabel summary ipAddress requestId
		changes { field before after } actor { ... on User { id } ... on Operator { label } } user { id } key { id } unit { id } } } } }`, map[string]any{"id": account})
	var body struct {
		Data struct {
			Account struct {
				AuditEvents struct {
					Nodes []struct {
						Action, ActorLabel, Summary, IPAddress, RequestID string
						Actor                                             struct{ ID, Label string }
						User, Key, Unit                                   struct{ ID string }
						Changes                                           []struct{ Field, Before, After string }
					}
				}
			}
		}
		Errors []any
	}
	if err := json.Unmarshal(trail.Body, &body); err != nil || body.Errors != nil {
		t.Fatalf("read the audit trail: %v %s", err, trail.Body)
	}
	list := []event{}
	for _, n := range slices.Backward(body.Data.Account.AuditEvents.Nodes) {
		if n.RequestID != a.Header.Get("X-Request-Id") {
			continue
		}
		var changes []string
		for _, c := range n.Changes {
			changes = append(changes, c.Field+": "+c.Before+" -> "+c.After)
		}
		list = append(list, event{n.Action, n.Actor.ID + n.Actor.Label, n.ActorLabel, n.User.ID, n.Key.ID, n.Unit.ID, n.Summary,
			strings.Join(changes, "; "), n.IPAddress})
	}
	return list
}

// tells compares the events about a request, as the owner reads them, with want.
func (w *world) tells(t testing.TB, a answer, want ...event) {
	t.Helper()
	if diff := cmp.Diff(append([]event{}, want...), w.owner.entries(t, w.account, a)); diff != "" {
		t.Errorf("audit events (-want +got):\n%s", diff)
	}
}
