package server

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestGateServesInOrder: as many run as there are places, and those who wait follow in the order of their arrival.
func TestGateServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, order := newGate(1, time.Minute), make(chan int, 10)
		leave, _ := g.enter(t.Context())
		for i := range 10 {
			go func() {
				leave, _ := g.enter(context.Background())
				order <- i
				leave()
			}()
			synctest.Wait()
		}
		if g.waiting.Load() != 10 || g.running.Load() != 1 {
			t.Errorf("%d wait, %d run", g.waiting.Load(), g.running.Load())
		}
		leave()
		for i := range 10 {
			if got := <-order; got != i {
				t.Errorf("%d came as number %d", got, i)
			}
		}
	})
}

// TestGateRefuses: who would wait too long is refused at once when that is clear, otherwise after that time.
func TestGateRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(2, 2*time.Second)
		for range 100 { // learn that an operation takes a second
			leave, _ := g.enter(t.Context())
			time.Sleep(time.Second)
			leave()
		}
		for range 2 {
			_, _ = g.enter(t.Context())
		}
		start := time.Now()
		for range 4 {
			go func() {
				if leave, retry := g.enter(context.Background()); leave != nil || retry == 0 || time.Since(start) != 2*time.Second {
					t.Errorf("served, or refused after %v", time.Since(start))
				}
			}()
		}
		synctest.Wait()
		if leave, retry := g.enter(t.Context()); leave != nil || retry == 0 || time.Since(start) != 0 {
			t.Errorf("served, or refused after %v", time.Since(start))
		}
		time.Sleep(3 * time.Second)
		if g.waiting.Load() != 0 || g.refused.Load() != 5 {
			t.Errorf("%d wait, %d were refused", g.waiting.Load(), g.refused.Load())
		}
	})
}
