package db_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// BenchmarkLive follows one account as 1,000 users with a session each, and tells how long after a change is asked for its event has
// reached all of them, and the heap that a thousand subscriptions take. The limits are 100 ms at rest and 64 MiB.
func BenchmarkLive(b *testing.B) {
	const listeners = 1000
	d := dbtest.OpenNamed(b, dbtest.SharedName())
	c := newCrowd(b, listeners, 1000)
	pool := db.Pool(c.db)
	c.put(b, pool, `INSERT INTO sessions (account_id, session_id, user_id, secret_hash, created_at, expires_at)
		SELECT $1, u, u, '\x00', now(), now() + interval '1 day' FROM unnest($2::uuid[]) AS u`, array(c.users))
	c.put(b, pool, `INSERT INTO grants (account_id, user_id, key_id, enabled, updated_at)
		SELECT $1, u, k, true, now() FROM unnest($2::uuid[]) AS u CROSS JOIN unnest($3::uuid[]) AS k`, array(c.users), array(c.keys[:110]))
	key := graph.ID{Kind: graph.KindKey, Account: c.id, Object: c.keys[0]}
	before := heap()
	ready := make(chan time.Time, listeners)
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	for _, u := range c.users {
		v, err := db.ViewerOf(b.Context(), d, c.id, u, now().At)
		if err != nil {
			b.Fatal(err)
		}
		v.SessionID = u
		s, err := d.Follow(b.Context(), v, keysOf)
		if err != nil {
			b.Fatal(err)
		}
		running.Go(func() {
			defer s.Close()
			for {
				if _, _, err := s.Next(ctx); err != nil {
					return
				}
				ready <- time.Now()
			}
		})
	}
	held := heap() - before
	var took []time.Duration
	used := cpu(b, pool)
	for i := range max(b.N, 20) {
		time.Sleep(50 * time.Millisecond)
		c.owner.Request = now()
		start := time.Now()
		if _, err := d.SetApiKeyEnabled(b.Context(), c.owner, graph.SetApiKeyEnabledInput{KeyID: key, Enabled: i%2 == 1}); err != nil {
			b.Fatal(err)
		}
		last := start
		for range listeners {
			last = <-ready
		}
		took = append(took, last.Sub(start))
	}
	used = cpu(b, pool) - used
	slices.Sort(took)
	b.ReportMetric(used.Seconds()*1000/float64(len(took)), "cpu-ms/event")
	b.ReportMetric(float64(held)/(1<<20), "MiB")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms-worst")
	b.ReportMetric(0, "ns/op")
	fmt.Printf("limits: 64 MiB, 100 ms\n")
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
