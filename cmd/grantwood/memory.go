package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// With little in memory Go collects garbage each time that another few megabytes were used, hundreds of times in a second under load.
// So the heap may grow to heapFloor before anything is collected; above that it is Go's own rule, twice what is live. What that brings,
// and what it costs, is in docs/performance.md.
const heapFloor = 32 << 20

// Bounds of GOGC. The upper one is for what is not in the heap, such as stacks, and counts all the same.
const (
	leastPercent = 100
	mostPercent  = 400
)

// percentFor gives the GOGC at which so many bytes of live heap may grow to the floor.
func percentFor(live uint64) int {
	if live == 0 {
		return mostPercent
	}
	growth := int64(heapFloor) - int64(live)
	return int(min(max(growth*100/int64(live), leastPercent), mostPercent))
}

// keepHeap adjusts GOGC after each collection, unless whoever started the program has set it or GOMEMLIMIT.
func keepHeap() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	set := leastPercent // what Go begins with
	type sentinel struct{ _ [16]byte }
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	var collected func(*sentinel)
	collected = func(s *sentinel) {
		metrics.Read(live)
		percent := percentFor(live[0].Value.Uint64())
		if percent < set || percent > set+set/8 { // setting it stops the program for a moment
			debug.SetGCPercent(percent)
			set = percent
		}
		runtime.SetFinalizer(s, collected) // runs again after the next collection
	}
	runtime.SetFinalizer(&sentinel{}, collected)
}
