package demo

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"grantwood/graph"
)

var someDay = time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)

func publicKeys(account string) []string {
	var keys []string
	for _, name := range KeyNames(account) {
		keys = append(keys, "gwk"+name)
	}
	return keys
}

func collected(account string, n int) []*graph.UsageRecordInput {
	return slices.Collect(Usage(account, publicKeys(account), someDay, UsageOf(account, n)))
}

// TestUsageIsTheSame: the same arguments make the same records, others do not.
func TestUsageIsTheSame(t *testing.T) {
	t.Parallel()
	for _, account := range accountNames {
		once := collected(account, 5000)
		equal := cmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) })
		if diff := cmp.Diff(once, collected(account, 5000), equal); diff != "" {
			t.Errorf("%s: the second time there are other records:\n%s", account, diff)
		}
		next := slices.Collect(Usage(account, publicKeys(account), someDay.AddDate(0, 0, 1), UsageOf(account, 5000)))
		if once[0].OccurredAt.Equal(next[0].OccurredAt) {
			t.Errorf("%s: the next day has the records of this one", account)
		}
	}
}

// TestUsageCounts: both accounts together have as many as asked for, all acceptable, in the order of time but for corrections, each of
// which corrects another one.
func TestUsageCounts(t *testing.T) {
	t.Parallel()
	rules := graph.UsageRules{Products: map[string]bool{}, Now: someDay, Oldest: someDay.AddDate(0, 0, -UsageDays)}
	for _, p := range []string{"SMS", "VOICE", "VERIFY", "NUMBER_INSIGHT", "NUMBER_RENTAL"} {
		rules.Products[p] = true
	}
	for _, n := range []int{0, 1, 2, 7, 1999, 2000, 4001, 50_000} {
		sum := 0
		for _, account := range accountNames {
			records := collected(account, n)
			sum += len(records)
			check(t, rules, records, UsageOf(account, n)/oneIn)
		}
		if sum != n {
			t.Errorf("asked for %d records there are %d", n, sum)
		}
	}
}

func check(t *testing.T, rules graph.UsageRules, records []*graph.UsageRecordInput, corrections int) {
	t.Helper()
	open, last, corrected := map[string]bool{}, time.Time{}, 0
	for _, r := range records {
		if why := rules.Check(r); why != nil {
			t.Fatalf("%+v: %s", r, why.Message)
		}
		if _, there := open[r.Reference]; there {
			t.Fatalf("the reference %s is there twice", r.Reference)
		}
		open[r.Reference] = r.Replaces == nil
		if r.Replaces != nil {
			if corrected++; !open[*r.Replaces] {
				t.Errorf("%s corrects %s, which is not there or corrected", r.Reference, *r.Replaces)
			}
			open[*r.Replaces] = false
			continue
		}
		if corrected > 0 || r.OccurredAt.Before(last) || !r.OccurredAt.Before(rules.Now) {
			t.Fatalf("the record at %v comes after one at %v", r.OccurredAt, last)
		}
		last = r.OccurredAt
	}
	if corrected != corrections {
		t.Errorf("%d of %d records are corrections, want %d", corrected, len(records), corrections)
	}
}

// TestUsageIsBelievable: it grows, rests at weekends, follows the clocks of its regions, breaks down once, and differs by key.
func TestUsageIsBelievable(t *testing.T) {
	t.Parallel()
	from, to := Outage(someDay)
	for _, account := range accountNames {
		records := collected(account, 200_000)
		count := func(of func(*graph.UsageRecordInput) bool) float64 {
			n := 0
			for _, r := range records {
				if r.Replaces == nil && of(r) {
					n++
				}
			}
			return float64(n)
		}
		between := func(from, to time.Time) func(*graph.UsageRecordInput) bool {
			return func(r *graph.UsageRecordInput) bool { return !r.OccurredAt.Before(from) && r.OccurredAt.Before(to) }
		}
		weekend := func(r *graph.UsageRecordInput) bool {
			return r.OccurredAt.Weekday() == time.Saturday || r.OccurredAt.Weekday() == time.Sunday
		}
		if off := count(weekend); off/2 > .8*(float64(len(records))-off)/5 {
			t.Errorf("%s: %.0f of %d records fall on weekends", account, off, len(records))
		}
		begun, ended := count(between(someDay.AddDate(0, 0, -90), someDay.AddDate(0, 0, -62))), count(between(someDay.AddDate(0, 0, -28), someDay))
		if ended < 1.2*begun {
			t.Errorf("%s: there are %.0f records in the first four weeks, %.0f in the last", account, begun, ended)
		}
		broken, before := between(from, to), between(from.AddDate(0, 0, -7), to.AddDate(0, 0, -7))
		failed := func(in func(*graph.UsageRecordInput) bool) float64 {
			return count(func(r *graph.UsageRecordInput) bool { return in(r) && r.Status == graph.UsageFailed }) / count(in)
		}
		if count(broken) > count(before)/2 || failed(broken) < .75 || failed(before) > .1 {
			t.Errorf("%s: the outage has %.0f records, of which %.2f failed; a week before it was %.0f, %.2f", account, count(broken), failed(broken),
				count(before), failed(before))
		}
	}
}

// TestUsageOfKeys: keys differ by product, country, time of the day and tags.
func TestUsageOfKeys(t *testing.T) {
	t.Parallel()
	products, countries, tags, hours := map[string]map[string]int{}, map[string]map[string]int{}, map[string]map[string]int{}, map[string][24]int{}
	add := func(m map[string]map[string]int, key, value string) {
		if m[key] == nil {
			m[key] = map[string]int{}
		}
		m[key][value]++
	}
	for _, account := range accountNames {
		for _, r := range collected(account, 200_000) {
			key := r.Key[3:]
			add(products, key, r.Product)
			add(countries, key, r.Country)
			for _, tag := range r.Tags {
				add(tags, key, tag.Name)
			}
			h := hours[key]
			h[r.OccurredAt.Hour()]++
			hours[key] = h
		}
	}
	for _, name := range append(KeyNames(Globex), KeyNames(Initech)...) {
		if len(products[name]) == 0 {
			t.Errorf("the key %s was not used", name)
		}
	}
	if p := products["Europe: Support"]; p["VOICE"] < 5*p["SMS"] || len(products["Europe: Two-factor login"]) != 1 {
		t.Errorf("support used %v, two-factor login %v", p, products["Europe: Two-factor login"])
	}
	if c := countries["Americas: Chat"]; c["US"] == 0 || c["DE"] > 0 {
		t.Errorf("a chat of the Americas went to %v", c)
	}
	if tags["Europe: Marketing"]["campaign"] == 0 || tags["Customer: Acme"]["city"] == 0 || tags["Europe: Support"] != nil {
		t.Errorf("tags are %v", tags)
	}
	if h := hours["Europe: Sales"]; h[9] == 0 || h[22]+h[23]+h[0] > h[9]/10 {
		t.Errorf("sales in Europe work at %v", h)
	}
	if h := hours["Asia Pacific: Sales"]; h[2] == 0 || h[14]+h[15]+h[16] > h[2]/10 {
		t.Errorf("sales in Asia work at %v", h)
	}
}

func BenchmarkUsage(b *testing.B) {
	for b.Loop() {
		for range Usage(Globex, publicKeys(Globex), someDay, 100_000) {
		}
	}
}
