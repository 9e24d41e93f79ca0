package main

import (
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/db/dbtest"
	"grantwood/graph"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// TestRecordID: records that the benchmark makes in SQL have the identifiers that the product would give them.
func TestRecordID(t *testing.T) {
	t.Parallel()
	pool := sqlx.MustConnect("postgres", dbtest.DSN(t, dbtest.Copy(t, "")))
	t.Cleanup(func() { _ = pool.Close() })
	account := graph.UUID{1, 2, 3, 255, 5, 6, 0x70, 8, 0x90, 10, 11, 12, 13, 14, 15, 16}
	for i, at := range []time.Time{time.Date(2026, 11, 25, 23, 59, 59, 999_999_000, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 6, 29, 9, 0, 0, 1_499_000, time.UTC)} {
		reference := []string{"a", "record 2", "ä"}[i]
		var got graph.UUID
		err := pool.Get(&got, `
			SELECT `+recordID+`
			FROM (SELECT $2::timestamptz AS at, $3::text AS reference) n
			CROSS JOIN LATERAL (`+recordSum+`) h`, account, at, reference)
		if want := graph.UsageRecordID(account, at, reference); err != nil || got != want {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
}
