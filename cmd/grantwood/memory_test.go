package main

import "testing"

// TestPercentFor: little may grow to the floor, but not without end; much grows as Go lets it.
func TestPercentFor(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{
		0: mostPercent, 1 << 20: mostPercent, heapFloor / 5: 400, heapFloor / 4: 300, heapFloor / 2: 100, heapFloor: leastPercent,
		1 << 40: leastPercent,
	} {
		if got := percentFor(live); got != want {
			t.Errorf("%d bytes: %d, want %d", live, got, want)
		}
	}
}
