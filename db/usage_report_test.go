package db_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// usedModel is a record as the test knows it.
type usedModel struct {
	key, reference                      int
	at                                  time.Time
	product, country, direction, animal string
	quantity, cost                      int64
	failed, replaced                    bool
}

var usageStart = time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -40)

func drawUsed(r *rapid.T, keys, reference int) usedModel {
	return usedModel{key: rapid.IntRange(0, keys-1).Draw(r, "key"), reference: reference,
		at:      usageStart.Add(time.Duration(rapid.IntRange(0, 20*24*60*4).Draw(r, "at")) * 15 * time.Second),
		product: rapid.SampledFrom([]string{"SMS", "VOICE"}).Draw(r, "product"), country: rapid.SampledFrom([]string{"DE", "FR", "ZZ"}).Draw(r, "country"),
		direction: rapid.SampledFrom([]string{"INBOUND", "OUTBOUND"}).Draw(r, "direction"), animal: rapid.SampledFrom([]string{"", "cat", "dog"}).Draw(r, "animal"),
		quantity: rapid.Int64Range(0, 5).Draw(r, "quantity"), cost: rapid.Int64Range(0, 300_000_000).Draw(r, "cost"), failed: rapid.Bool().Draw(r, "failed")}
}

func (u usedModel) input(p *planted, replaces *string) *graph.UsageRecordInput {
	direction, status := graph.UsageDirection(u.direction), graph.UsageSucceeded
	if u.failed {
		status = graph.UsageFailed
	}
	in := &graph.UsageRecordInput{Key: db.PublicKey(p.account, fmt.Sprint(u.key)), Reference: fmt.Sprint("r", u.reference), Product: u.product,
		Direction: &direction, Country: u.country, Quantity: u.quantity, Cost: decimal.New(u.cost, -8), Status: status, OccurredAt: u.at, Replaces: replaces}
	if u.animal != "" {
		in.Tags = []*graph.UsageTagInput{{Name: "animal", Value: u.animal}, {Name: "other", Value: "x"}}
	}
	return in
}

// TestReportsAgree: whatever is used, corrected, and asked for, a report is what the test adds up itself from the records of the
// keys that the viewer sees.
func TestReportsAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		p, err := plant(t.Context(), dbtest.Open(t), drawModel(r))
		if err != nil {
			r.Fatal(err)
		}
		used := p.use(t, r)
		for range 6 {
			user := rapid.IntRange(0, modelUsers-1).Draw(r, "viewer")
			v := p.viewer(r, t, user, modelStart.Add(30*time.Minute))
			in := p.drawReport(r)
			p.compareReport(t, r, v, user, in, used)
		}
	})
}

// use sends random records in batches, some of them twice, some corrected.
func (p *planted) use(t *testing.T, r *rapid.T) []usedModel {
	provider := &graph.Viewer{Kind: graph.KindOperator, Operator: &graph.Operator{Scopes: graph.ScopeList{graph.ScopeIngest}}, Request: now()}
	var used []usedModel
	for range rapid.IntRange(1, 3).Draw(r, "batches") {
		var batch []*graph.UsageRecordInput
		for range rapid.IntRange(1, 15).Draw(r, "records") {
			u := drawUsed(r, len(p.keys), len(used))
			var replaces *string
			if len(used) > 0 && rapid.IntRange(0, 3).Draw(r, "corrects") == 0 {
				old := rapid.IntRange(0, len(used)-1).Draw(r, "old")
				if !used[old].replaced {
					text := fmt.Sprint("r", used[old].reference)
					replaces, used[old].replaced = &text, true
				}
			}
			batch, used = append(batch, u.input(p, replaces)), append(used, u)
		}
		for range rapid.IntRange(1, 2).Draw(r, "times") {
			done, err := p.db.IngestUsage(t.Context(), provider, batch, true)
			if err != nil || len(done.Refused) > 0 {
				r.Fatalf("%v %+v", err, done)
			}
		}
	}
	return used
}

func (p *planted) drawReport(r *rapid.T) graph.UsageReportInput {
	step := rapid.SampledFrom([]time.Duration{24 * time.Hour, 15 * time.Minute, 7 * time.Second}).Draw(r, "step")
	steps := int(22 * 24 * time.Hour / step)
	from := rapid.IntRange(0, steps-1).Draw(r, "from")
	in := graph.UsageReportInput{TimeZone: rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"}).Draw(r, "zone"),
		From: usageStart.Add(time.Duration(from) * step), To: usageStart.Add(time.Duration(rapid.IntRange(from+1, steps).Draw(r, "to")) * step),
		Limit: rapid.SampledFrom([]int{3, 1000}).Draw(r, "limit")}
	period := rapid.SampledFrom([]graph.UsageGrouping{"", graph.ByMonth, graph.ByDay, graph.ByHour}).Draw(r, "period")
	if period != "" {
		in.GroupBy = append(in.GroupBy, period)
	}
	others := rapid.Permutation([]graph.UsageGrouping{graph.ByUnit, graph.ByKey, graph.ByProduct, graph.ByCountry, graph.ByTag}).Draw(r, "others")
	in.GroupBy = append(in.GroupBy, others[:rapid.IntRange(0, 3).Draw(r, "groupings")]...)
	if in.Groups(graph.ByTag) {
		tag := "animal"
		in.Tag = &tag
	}
	switch rapid.IntRange(0, 6).Draw(r, "restriction") {
	case 0:
		in.Products = []string{"SMS", "NOTHING"}
	case 1:
		in.Countries = []string{"DE"}
	case 2:
		status := rapid.SampledFrom([]graph.UsageStatus{graph.UsageFailed, graph.UsageSucceeded}).Draw(r, "status")
		in.Status = &status
	case 3:
		direction := graph.Inbound
		in.Direction = &direction
	case 4:
		in.KeyIds = []graph.ID{p.global(graph.KindKey, p.keys[0]), p.global(graph.KindKey, p.keys[1])}
	case 5:
		if len(p.units) > 0 {
			in.UnitID = p.globalUnit(rapid.IntRange(0, len(p.units)-1).Draw(r, "in unit"))
		}
	}
	return in
}

// wanted reports whether a record is part of what is asked for.
func (p *planted) wanted(u usedModel, user int, at time.Time, in graph.UsageReportInput) bool {
	return !u.replaced && p.seesKey(user, u.key, at) && !u.at.Before(in.From) && u.at.Before(in.To) &&
		(in.Products == nil || slices.Contains(in.Products, u.product)) && (in.Countries == nil || slices.Contains(in.Countries, u.country)) &&
		(in.Status == nil || (*in.Status == graph.UsageFailed) == u.failed) && (in.Direction == nil || string(*in.Direction) == u.direction) &&
		(in.KeyIds == nil || u.key < 2) && (in.UnitID == nil || p.within(p.unitOf[u.key], slices.Index(p.units, in.UnitID.Object)))
}

// modelSum is a row as the test adds it up, with the label of what it is of.
type modelSum struct {
	Label                        string
	Records, Succeeded, Quantity int64
	Cost                         string
	cost                         int64
}

func (s *modelSum) add(u usedModel) {
	s.Records++
	if !u.failed {
		s.Succeeded++
	}
	s.Quantity += u.quantity
	s.cost += u.cost
	s.Cost = decimal.New(s.cost, -8).String()
}

func (p *planted) compareReport(t *testing.T, r *rapid.T, v *graph.Viewer, user int, in graph.UsageReportInput, used []usedModel) {
	zone, err := time.LoadLocation(in.TimeZone)
	if err != nil {
		r.Fatal(err)
	}
	rows, total := map[string]*modelSum{}, modelSum{Cost: "0"}
	for _, u := range used {
		if !p.wanted(u, user, v.Request.At, in) {
			continue
		}
		label := p.label(u, in, zone)
		if rows[label] == nil {
			rows[label] = &modelSum{Label: label}
		}
		rows[label].add(u)
		total.add(u)
	}
	report, err := p.db.UsageReport(t.Context(), v, p.account, in)
	if err != nil {
		r.Fatal(err)
	}
	got := []modelSum{}
	for _, row := range report.Rows {
		if !row.VisibleTo(v) {
			r.Fatalf("the second source hides %+v", row)
		}
		got = append(got, sumOf(p.labelOf(row, in, zone), row.Totals))
	}
	var want []modelSum
	for _, row := range rows {
		row.cost = 0
		want = append(want, *row)
	}
	slices.SortFunc(want, func(a, b modelSum) int { return strings.Compare(a.Label, b.Label) })
	if report.Truncated != (len(want) > in.Limit) || len(got) != min(len(want), in.Limit) {
		r.Fatalf("%d rows, truncated %v, want %d", len(got), report.Truncated, len(want))
	}
	if !report.Truncated {
		slices.SortFunc(got, func(a, b modelSum) int { return strings.Compare(a.Label, b.Label) })
	} else {
		want = slices.DeleteFunc(want, func(w modelSum) bool {
			return !slices.ContainsFunc(got, func(g modelSum) bool { return g.Label == w.Label })
		})
		slices.SortFunc(got, func(a, b modelSum) int { return strings.Compare(a.Label, b.Label) })
	}
	total.cost = 0
	if diff := gocmp.Diff(append([]modelSum{total}, want...), append([]modelSum{sumOf("", report.Totals)}, got...), gocmp.AllowUnexported(modelSum{})); diff != "" {
		r.Fatalf("%+v as user %d (-want +got):\n%s", in, user, diff)
	}
}

func sumOf(label string, s *graph.UsageTotals) modelSum {
	return modelSum{Label: label, Records: s.Records, Succeeded: s.Succeeded, Quantity: s.Quantity, Cost: s.Cost().Amount.String()}
}

// label says of what row a record is a part.
func (p *planted) label(u usedModel, in graph.UsageReportInput, zone *time.Location) string {
	var parts []string
	for _, g := range in.GroupBy {
		switch g {
		case graph.ByMonth, graph.ByDay, graph.ByHour:
			parts = append(parts, clock(u.at, g, zone))
		case graph.ByUnit:
			parts = append(parts, fmt.Sprint("unit ", p.unitOf[u.key]))
		case graph.ByKey:
			parts = append(parts, fmt.Sprint("key ", u.key))
		case graph.ByProduct:
			parts = append(parts, u.product)
		case graph.ByCountry:
			parts = append(parts, u.country)
		case graph.ByTag:
			parts = append(parts, cmp.Or(u.animal, "none"))
		}
	}
	return strings.Join(parts, ", ")
}

func clock(at time.Time, g graph.UsageGrouping, zone *time.Location) string {
	return at.In(zone).Format(map[graph.UsageGrouping]string{graph.ByMonth: "2006-01", graph.ByDay: "2006-01-02", graph.ByHour: "2006-01-02T15 -0700"}[g])
}

// labelOf says what a row is of.
func (p *planted) labelOf(row *graph.UsageReportRow, in graph.UsageReportInput, zone *time.Location) string {
	var parts []string
	for _, g := range in.GroupBy {
		switch g {
		case graph.ByMonth, graph.ByDay, graph.ByHour:
			parts = append(parts, clock(*row.PeriodStart, g, zone))
		case graph.ByUnit:
			parts = append(parts, fmt.Sprint("unit ", p.place(row.UnitID)))
		case graph.ByKey:
			parts = append(parts, fmt.Sprint("key ", slices.Index(p.keys, *row.KeyID)))
		case graph.ByProduct:
			parts = append(parts, *row.Product)
		case graph.ByCountry:
			parts = append(parts, *row.Country)
		case graph.ByTag:
			tag := "none"
			if row.Tag != nil {
				tag = *row.Tag
			}
			parts = append(parts, tag)
		}
	}
	return strings.Join(parts, ", ")
}
