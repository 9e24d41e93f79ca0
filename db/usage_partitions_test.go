package db_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

func partitions(t *testing.T, pool *sqlx.DB, table string) []string {
	t.Helper()
	var names []string
	if err := pool.SelectContext(t.Context(), &names, `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::regclass ORDER BY 1`, table); err != nil {
		t.Fatal(err)
	}
	for i, n := range names {
		names[i] = strings.TrimPrefix(n, table+"_")
	}
	return names
}

// months lists the months from some before a time until some after, as partitions are named.
func months(at time.Time, before, after int) []string {
	var list []string
	for n := -before; n <= after; n++ {
		list = append(list, graph.MonthOf(at).AddDate(0, n, 0).Format("2006_01"))
	}
	return list
}

// TestUsagePartitions lets time pass: partitions are there for what is kept and the next months, the serving role may use those made
// later and cannot drop any, old ones go with all that is in them, and nothing else goes. It all happens twice, and at once.
func TestUsagePartitions(t *testing.T) {
	t.Parallel()
	serving, name, _ := serving(t)
	owner := connect(t, name)
	c := dbtest.Config(t, name)
	c.UsageMonths = 2
	d, err := db.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	at := time.Now().UTC()
	m := newMetered(t, newAccountOn(t, d), 1)
	month := graph.MonthOf(at)
	m.ingest(t, true, m.use("kept", month.AddDate(0, -2, 0)), m.use("now", at.Add(-time.Minute)))
	// The partitions before were made for more months, and are there until old usage is dropped.
	if done := m.ingest(t, false, m.use("old", month.AddDate(0, -2, 0).Add(-time.Microsecond))); outcome(done) != "0 accepted, 0 duplicates, 0 INVALID occurredAt" {
		t.Error(outcome(done))
	}
	for later := range 4 {
		now := month.AddDate(0, later, 0).Add(time.Hour)
		errs := make(chan error, 4)
		for range 2 {
			go func() { errs <- d.KeepUsagePartitions(t.Context(), now) }()
			go func() { _, err := d.DropOldUsage(t.Context(), now); errs <- err }()
		}
		for range 4 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		for _, table := range []string{"usage_records", "usage_quarters", "usage_days"} {
			if diff := cmp.Diff(months(now, 2, 2), partitions(t, owner, table)); diff != "" {
				t.Errorf("%d months later, %s (-want +got):\n%s", later, table, diff)
			}
		}
		m.provider.Request = graph.Request{At: now}
		done, err := d.IngestUsage(t.Context(), m.provider, []*graph.UsageRecordInput{m.use("later", now)}, true)
		if err != nil || done.Accepted != 1 {
			t.Errorf("%d months later: %v %v", later, outcome(done), err)
		}
	}
	var left []string
	if err := owner.SelectContext(t.Context(), &left, `SELECT reference FROM usage_records ORDER BY occurred_at`); err != nil || !slices.Equal(left, []string{"later", "later", "later"}) {
		t.Errorf("left are %v, %v", left, err)
	}
	for _, statement := range []string{`DROP TABLE usage_records`, `DROP TABLE usage_records_` + months(at, 0, 1)[1], `SELECT FROM usage_records_` + months(at, 0, 1)[1], `TRUNCATE usage_days`} {
		if _, err := serving.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("the role that serves may %s", statement)
		}
	}
	if differ, err := d.CheckSums(t.Context(), false); err != nil || len(differ) > 0 {
		t.Errorf("%v %v", differ, err)
	}
}

// TestOldUsageThatIsRead: a partition that somebody reads for long stays until another time, and holds nobody up.
func TestOldUsageThatIsRead(t *testing.T) {
	t.Parallel()
	_, name, _ := serving(t)
	owner, d := connect(t, name), dbtest.OpenNamed(t, name)
	reader := owner.MustBegin()
	defer func() { _ = reader.Rollback() }()
	reader.MustExec(`SELECT FROM usage_days`)
	at := time.Now().AddDate(0, 1, 0)
	dropped, err := d.DropOldUsage(t.Context(), at)
	if err == nil || len(dropped) != 2 {
		t.Errorf("dropped %v, %v", dropped, err)
	}
	_ = reader.Rollback()
	if dropped, err := d.DropOldUsage(t.Context(), at); err != nil || len(dropped) != 1 {
		t.Errorf("then dropped %v, %v", dropped, err)
	}
}

// TestSumsAreMadeAnew spoils sums in every way: each is found, and made anew.
func TestSumsAreMadeAnew(t *testing.T) {
	t.Parallel()
	name := dbtest.Copy(t, "")
	d, owner := dbtest.OpenNamed(t, name), connect(t, name)
	m, other := newMetered(t, newAccountOn(t, d), 2), newMetered(t, newAccountOn(t, d), 1)
	at := graph.MonthOf(time.Now()).AddDate(0, -1, 3)
	failed := m.use("c", at.Add(time.Hour))
	failed.Key, failed.Status = m.keys[1].Key, graph.UsageFailed
	m.ingest(t, true, m.use("a", at), m.use("b", at.Add(time.Minute)), failed, m.use("d", at.AddDate(0, 1, 0)))
	other.ingest(t, true, other.use("a", at))
	var before, after []string
	rows := func(into *[]string) {
		*into = nil
		if err := owner.SelectContext(t.Context(), into, `SELECT q::text FROM usage_quarters q UNION ALL SELECT d::text FROM usage_days d ORDER BY 1`); err != nil {
			t.Fatal(err)
		}
	}
	rows(&before)
	for _, s := range []struct {
		statement string
		want      int // sums that differ
	}{
		{`UPDATE usage_quarters SET records = records + 1 WHERE account_id = $1 AND records = 2 AND at`, 1},
		{`UPDATE usage_quarters SET cost = cost - 1 WHERE account_id = $1 AND at`, 2},
		{`UPDATE usage_days SET failed_quantity = 5 WHERE account_id = $1 AND failed_records = 1 AND day`, 1},
		{`DELETE FROM usage_days WHERE account_id = $1 AND day`, 2},
		{`INSERT INTO usage_days SELECT account_id, key_id, day, 'VOICE', 0, 0, 0, 0, 0, 0 FROM usage_days WHERE account_id = $1 AND records = 2 AND day`, 1},
		{`UPDATE usage_quarters SET at = at + interval '15 minutes' WHERE account_id = $1 AND records = 2 AND at`, 2},
		{`UPDATE usage_records SET quantity = 7 WHERE account_id = $1 AND reference = 'a' AND occurred_at`, 2},
		{`UPDATE usage_records SET quantity = 1 WHERE account_id = $1 AND reference = 'a' AND occurred_at`, 2},
		{`DELETE FROM usage_quarters WHERE account_id = $1 AND at`, 2},
	} {
		owner.MustExec(s.statement+` < $2`, m.id, at.AddDate(0, 0, 20))
		for _, rebuild := range []bool{false, true} {
			differ, err := d.CheckSums(t.Context(), rebuild)
			if err != nil || len(differ) != 1 || differ[0] != (db.SumsDiffer{AccountID: m.id, Month: graph.MonthOf(at), Sums: s.want}) {
				t.Errorf("%s: found %v, %v, want %d", s.statement, differ, err, s.want)
			}
		}
		if differ, err := d.CheckSums(t.Context(), false); err != nil || len(differ) > 0 {
			t.Errorf("%s: made anew and found %v, %v", s.statement, differ, err)
		}
		if rows(&after); !strings.Contains(s.statement, "quantity = 7") && !slices.Equal(before, after) {
			t.Errorf("%s: sums are %v, were %v", s.statement, after, before)
		}
	}
}
