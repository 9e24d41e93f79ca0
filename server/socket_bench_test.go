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
	before, running := inUse(), runtime.NumGoroutine()
	conns := make([]net.Conn, idleSockets)
	for i := range conns {
		conns[i] = bareSubscriber(t, strings.TrimPrefix(s.url, "http://"))
	}
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	eventually(t, "a thousand subscriptions", func() bool { return s.script.started.Load() == idleSockets })
	return inUse() - before, runtime.NumGoroutine() - running
}

// inUse is the memory of heap and stacks that is in use.
func inUse() uint64 {
	runtime.GC()
	runtime.GC() // what had a finalizer is freed by the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// bareSubscriber is a client that is nothing but its connection.
func bareSubscriber(t testing.TB, address string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n")
	for _, m := range []string{`{"type":"connection_init"}`, `{"id":"a","type":"subscribe","payload":{"query":"silence"}}`} {
		b.Write([]byte{0x81, 0x80 | byte(len(m)), 0, 0, 0, 0}) // a masked frame, whose mask changes nothing
		b.WriteString(m)
	}
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	return c
}
