package graph

import (
	"testing"
	"time"
)

func TestWait(t *testing.T) {
	t.Parallel()
	after := func(d time.Duration) time.Time { return noon.Add(d) }
	for _, row := range []struct {
		name   string
		before Failures
		at     time.Time
		want   time.Duration
	}{
		{"the first", Failures{}, noon, 0},
		{"the last free one", Failures{9, noon}, noon, 0},
		{"one more", Failures{10, noon}, noon, 2 * time.Second},
		{"one more, half way", Failures{10, noon}, after(time.Second), time.Second},
		{"one more, after the wait", Failures{10, noon}, after(2 * time.Second), 0},
		{"the second more", Failures{11, noon}, noon, 4 * time.Second},
		{"the fifth more", Failures{14, noon}, noon, 32 * time.Second},
		{"the sixth more", Failures{15, noon}, noon, time.Minute},
		{"the thousandth", Failures{1000, noon}, noon, time.Minute},
		{"the thousandth, after the wait", Failures{1000, noon}, after(time.Minute), 0},
		{"the thousandth, forgotten", Failures{1000, noon}, after(15 * time.Minute), 0},
		{"from the past", Failures{10, noon}, after(-time.Second), 3 * time.Second},
	} {
		if got := row.before.Wait(FreeOfPair, row.at); got != row.want {
			t.Errorf("%s waits %s, want %s", row.name, got, row.want)
		}
	}
	if got := (Failures{7, noon}).And(after(time.Minute)); got != (Failures{8, after(time.Minute)}) {
		t.Errorf("one more: %v", got)
	}
	if got := (Failures{7, noon}).And(after(15 * time.Minute)); got.Count != 1 {
		t.Errorf("one more after a quarter of an hour: %v", got)
	}
	if got := (Failures{7, noon}).And(after(-time.Minute)); got != (Failures{8, noon}) {
		t.Errorf("one more from the past: %v", got)
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"203.0.113.7": "203.0.113.7", "::ffff:203.0.113.7": "203.0.113.7",
		"2a01:4f8:1:2:3:4:5:6": "2a01:4f8:1:2::/64", "2a01:4f8:1:2::1%eth0": "2a01:4f8:1:2::/64",
		"127.0.0.1": "", "::1": "", "10.1.2.3": "", "192.168.0.1": "", "fd00::1": "", "fe80::1%eth0": "", "": "", "nonsense": "", "203.0.113.7:80": "",
	} {
		if got := (Request{Address: address}).Source(); got != want {
			t.Errorf("%s comes from %q, want %q", address, got, want)
		}
	}
}
