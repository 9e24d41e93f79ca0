package main

import (
	"strings"
	"testing"
	"time"
)

func TestDifference(t *testing.T) {
	t.Parallel()
	parse := func(text string) any {
		v, err := dataOf([]byte(`{"data":` + text + `,"extensions":{"cost":1}}`))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	whole := `{"a":1,"b":[{"c":"x"},{"c":null}]}`
	if d := difference(parse(whole), parse(`{"b":[{"c":"x"},{"c":null}],"a":1}`), "data"); d != "" {
		t.Error(d)
	}
	for other, where := range map[string]string{
		`{"a":2,"b":[{"c":"x"},{"c":null}]}`:       "data.a is 1",
		`{"a":"1","b":[{"c":"x"},{"c":null}]}`:     "data.a is 1",
		`{"a":null,"b":[{"c":"x"},{"c":null}]}`:    "data.a is 1",
		`{"b":[{"c":"x"},{"c":null}]}`:             "data.a is in the first only",
		`{"a":1,"b":[{"c":"x"},{"c":null}],"d":1}`: "data.d is in the second only",
		`{"a":1,"b":[{"c":"x"}]}`:                  "data.b has 2 elements, and 1",
		`{"a":1,"b":[{"c":"x"},{"c":"y"}]}`:        "data.b.1.c is",
		`{"a":1,"b":[{"c":["x"]},{"c":null}]}`:     "data.b.0.c is x",
		`{"a":1,"b":{"c":"x"}}`:                    "data.b is",
		`[]`:                                       "data is",
	} {
		if d := difference(parse(whole), parse(other), "data"); !strings.HasPrefix(d, where) {
			t.Errorf("%s: %q, want %q", other, d, where)
		}
	}
	if n := values(parse(whole)); n != 3 {
		t.Errorf("%d values", n)
	}
	if _, err := dataOf([]byte("nothing")); err == nil {
		t.Error("nothing is an answer")
	}
}

// TestCostOfLimit: the CPU time of the limit for a request, by that of the peer, over all rounds.
func TestCostOfLimit(t *testing.T) {
	t.Parallel()
	lines := []line{{peer: "product"}, {peer: "limit"}}
	for range 2 {
		lines[0].add(round{latencies: make([]time.Duration, 10), elapsed: time.Second}, cost{40 * time.Millisecond, 60 * time.Millisecond}, 5)
		lines[1].add(round{latencies: make([]time.Duration, 20), elapsed: time.Second}, cost{60 * time.Millisecond, 40 * time.Millisecond}, 7)
	}
	related(lines)
	if lines[0].ofLimit != 0.5 || lines[1].ofLimit != 1 || lines[0].each(lines[0].server) != 4*time.Millisecond || lines[0].memory != 5 {
		t.Errorf("%+v", lines)
	}
	var b strings.Builder
	lines[0].workload, lines[0].clients, lines[0].must, lines[0].aim = "W2", 16, 0.75, 0.85
	printTable(&b, lines[:1])
	if want := "| W2 | 16 | product | 10.0 | 0.000 | 0.000 | 0.0 | 4.00 | 6.00 | 0 | 0.50 | 0.75 | 0.85 |\n"; !strings.HasSuffix(b.String(), want) {
		t.Errorf("%s\nwant %s", b.String(), want)
	}
}
