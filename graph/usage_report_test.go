package graph

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestBuckets: days and hours where the clock changes.
func TestBuckets(t *testing.T) {
	t.Parallel()
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed.UTC()
	}
	for _, c := range []struct {
		name, zone, from, to string
		by                   UsageGrouping
		want                 []string
	}{
		{"no grouping", "UTC", "2026-03-01T10:20:00Z", "2026-03-03T00:00:00Z", "", []string{"2026-03-01T10:20:00Z", "2026-03-03T00:00:00Z"}},
		{"23 hours", "Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-30T22:00:00Z", ByDay,
			[]string{"2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"}},
		{"25 hours", "Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-26T23:00:00Z", ByDay,
			[]string{"2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z"}},
		{"an hour twice", "Europe/Berlin", "2026-10-24T23:30:00Z", "2026-10-25T02:00:00Z", ByHour,
			[]string{"2026-10-24T23:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"}},
		{"half an hour twice", "Australia/Lord_Howe", "2026-04-04T14:00:00Z", "2026-04-04T17:30:00Z", ByHour,
			[]string{"2026-04-04T14:00:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z", "2026-04-04T16:30:00Z", "2026-04-04T17:30:00Z"}},
		{"midnight skipped", "Africa/Cairo", "2026-04-22T22:00:00Z", "2026-04-24T21:00:00Z", ByDay,
			[]string{"2026-04-22T22:00:00Z", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"}},
		{"quarters of an hour", "Asia/Kathmandu", "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", ByDay,
			[]string{"2026-05-01T00:00:00Z", "2026-05-01T18:15:00Z", "2026-05-02T00:00:00Z"}},
		{"months", "America/New_York", "2026-01-31T00:00:00Z", "2026-03-02T00:00:00Z", ByMonth,
			[]string{"2026-01-31T00:00:00Z", "2026-02-01T05:00:00Z", "2026-03-01T05:00:00Z", "2026-03-02T00:00:00Z"}},
	} {
		in := UsageReportInput{From: at(c.from), To: at(c.to), TimeZone: c.zone, Limit: 1}
		if c.by != "" {
			in.GroupBy = []UsageGrouping{c.by}
		}
		got, err := in.Buckets()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var texts []string
		for _, g := range got {
			texts = append(texts, g.Format(time.RFC3339))
		}
		if len(texts) != len(c.want) {
			t.Errorf("%s: %v, want %v", c.name, texts, c.want)
			continue
		}
		for i := range texts {
			if texts[i] != c.want[i] {
				t.Errorf("%s: %v, want %v", c.name, texts, c.want)
				break
			}
		}
	}
}

// TestBucketsFollowTheClock: in any zone and period, every period of the clock is one bucket, each begins where the clock says
// so, at a quarter of an hour, and together they are the whole.
func TestBucketsFollowTheClock(t *testing.T) {
	t.Parallel()
	zones := []string{"UTC", "Europe/Berlin", "America/St_Johns", "America/Sao_Paulo", "Africa/Cairo", "Asia/Kathmandu", "Australia/Lord_Howe",
		"Pacific/Chatham", "America/Havana", "Asia/Beirut", "Pacific/Apia", "Antarctica/Troll"}
	rapid.Check(t, func(r *rapid.T) {
		from := time.Date(2011, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 8000*96).Draw(r, "from")) * 15 * time.Minute)
		in := UsageReportInput{From: from, To: from.Add(time.Duration(rapid.IntRange(1, 30*96).Draw(r, "long")) * 15 * time.Minute), Limit: 1,
			TimeZone: rapid.SampledFrom(zones).Draw(r, "zone"), GroupBy: []UsageGrouping{rapid.SampledFrom([]UsageGrouping{ByMonth, ByDay, ByHour}).Draw(r, "by")}}
		zone, err := time.LoadLocation(in.TimeZone)
		if err != nil {
			r.Fatal(err)
		}
		got, err := in.Buckets()
		if err != nil {
			r.Fatal(err)
		}
		layout := map[UsageGrouping]string{ByMonth: "2006-01", ByDay: "2006-01-02", ByHour: "2006-01-02T15 -0700"}[in.GroupBy[0]]
		for i := 0; i+1 < len(got); i++ {
			if !got[i].Before(got[i+1]) || got[i].Minute()%15 != 0 {
				r.Fatalf("bucket %d from %s to %s", i, got[i], got[i+1])
			}
			first := got[i].In(zone).Format(layout)
			for at := got[i]; at.Before(got[i+1]); at = at.Add(15 * time.Minute) {
				if label := at.In(zone).Format(layout); label != first {
					r.Fatalf("bucket of %s holds %s", first, label)
				}
			}
			if i > 0 && got[i].Add(-time.Minute).In(zone).Format(layout) == first {
				r.Fatalf("%s is split", first)
			}
		}
		if got[0] != in.From || got[len(got)-1] != in.To {
			r.Fatal("the buckets are not the period")
		}
	})
}
