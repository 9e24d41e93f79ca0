package server_test

import (
	"bytes"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"grantwood/db/dbtest"
	"grantwood/server"
)

// BenchmarkThousandSubscriptions prints what a thousand people who follow keys over sockets cost, and how long an event takes to
// reach the first, half and all of them: go test ./server -run '^$' -bench ThousandSubscriptions -benchtime 1x. The limits are 64 MiB,
// and 100 ms on a machine that does nothing else.
func BenchmarkThousandSubscriptions(b *testing.B) {
	const subscribers = 1000
	w := newWorld(b)
	key := w.key(b, "Toggled")
	a, h := newAPI(dbtest.Open(b))
	defer h.Close()
	for b.Loop() {
		before := server.InUse()
		conns := make([]net.Conn, subscribers)
		for i := range conns {
			conns[i] = server.BareSubscriber(b, a.url, "Bearer "+w.owner.token, "subscription { keyToggled { status key { id } } }")
		}
		for a.srv.Sockets().Started < subscribers {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(2 * time.Second) // the last of them begin to follow
		b.ReportMetric(float64(server.InUse()-before)/(1<<20), "MiB")
		var mu sync.Mutex
		var readers sync.WaitGroup
		var took []time.Duration
		var start time.Time
		for _, c := range conns {
			readers.Go(func() {
				defer func() { _ = c.Close() }()
				text := make([]byte, 0, 4096)
				for buffer := make([]byte, 1024); !bytes.Contains(text, []byte("keyToggled")); {
					n, err := c.Read(buffer)
					if err != nil {
						b.Error(err)
						return
					}
					text = append(text, buffer[:n]...)
				}
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(start))
			})
		}
		mu.Lock()
		start = time.Now()
		mu.Unlock()
		w.owner.ask(b, `mutation($id: ID!) { setApiKeyEnabled(input: {keyId: $id, enabled: false}) { userErrors { message } } }`, map[string]any{"id": key}, "setApiKeyEnabled")
		readers.Wait()
		slices.Sort(took)
		for name, d := range map[string]time.Duration{"first-ms": took[0], "half-ms": took[len(took)/2], "all-ms": took[len(took)-1]} {
			b.ReportMetric(float64(d.Microseconds())/1000, name)
		}
	}
}
