package db_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/db"
	"grantwood/db/dbtest"
)

// TestReadAllReadsAsSqlxDoes: many rows, with nulls between values, instants in both forms, and parts behind pointers.
func TestReadAllReadsAsSqlxDoes(t *testing.T) {
	t.Parallel()
	type inner struct{ Name string }
	type row struct {
		N     int
		Text  *string
		Bytes []byte
		At    time.Time
		End   *time.Time
		Inner inner
	}
	type linked struct {
		N     int
		Inner *inner
	}
	const from = ` FROM generate_series(1, $1::int) n ORDER BY n`
	const columns = `n, CASE WHEN n % 3 > 0 THEN 'text ' || n END AS text, CASE WHEN n % 2 > 0 THEN int4send(n) END AS bytes, CASE WHEN n % 5 > 0
		THEN timestamptz '1999-12-31 23:59:59.999999+00' + n * interval '1.000001 second' END AS end, 'name ' || n AS "inner.name", `
	const at = `timestamptz '1969-07-20 20:17:40+00' + n * interval '1000 days 1 microsecond'`
	for _, count := range []int{0, 1, 16, 17, 1000} {
		var want []*row
		pool := db.Pool(dbtest.Open(t))
		if err := pool.SelectContext(t.Context(), &want, `SELECT `+columns+at+` AS at`+from, count); err != nil {
			t.Fatal(err)
		}
		for _, at := range []string{at, `timestamptz_send(` + at + `)`} {
			got, err := db.ReadAll[row](t.Context(), pool, `SELECT `+columns+at+` AS at`+from, count)
			if err != nil || len(got) != count {
				t.Fatalf("%d rows: %d, %v", count, len(got), err)
			}
			if diff := cmp.Diff(want, got, cmp.Comparer(time.Time.Equal)); diff != "" {
				t.Errorf("%d rows:\n%s", count, diff)
			}
		}
		links, err := db.ReadAll[linked](t.Context(), pool, `SELECT n, 'name ' || n AS "inner.name"`+from, count)
		if err != nil || len(links) != count {
			t.Fatalf("%d rows with parts of their own: %d, %v", count, len(links), err)
		}
		for i, l := range links {
			if l.N != i+1 || l.Inner.Name != want[i].Inner.Name {
				t.Errorf("row %d: %d %q", i, l.N, l.Inner.Name)
			}
		}
	}
	if _, err := db.ReadAll[row](t.Context(), db.Pool(dbtest.Open(t)), `SELECT $1::int AS nowhere`, 1); err == nil {
		t.Error("a column without a place is read")
	}
}
