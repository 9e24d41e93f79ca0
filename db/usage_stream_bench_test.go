package db_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// sink counts the bytes of a file, as a reader who is never late.
type sink struct{ bytes int }

// Heads counts nothing.
func (*sink) Heads([]db.UsageHead) error { return nil }

// Line counts a line.
func (s *sink) Line(l *db.UsageLine) error {
	s.bytes += len(l.OccurredAt) + len(l.RecordedAt) + len(l.Product) + len(l.Reference) + len(l.Tags)
	return nil
}

// BenchmarkDownload streams 200,000 records as CSV, and lets PostgreSQL copy the same rows to nowhere: the limit. It tells how the costs
// compare, in CPU of this process and of PostgreSQL's.
func BenchmarkDownload(b *testing.B) {
	name := dbtest.Copy(b, "")
	d := dbtest.OpenNamed(b, name)
	pool := sqlx.MustConnect("postgres", dbtest.DSN(b, name))
	b.Cleanup(func() { _ = pool.Close() })
	pool.SetMaxOpenConns(1)
	v, a := provider(b, d), newAccountOn(b, d)
	m := newMeter(b, pool, a.id, 1000)
	const batches = 40
	for range batches {
		if done, err := d.IngestUsage(b.Context(), v, m.batch(), false); err != nil || len(done.Refused) > 0 {
			b.Fatal(err, done)
		}
	}
	pool.MustExec(`VACUUM ANALYZE`)
	from, to := m.at.AddDate(0, 0, -60), m.at.Add(time.Hour)
	request, err := graph.NewDownloadRequest(graph.CSV, graph.Uncompressed, graph.UsageFilter{From: &from, To: &to})
	if err != nil {
		b.Fatal(err)
	}
	a.owner.Request = now()
	download := &db.Download{Viewer: a.owner, Request: request}
	var ours, copied cost
	var file sink
	for b.Loop() {
		ours.of(b, pool, func() {
			if err := d.WriteUsage(b.Context(), download, graph.DownloadPlace{Moment: a.owner.Request.At}, &file); err != nil {
				b.Fatal(err)
			}
		})
		copied.of(b, pool, func() {
			pool.MustExec(fmt.Sprintf(`COPY (SELECT occurred_at, recorded_at, key_id, product, direction, country, quantity, cost, succeeded, reference, replaces, tags
				FROM usage_records WHERE account_id = '%s' AND replaced_by IS NULL ORDER BY occurred_at, id) TO '/dev/null' (FORMAT csv)`, a.id))
		})
	}
	records := float64(b.N) * batches * graph.MaxUsageBatch
	b.ReportMetric(float64(file.bytes)/records, "bytes/record")
	b.ReportMetric(float64(ours.cpu.Nanoseconds())/records, "cpu-ns/record")
	b.ReportMetric(float64(copied.cpu.Nanoseconds())/records, "COPY-cpu-ns/record")
	b.ReportMetric(copied.cpu.Seconds()/ours.cpu.Seconds(), "COPY/download")
}
