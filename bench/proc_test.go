package main

import (
	"testing"
	"time"
)

func TestParseUsed(t *testing.T) {
	t.Parallel()
	line := `4242 (a (strange) name) S 17 4242 4242 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 1 0 100 1000 10 18446744073709551615`
	got, err := parseUsed(line)
	want := used{parent: 17, own: 2 * time.Second, children: 500 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "1 (x) S 1", "1 x S 17 4242 4242 0 -1 4194560 1 2 3 4 150 50 30 20 20", "1 (x) S 17 1 1 0 -1 4 1 2 3 4 many 50 30 20 20"} {
		if _, err := parseUsed(bad); err == nil {
			t.Errorf("%q is taken for a process", bad)
		}
	}
}

func TestParseResident(t *testing.T) {
	t.Parallel()
	got, err := parseResident("Name:\tx\nVmHWM:\t  900 kB\nVmRSS:\t  512 kB\nThreads:\t1\n")
	if err != nil || got != 512<<10 {
		t.Errorf("%d, %v", got, err)
	}
	if _, err := parseResident("Name:\tx\n"); err == nil {
		t.Error("a process without memory")
	}
}
