package server

import (
	"bytes"
	"context"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"grantwood/db/dbtest"
)

// Limits of a thousand idle sockets with a subscription each: what they may cost in all, and each in goroutines.
const (
	idleSockets    = 1000
	idleMemory     = 64 << 20
	idleGoroutines = 2.5 * idleSockets
)

// TestIdleSocketsAreCheap holds what idle sockets cost, with their stacks. The peers are bare connections, and cost little.
func TestIdleSocketsAreCheap(t *testing.T) {
	before, goroutines := idleCost(t)
	t.Logf("%d sockets with a subscription each: %.1f MiB of %d MiB, %.1f KiB each; %.2f goroutines each", idleSockets,
		float64(before)/(1<<20), idleMemory>>20, float64(before)/idleSockets/1024, float64(goroutines)/idleSockets)
	if before > idleMemory {
		t.Errorf("%d bytes are too many", before)
	}
	if goroutines > idleGoroutines {
		t.Errorf("%d goroutines are too many", goroutines)
	}
}

// BenchmarkIdleSockets prints the same figures: go test ./server -run '^$' -bench IdleSockets.
func BenchmarkIdleSockets(b *testing.B) {
	for b.Loop() {
		memory, goroutines := idleCost(b)
		b.ReportMetric(float64(memory)/(1<<20), "MiB")
		b.ReportMetric(idleMemory>>20, "MiB-limit")
		b.ReportMetric(float64(memory)/idleSockets/1024, "KiB/socket")
		b.ReportMetric(float64(goroutines)/idleSockets, "goroutines/socket")
	}
}

func idleCost(t testing.TB) (memory uint64, goroutines int) {
	t.Helper()
	s := newStage(t, dbtest.Open(t), calm, Config{})
	defer s.Drain()
	before, running := InUse(), runtime.NumGoroutine()
	conns := make([]net.Conn, idleSockets)
	for i := range conns {
		conns[i] = BareSubscriber(t, s.url, "", "silence")
	}
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	eventually(t, "a thousand subscriptions", func() bool { return s.script.started.Load() == idleSockets })
	return InUse() - before, runtime.NumGoroutine() - running
}

// InUse is the memory of heap and stacks that is in use.
func InUse() uint64 {
	runtime.GC()
	runtime.GC() // what had a finalizer is freed by the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// BareSubscriber is a client that is nothing but its connection, over which it subscribes.
func BareSubscriber(t testing.TB, url, authorization, query string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n")
	for _, m := range []string{`{"type":"connection_init","payload":{"Authorization":"` + authorization + `"}}`,
		`{"id":"a","type":"subscribe","payload":{"query":"` + query + `"}}`} {
		b.Write([]byte{0x81, 0x80 | 126, byte(len(m) >> 8), byte(len(m)), 0, 0, 0, 0}) // a masked frame, whose mask changes nothing
		b.WriteString(m)
	}
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	if _, err := c.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	return c
}
