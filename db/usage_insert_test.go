package db

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSplitSums: sums begin in the plain way when all of their quarter of an hour lies where nothing is.
func TestSplitSums(t *testing.T) {
	t.Parallel()
	at := func(minutes int) int64 {
		return time.Date(2016, 6, 29, 9, minutes, 0, 0, time.UTC).UnixMicro()
	}
	for _, c := range []struct {
		from, to int64
		want     []int // minutes of those that begin
	}{
		{at(0), at(45), []int{0, 15, 30}}, {at(0) + 1, at(45), []int{15, 30}}, {at(0), at(45) - 1, []int{0, 15}}, {at(20), at(40), nil}, {0, 0, nil},
	} {
		var sums []*usageCellSums
		for minutes := -15; minutes <= 45; minutes += 15 {
			sums = append(sums, &usageCellSums{usageCell: usageCell{start: at(minutes)}})
		}
		b := usageBatch{emptyFrom: c.from, emptyTo: c.to}
		begun, others := b.split(sums)
		var got []int
		for _, s := range begun {
			got = append(got, int((s.start-at(0))/time.Minute.Microseconds()))
		}
		if diff := cmp.Diff(c.want, got); diff != "" || len(begun)+len(others) != len(sums) {
			t.Errorf("from %d to %d, %d others: %s", c.from, c.to, len(others), diff)
		}
	}
}

// TestCostSum adds costs that 64 bits have no room for, and takes them away again.
func TestCostSum(t *testing.T) {
	t.Parallel()
	const largest = 1_000_000_000_00000000
	for _, c := range []struct {
		costs []int64
		times int
		want  string
	}{
		{nil, 1, "0"}, {[]int64{1, 2, -4}, 1, "-1"}, {[]int64{largest}, 90, "9000000000000000000"}, {[]int64{largest}, 93, "9300000000000000000"},
		{[]int64{-largest}, 200, "-20000000000000000000"}, {[]int64{largest, largest, -largest}, 5000, "500000000000000000000"},
	} {
		var s costSum
		for range c.times {
			for _, n := range c.costs {
				s.add(n)
			}
		}
		if got := string(s.appendTo([]byte("="))); got != "="+c.want || s.zero() != (c.want == "0") {
			t.Errorf("%v, %d times: %s, zero: %t", c.costs, c.times, got, s.zero())
		}
		for range c.times {
			for _, n := range c.costs {
				s.add(-n)
			}
		}
		if !s.zero() || string(s.appendTo(nil)) != "0" {
			t.Errorf("%v, %d times: what is left is %s", c.costs, c.times, s.appendTo(nil))
		}
	}
}
