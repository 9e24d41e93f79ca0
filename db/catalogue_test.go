package db_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"grantwood/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// The lint over the catalogue holds the rules that let the tables be spread over many machines by account (Citus), as
// migrations note them in the comments of tables.

type column struct{ Table, Column, Type string }

type catalogue struct {
	Distribution map[string]string // table → distribution column, empty for reference tables
	Columns      []column
	Keys         []struct {
		Table, Name string
		Columns     pq.StringArray
	}
	Foreign []struct {
		Table, Name, Target, OnDelete string
		Columns, TargetColumns        pq.StringArray
		Deferrable                    bool
	}
	Forbidden []struct{ What string }
}

// history holds columns that remember who did something after they are gone, and so have no foreign key.
var history = []string{"audit_events.actor_user", "audit_events.actor_token", "audit_events.actor_operator", "audit_events.user_id", "audit_events.key_id", "audit_events.unit_id",
	"key_requests.unit_id", "live_events.user_ids", "live_events.key_ids", "live_events.usage_ids", "unit_grants.updated_by", "usage_thresholds.created_by", "grant_changes.user_ids", "grant_changes.key_id",
	// Records of usage are many: foreign keys would look up each row again. The statement that adds them checks; keys never go.
	"usage_records.account_id", "usage_records.key_id", "usage_records.replaced_by",
	"usage_quarters.account_id", "usage_quarters.key_id", "usage_days.account_id", "usage_days.key_id",
	"invitations.invited_by", "grants.updated_by", "key_requests.requested_by", "key_requests.key_id",
	// Persons and accounts lie on different machines.
	"users.person_id", "logins.person_id", "memberships.account_id", "memberships.user_id"}

func readCatalogue(ctx context.Context, q sqlx.QueryerContext) (catalogue, error) {
	c := catalogue{Distribution: map[string]string{}}
	var comments []struct{ Table, Comment string }
	for _, read := range []struct {
		into      any
		statement string
	}{
		{&comments, `SELECT relname AS table, coalesce(obj_description(oid), '') AS comment FROM pg_class
			WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'goose_db_version'`},
		{&c.Columns, `SELECT relname AS table, attname AS column, format_type(atttypid, NULL) || CASE WHEN attnotnull THEN ' not null' ELSE '' END AS type
			FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
			WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 AND NOT attisdropped AND relname <> 'goose_db_version'`},
		{&c.Keys, `SELECT coalesce((SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = t.oid), t.relname) AS table, i.relname AS name, (SELECT coalesce(array_agg(a.attname::text ORDER BY a.attnum), '{}')
				FROM pg_attribute a WHERE a.attrelid = i.oid AND a.attnum <= x.indnkeyatts) AS columns
			FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
			WHERE t.relnamespace = 'public'::regnamespace AND (x.indisunique OR x.indisexclusion) AND t.relname <> 'goose_db_version'`},
		{&c.Foreign, `SELECT t.relname AS table, k.conname AS name, r.relname AS target, k.confdeltype AS on_delete, k.condeferrable AS deferrable,
				(SELECT array_agg(attname::text ORDER BY n) FROM unnest(k.conkey) WITH ORDINALITY u (num, n) JOIN pg_attribute ON attrelid = t.oid AND attnum = num) AS columns,
				(SELECT array_agg(attname::text ORDER BY n) FROM unnest(k.confkey) WITH ORDINALITY u (num, n) JOIN pg_attribute ON attrelid = r.oid AND attnum = num) AS target_columns
			FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
			WHERE k.contype = 'f' AND t.relnamespace = 'public'::regnamespace`},
		{&c.Forbidden, `SELECT 'trigger ' || tgname AS what FROM pg_trigger WHERE NOT tgisinternal
			UNION ALL SELECT 'rule ' || rulename FROM pg_rewrite JOIN pg_class c ON c.oid = ev_class
				WHERE rulename <> '_RETURN' AND relnamespace = 'public'::regnamespace
			UNION ALL SELECT 'sequence ' || relname FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'goose%'
			UNION ALL SELECT 'identity column ' || attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
				WHERE attidentity <> '' AND relnamespace = 'public'::regnamespace AND relname <> 'goose_db_version'
			UNION ALL SELECT 'deferrable constraint ' || conname FROM pg_constraint WHERE condeferrable AND connamespace = 'public'::regnamespace
			UNION ALL SELECT 'constraint without a name of its own: ' || conname FROM pg_constraint
				WHERE connamespace = 'public'::regnamespace AND conname <> 'api_keys_key'
				AND conname ~ CASE contype WHEN 'c' THEN '_check\d*$' WHEN 'f' THEN '_fkey\d*$' WHEN 'u' THEN '_key\d*$' ELSE '^$' END AND conrelid <> coalesce(to_regclass('goose_db_version'), 0)`},
	} {
		if err := sqlx.SelectContext(ctx, q, read.into, read.statement); err != nil {
			return c, fmt.Errorf("%s: %w", read.statement, err)
		}
	}
	for _, t := range comments {
		by, distributed := strings.CutPrefix(t.Comment, "distributed by ")
		if !distributed {
			by = ""
			if t.Comment != "reference table" {
				by = "?"
			}
		}
		c.Distribution[t.Table] = by
	}
	return c, nil
}

// lint gives what is wrong with the tables, a sentence each.
func (c catalogue) lint() []string {
	var problems []string
	report := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for table, by := range c.Distribution {
		if by == "?" {
			report("%s: the migration does not say how it is distributed", table)
		}
		owned := slices.ContainsFunc(c.Columns, func(x column) bool { return x.Table == table && x.Column == "account_id" })
		if owned && by != "account_id" && table != "memberships" {
			report("%s has an account_id and is distributed by %q", table, by)
		}
		if by != "" && !slices.ContainsFunc(c.Columns, func(x column) bool {
			return x.Table == table && x.Column == by && strings.HasSuffix(x.Type, " not null")
		}) {
			report("%s: %s must be there and not null", table, by)
		}
	}
	for _, k := range c.Keys {
		if by := c.Distribution[k.Table]; by != "" && (len(k.Columns) == 0 || k.Columns[0] != by) {
			report("%s: %s must begin with %s", k.Table, k.Name, by)
		}
	}
	linked := map[string]bool{}
	for _, f := range c.Foreign {
		for _, name := range f.Columns {
			linked[f.Table+"."+name] = true
		}
		from, to := c.Distribution[f.Table], c.Distribution[f.Target]
		if to != "" && (f.Columns[0] != from || f.TargetColumns[0] != to || from != to) {
			report("%s: %s must begin with the distribution column on both sides", f.Table, f.Name)
		}
		if from == "" && to != "" {
			report("%s: %s leads from a reference table to a distributed one", f.Table, f.Name)
		}
		if !slices.Contains([]string{"a", "r", "c"}, f.OnDelete) {
			report("%s: %s sets null or default when its target is deleted", f.Table, f.Name)
		}
	}
	for _, x := range c.Columns {
		name := x.Table + "." + x.Column
		if strings.HasPrefix(x.Type, "uuid") && !linked[name] && !slices.Contains(history, name) && !c.ownID(x) {
			report("%s refers to something without a foreign key", name)
		}
		if strings.HasPrefix(x.Type, "timestamp without") || strings.HasPrefix(x.Type, "json ") || strings.HasPrefix(x.Type, "real") || strings.HasPrefix(x.Type, "double") {
			report("%s has the type %s", name, x.Type)
		}
	}
	for _, f := range c.Forbidden {
		report("%s", f.What)
	}
	return problems
}

// ownID reports whether the column is the last of its table's primary key: what the table's rows are known by.
func (c catalogue) ownID(x column) bool {
	for _, k := range c.Keys {
		if k.Table == x.Table && k.Name == x.Table+"_pkey" {
			return k.Columns[len(k.Columns)-1] == x.Column
		}
	}
	return false
}

func connect(t testing.TB, name string) *sqlx.DB {
	t.Helper()
	pool, err := sqlx.Open("postgres", dbtest.DSN(t, name))
	if err != nil {
		t.Fatal(err)
	}
	pool = pool.Unsafe()
	pool.MapperFunc(func(field string) string {
		return strings.ReplaceAll(strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(field, "TargetColumns", "target_columns"), "OnDelete", "on_delete")), " ", "_")
	})
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	name := dbtest.Copy(t, "")
	dbtest.OpenNamed(t, name)
	c, err := readCatalogue(t.Context(), connect(t, name))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Distribution) < 10 || len(c.Foreign) < 8 {
		t.Fatalf("the catalogue has %d tables and %d foreign keys: it was not read", len(c.Distribution), len(c.Foreign))
	}
	for _, problem := range c.lint() {
		t.Error(problem)
	}
}

// TestCatalogueLintCatchesSabotage breaks one rule at a time.
func TestCatalogueLintCatchesSabotage(t *testing.T) {
	t.Parallel()
	name := dbtest.Copy(t, "")
	dbtest.OpenNamed(t, name)
	pool := connect(t, name)
	for _, s := range []struct{ name, statement, want string }{
		{"undistributed table", `CREATE TABLE notes (note_id uuid PRIMARY KEY)`, "notes: the migration does not say"},
		{"account table distributed by something else", `CREATE TABLE notes (account_id uuid NOT NULL, note_id uuid PRIMARY KEY); SELECT distribute('notes', 'note_id', NULL)`, "notes has an account_id and is distributed by"},
		{"unique over all accounts", `CREATE UNIQUE INDEX users_email ON users (email)`, "users_email must begin with account_id"},
		{"simple foreign key", `CREATE UNIQUE INDEX api_keys_id ON api_keys (key_id); ALTER TABLE grants ADD CONSTRAINT grants_simple FOREIGN KEY (key_id) REFERENCES api_keys (key_id)`, "grants_simple must begin with"},
		{"set null", `ALTER TABLE grants ADD CONSTRAINT grants_null FOREIGN KEY (account_id, key_id) REFERENCES api_keys (account_id, key_id) ON DELETE SET NULL`, "grants_null sets null"},
		{"deferrable", `ALTER TABLE grants ADD CONSTRAINT grants_later FOREIGN KEY (account_id, key_id) REFERENCES api_keys (account_id, key_id) DEFERRABLE`, "deferrable constraint grants_later"},
		{"trigger", `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER touched BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch()`, "trigger touched"},
		{"sequence", `ALTER TABLE users ADD COLUMN number serial`, "sequence users_number_seq"},
		{"identity", `ALTER TABLE users ADD COLUMN number int GENERATED ALWAYS AS IDENTITY`, "identity column number"},
		{"reference without a foreign key", `ALTER TABLE users ADD COLUMN boss uuid`, "users.boss refers to something"},
		{"nameless constraint", `ALTER TABLE users ADD CHECK (email <> '')`, "constraint without a name"},
		{"unique index of a partition over all accounts", `CREATE UNIQUE INDEX alone ON usage_records_` + time.Now().UTC().Format("2006_01") + ` (reference)`, "alone must begin with account_id"},
		{"time without zone", `ALTER TABLE users ADD COLUMN at timestamp`, "users.at has the type"},
	} {
		t.Run(s.name, func(t *testing.T) {
			tx := pool.MustBegin()
			defer func() { _ = tx.Rollback() }()
			tx.MustExec(s.statement)
			c, err := readCatalogue(t.Context(), tx)
			if err != nil {
				t.Fatal(err)
			}
			if problems := strings.Join(c.lint(), "\n"); !strings.Contains(problems, s.want) {
				t.Errorf("the lint does not say %q, but:\n%s", s.want, problems)
			}
		})
	}
}
