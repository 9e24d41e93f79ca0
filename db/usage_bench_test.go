package db_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// provider is an operator who sends usage in.
func provider(t testing.TB, d *db.DB) *graph.Viewer {
	t.Helper()
	o, _, err := d.CreateOperator(t.Context(), "Meter", graph.ScopeList{graph.ScopeIngest, graph.ScopeSupport})
	if err != nil {
		t.Fatal(err)
	}
	return &graph.Viewer{Kind: graph.KindOperator, Operator: o, Request: now()}
}

// meter makes records of an account with many keys, in the order of time, as a provider's systems write them: 5 million in 90 days.
type meter struct {
	keys []*graph.ApiKey
	at   time.Time
	n    int
	rand *rand.Rand
}

func newMeter(t testing.TB, pool *sqlx.DB, account graph.UUID, keys int) *meter {
	t.Helper()
	m := &meter{at: time.Now().UTC().AddDate(0, 0, -85).Truncate(time.Hour), rand: rand.New(rand.NewPCG(1, 2))}
	text := graph.ID{Kind: graph.KindAccount, Account: account}.String()[4:]
	for i := range keys {
		k := &graph.ApiKey{AccountID: account, KeyID: graph.UUID{1, byte(i >> 8), byte(i)}, Key: fmt.Sprintf("gwk%s%013d", text, i)}
		m.keys = append(m.keys, k)
		pool.MustExec(`INSERT INTO api_keys (account_id, key_id, key, name, kind, created_at) VALUES ($1, $2, $3, $3, 'OTHER', now())`, account, k.KeyID, k.Key)
	}
	return m
}

var (
	meteredProducts  = []string{"SMS", "SMS", "SMS", "VOICE", "VERIFY", "NUMBER_INSIGHT"}
	meteredCountries = []string{"US", "US", "DE", "GB", "FR", "ES", "IN"}
	outbound         = graph.Outbound
)

func (m *meter) batch() []*graph.UsageRecordInput {
	list := make([]*graph.UsageRecordInput, graph.MaxUsageBatch)
	for i := range list {
		m.at = m.at.Add(time.Duration(m.rand.IntN(3_100_000)) * time.Microsecond)
		m.n++
		in := &graph.UsageRecordInput{Key: m.keys[m.rand.IntN(len(m.keys))].Key, Reference: fmt.Sprintf("%016x%016x", m.rand.Uint64(), m.n),
			Product: meteredProducts[m.rand.IntN(len(meteredProducts))], Direction: &outbound, Country: meteredCountries[m.rand.IntN(len(meteredCountries))],
			Quantity: 1 + m.rand.Int64N(3), Cost: decimal.New(m.rand.Int64N(10_000_000), -8), Status: graph.UsageSucceeded, OccurredAt: m.at}
		if m.rand.IntN(20) == 0 {
			in.Status = graph.UsageFailed
		}
		list[i] = in
	}
	return list
}

// BenchmarkIngest sends batches of 5,000 records of 1,000 keys, and copies the same rows, with the sums that came of them, into the
// same tables for another account: the limit. It tells how the costs compare, in CPU of this process and of PostgreSQL's, where these
// run on the same machine, since other work on it would blur the time.
func BenchmarkIngest(b *testing.B) {
	name := dbtest.Copy(b, "")
	d := dbtest.OpenNamed(b, name)
	pool := sqlx.MustConnect("postgres", dbtest.DSN(b, name))
	b.Cleanup(func() { _ = pool.Close() })
	pool.SetMaxOpenConns(1)
	v, a, other := provider(b, d), newAccountOn(b, d), newAccountOn(b, d)
	m := newMeter(b, pool, a.id, 1000)
	var ours, copied cost
	for b.Loop() {
		batch := m.batch()
		ours.of(b, pool, func() {
			done, err := d.IngestUsage(b.Context(), v, batch, false)
			if err != nil || done.Accepted != len(batch) {
				b.Fatal(err, done)
			}
		})
	}
	for _, table := range []string{"usage_records", "usage_quarters", "usage_days"} {
		copyRows(b, pool, table, a.id, other.id, &copied)
	}
	for _, c := range []struct {
		unit string
		d    time.Duration
	}{{"ms/batch", ours.time}, {"cpu-ms/batch", ours.cpu}, {"COPY-ms/batch", copied.time}, {"COPY-cpu-ms/batch", copied.cpu}} {
		b.ReportMetric(c.d.Seconds()*1000/float64(b.N), c.unit)
	}
	b.ReportMetric(copied.cpu.Seconds()/ours.cpu.Seconds(), "COPY/ingest")
}

// cost is time and CPU that something took.
type cost struct{ time, cpu time.Duration }

// of adds what do costs.
func (c *cost) of(b *testing.B, pool *sqlx.DB, do func()) {
	before, start := cpu(b, pool), time.Now()
	do()
	c.time += time.Since(start)
	c.cpu += cpu(b, pool) - before
}

// cpu gives the CPU time of this process and of the database's processes for it so far; the time of day where that is unknown.
func cpu(b *testing.B, pool *sqlx.DB) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	sum := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	var pids []int
	if err := pool.Select(&pids, `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'`); err != nil {
		b.Fatal(err)
	}
	for _, pid := range pids {
		var nanos int64
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
		if _, err2 := fmt.Sscan(string(text), &nanos); errors.Join(err, err2) != nil {
			return time.Duration(time.Now().UnixNano())
		}
		sum += time.Duration(nanos)
	}
	return sum
}

// copyRows copies the rows of one account for another one with COPY, 5,000 at a time.
func copyRows(b *testing.B, pool *sqlx.DB, table string, from, to graph.UUID, c *cost) {
	rows, err := pool.Query(`SELECT * FROM `+table+` WHERE account_id = $1`, from)
	if err != nil {
		b.Fatal(err)
	}
	names, _ := rows.Columns()
	var all [][]any
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			b.Fatal(err)
		}
		values[0] = to.String()
		for i, x := range values {
			if raw, ok := x.([]byte); ok {
				values[i] = string(raw)
			}
		}
		all = append(all, values)
	}
	for len(all) > 0 {
		n := min(len(all), graph.MaxUsageBatch)
		c.of(b, pool, func() { copyIn(b, pool, table, names, all[:n]) })
		all = all[n:]
	}
}

func copyIn(b *testing.B, pool *sqlx.DB, table string, names []string, rows [][]any) {
	tx := pool.MustBegin()
	s, err := tx.Prepare(`COPY ` + table + ` (` + strings.Join(names, ", ") + `) FROM STDIN`)
	if err != nil {
		b.Fatal(err)
	}
	for _, values := range rows {
		if _, err := s.Exec(values...); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := s.Exec(); err != nil {
		b.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}
