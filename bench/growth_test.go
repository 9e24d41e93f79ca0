package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// TestSamples: accounts by which growth is measured have the keys, users, grants and records that the tables say, and credentials
// that are good.
func TestSamples(t *testing.T) {
	t.Parallel()
	name := dbtest.Copy(t, "")
	var c samples
	err := withSeeder(t.Context(), dbtest.DSN(t, name), quiet, func(s *seeder) (err error) {
		c, err = s.samples(t.Context(), []int{10, 200}, 2)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d := dbtest.OpenNamed(t, name)
	if len(c.ByKeys) != 2 || len(c.Active) != 2 {
		t.Fatalf("%d accounts by their keys, %d active ones", len(c.ByKeys), len(c.Active))
	}
	for _, a := range append(c.ByKeys, c.Active...) {
		seen := min(keysSeen, a.Keys-1)
		for who, want := range map[string]struct {
			token       string
			least, most int
		}{
			"owner":  {a.Owner, a.Keys, a.Keys},
			"reader": {a.Reader, seen + 1, min(a.Keys, seen+1+keysOfUnit)}, // the master key, and a unit
			"few":    {a.Few, keysOfFew + 1, keysOfFew + 1},
		} {
			if n := keysOf(t, d, want.token, a.Account); n < want.least || n > want.most {
				t.Errorf("of %d keys the %s sees %d, want %d to %d", a.Keys, who, n, want.least, want.most)
			}
		}
		key, err := d.AuthenticateKey(t.Context(), a.Key, a.Secret, request())
		if err != nil || key.Kind != graph.KindOfKey {
			t.Errorf("the key of %v: %v, %v", a.Account, key, err)
		}
		pool, err := openSeeding(dbtest.DSN(t, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = pool.Close() })
		var records, summed int
		err = pool.QueryRowContext(t.Context(), `
			SELECT (SELECT count(*) FROM usage_records WHERE account_id = $1::uuid), (SELECT sum(records + failed_records) FROM usage_days WHERE account_id = $1::uuid)`,
			a.Account.String()).Scan(&records, &summed)
		if err != nil || records != a.Keys*recordsOfKey || summed != records {
			t.Errorf("%d records, %d in sums, %v", records, summed, err)
		}
		if len(a.Users) < activeUsers || len(a.Switched) < min(64, a.Keys-1) {
			t.Errorf("%d users and %d keys to switch", len(a.Users), len(a.Switched))
		}
	}
}

// keysOf gives how many keys there are for whom a token stands for.
func keysOf(t *testing.T, d *db.DB, token string, account graph.UUID) int {
	t.Helper()
	v, err := d.Authenticate(t.Context(), token, request())
	if err != nil {
		t.Fatal(err)
	}
	page, err := d.KeysOf(t.Context(), v, account, graph.Window{Limit: 1, Order: graph.ByName}, graph.ApiKeyFilter{}, db.Ask{Total: true})
	if err != nil || page.Total == nil {
		t.Fatal(err)
	}
	return *page.Total
}

// TestIndexesAreMadeAgain: records have the same indexes after they were added as before.
func TestIndexesAreMadeAgain(t *testing.T) {
	t.Parallel()
	dsn := dbtest.DSN(t, dbtest.Copy(t, ""))
	indexes := func(s *seeder) []string {
		rows, err := s.pool.QueryContext(t.Context(), `SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'usage\_records%' ORDER BY indexdef`)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		var list []string
		for rows.Next() {
			var definition string
			if err := rows.Scan(&definition); err != nil {
				t.Fatal(err)
			}
			list = append(list, definition)
		}
		return list
	}
	err := withSeeder(t.Context(), dsn, quiet, func(s *seeder) error {
		before := indexes(s)
		var during []string
		err := s.withoutIndexes(t.Context(), func(context.Context) error {
			during = indexes(s)
			return nil
		})
		if after := indexes(s); !slices.Equal(before, after) || len(during) == 0 || len(during) >= len(before) {
			t.Errorf("before %s\nduring %s\nafter %s", strings.Join(before, "\n"), strings.Join(during, "\n"), strings.Join(after, "\n"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestInTurn: every client asks all accounts, and they begin as far from each other as they can.
func TestInTurn(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3, 16, 1000} {
		for client := range 16 {
			order := inTurn(n, client, 16)
			if order[0] != client*n/16 {
				t.Errorf("with %d accounts client %d begins at %d", n, client, order[0])
			}
			slices.Sort(order)
			if len(slices.Compact(order)) != n || order[0] != 0 || order[n-1] != n-1 {
				t.Errorf("%d accounts in the order %v", n, order)
			}
		}
	}
}

func TestPrintGrowth(t *testing.T) {
	t.Parallel()
	at := func(server, postgres time.Duration) spot {
		return spot{line: line{count: 10, cost: cost{server * time.Millisecond, postgres * time.Millisecond}}}
	}
	var b strings.Builder
	printGrowth(&b, "Keys", []int{10, 1000, 1234567}, []growth{{title: "a page", at: []spot{at(10, 30), at(20, 30), at(30, 70)}}})
	want := "| Keys | 10 | 1,000 | 1,234,567 | Last ÷ first |\n|---|---:|---:|---:|---:|\n" +
		"| a page | 1.00 + 3.00 = 4.00 | 2.00 + 3.00 = 5.00 | 3.00 + 7.00 = 10.0 | 2.50 |\n"
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
}

func TestParseNumbers(t *testing.T) {
	t.Parallel()
	if n, err := parseNumbers("10,7", 7); err != nil || !slices.Equal(n, []int{10, 7}) {
		t.Error(n, err)
	}
	for _, text := range []string{"", "6", "x", "10,,10", "10,-1"} {
		if n, err := parseNumbers(text, 7); err == nil {
			t.Errorf("%q gives %v", text, n)
		}
	}
}

var quiet = slog.New(slog.DiscardHandler)
