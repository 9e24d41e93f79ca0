package db_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jmoiron/sqlx"

	"grantwood/db"
	"grantwood/db/dbtest"
)

// single opens a copy of the database by a single connection.
func single(t *testing.T, direct bool) (d *db.DB, name string) {
	t.Helper()
	name = dbtest.Copy(t, "")
	c := dbtest.Config(t, name)
	c.MaxConns, c.Direct = 1, direct
	d, err := db.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d, name
}

// preparedTexts gives the texts that are prepared on the single connection and contain a word.
func preparedTexts(t *testing.T, d *db.DB, word string) []string {
	t.Helper()
	var list []string
	if err := db.Pool(d).SelectContext(t.Context(), &list, `SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%`+word+`%' ORDER BY 1`); err != nil {
		t.Fatal(err)
	}
	return list
}

func ask(t *testing.T, d *db.DB, text string, args ...any) {
	t.Helper()
	var n int
	if err := db.Pool(d).GetContext(t.Context(), &n, text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if want := args[0]; n != want {
		t.Fatalf("%s: %d, want %v", text, n, want)
	}
}

// TestStatementsThatArePrepared: what comes up a second time is, unless its text says that it is planned anew, or nobody said that no
// pooler lies between.
func TestStatementsThatArePrepared(t *testing.T) {
	t.Parallel()
	d, _ := single(t, true)
	ask(t, d, `SELECT $1::int AS once`, 1)
	for n := range 10 {
		ask(t, d, `SELECT $1::int AS again`, n)
		ask(t, d, db.Anew+`SELECT $1::int AS anew`, n)
	}
	for word, want := range map[string]int{"AS once": 0, "AS again": 1, "AS anew": 0} {
		if list := preparedTexts(t, d, word); len(list) != want {
			t.Errorf("%s: %q are prepared, want %d", word, list, want)
		}
	}
	pooled, _ := single(t, false)
	for n := range 10 {
		ask(t, pooled, `SELECT $1::int AS again`, n)
	}
	if list := preparedTexts(t, pooled, ""); len(list) > 0 {
		t.Errorf("%q are prepared through a pooler", list)
	}
}

// TestPreparedStatementsAreBounded: a connection keeps those that were used last.
func TestPreparedStatementsAreBounded(t *testing.T) {
	t.Parallel()
	d, _ := single(t, true)
	for n := range db.PreparedStatements + 20 {
		for range 2 {
			ask(t, d, fmt.Sprintf(`SELECT $1::int AS bounded_%d`, n), n)
		}
	}
	if list := preparedTexts(t, d, "bounded"); len(list) > db.PreparedStatements || len(list) < db.PreparedStatements-20 {
		t.Errorf("%d statements are prepared, want about %d", len(list), db.PreparedStatements)
	}
	ask(t, d, `SELECT $1::int AS bounded_0`, 7) // it was pushed out
}

// TestPreparedStatementsSurviveChanges: when the columns of a result are others than when its statement was prepared, it is prepared
// again, and nobody notices: by itself, and in a transaction, which is run again.
func TestPreparedStatementsSurviveChanges(t *testing.T) {
	t.Parallel()
	d, name := single(t, true)
	owner, err := sqlx.Connect("postgres", dbtest.DSN(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = owner.Close() }()
	change := func(statement string) {
		t.Helper()
		if _, err := owner.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	change(`CREATE TABLE changing (n int)`)
	change(`INSERT INTO changing VALUES (7)`)
	change(`GRANT SELECT ON changing TO PUBLIC`)
	read := func(ctx context.Context) (n int, err error) {
		err = db.Pool(d).GetContext(ctx, &n, `SELECT n FROM changing WHERE $1::int > 0`, 1)
		return n, err
	}
	inside := func(ctx context.Context) (n int, err error) {
		err = db.Transact(ctx, d, func(tx *sqlx.Tx) error {
			return tx.GetContext(ctx, &n, `SELECT n FROM changing WHERE $1::int > 1`, 2)
		})
		return n, err
	}
	for _, kind := range []string{"bigint", "text", "numeric", "int"} {
		for range 3 {
			for where, read := range map[string]func(context.Context) (int, error){"by itself": read, "in a transaction": inside} {
				if n, err := read(t.Context()); n != 7 || err != nil {
					t.Fatalf("%s, before %s: %d, %v", where, kind, n, err)
				}
			}
		}
		if list := preparedTexts(t, d, "FROM changing"); len(list) != 2 {
			t.Fatalf("%q are prepared", list)
		}
		change(`ALTER TABLE changing ALTER COLUMN n TYPE ` + kind + ` USING n::` + kind)
		for where, read := range map[string]func(context.Context) (int, error){"by itself": read, "in a transaction": inside} {
			if n, err := read(t.Context()); n != 7 || err != nil {
				t.Errorf("%s, after %s: %d, %v", where, kind, n, err)
			}
		}
	}
}
