package graph

import (
	"slices"
	"time"
	_ "time/tzdata" // zones are the same wherever the program runs

	"github.com/shopspring/decimal"
)

// UsageGrouping is how a report is split.
type UsageGrouping string

// The groupings. The first three are periods, of which a report has at most one.
const (
	ByMonth   UsageGrouping = "MONTH"
	ByDay     UsageGrouping = "DAY"
	ByHour    UsageGrouping = "HOUR"
	ByUnit    UsageGrouping = "UNIT"
	ByKey     UsageGrouping = "KEY"
	ByProduct UsageGrouping = "PRODUCT"
	ByCountry UsageGrouping = "COUNTRY"
	ByTag     UsageGrouping = "TAG"
)

// Limits of a report.
const (
	maxReportDays = 400
	maxHourlyDays = 31
	maxGroupings  = 4
)

// UsageReportInput is the period, grouping and restriction of a report; all restrictions must match.
type UsageReportInput struct {
	From      time.Time
	To        time.Time
	GroupBy   []UsageGrouping
	Tag       *string // name of the tag that ByTag groups by
	TimeZone  string  // IANA name
	KeyIds    []ID
	UnitID    *ID
	Products  []string
	Countries []string
	Status    *UsageStatus
	Direction *UsageDirection
	Limit     int // most rows
}

// Groups reports whether the report is split by g.
func (in UsageReportInput) Groups(g UsageGrouping) bool { return slices.Contains(in.GroupBy, g) }

// Period gives the grouping by time, empty when there is none.
func (in UsageReportInput) Period() UsageGrouping {
	for _, g := range []UsageGrouping{ByMonth, ByDay, ByHour} {
		if in.Groups(g) {
			return g
		}
	}
	return ""
}

// Buckets checks the input and gives the instants at which the periods of the report begin, and at last its end. Periods follow
// the clock of the time zone: a day is from midnight to midnight, be that 23, 24 or 25 hours; an hour begins at each full hour of the
// clock, so that the hour that comes twice in autumn is two. The first and last may be parts. BadUserInput with the argument's
// path.
func (in UsageReportInput) Buckets() ([]time.Time, error) {
	zone, _ := time.LoadLocation(in.TimeZone) // checked below
	days := func(n int) time.Time { return in.From.AddDate(0, 0, n) }
	switch {
	case !isZone(in.TimeZone):
		return nil, refuse(BadUserInput, "input.timeZone", noZone)
	case !in.To.After(in.From):
		return nil, refuse(BadUserInput, "input.to", "The end of the period lies after its beginning.")
	case in.To.After(days(maxReportDays)):
		return nil, refuse(BadUserInput, "input.to", "A report covers at most 400 days.")
	case in.Groups(ByHour) && in.To.After(days(maxHourlyDays)):
		return nil, refuse(BadUserInput, "input.to", "A report by hour covers at most 31 days.")
	case in.Groups(ByTag) != (in.Tag != nil):
		return nil, refuse(BadUserInput, "input.tag", "Name a tag to group by TAG, and only then.")
	case len(in.GroupBy) > maxGroupings:
		return nil, refuse(BadUserInput, "input.groupBy", "A report is split by at most 4 groupings.")
	}
	periods := 0
	for i, g := range in.GroupBy {
		if slices.Contains(in.GroupBy[:i], g) {
			return nil, refuse(BadUserInput, "input.groupBy", "A grouping is named once.")
		}
		if g == ByMonth || g == ByDay || g == ByHour {
			periods++
		}
	}
	if periods > 1 {
		return nil, refuse(BadUserInput, "input.groupBy", "A report is split by one of MONTH, DAY and HOUR.")
	}
	return in.starts(zone), nil
}

const noZone = "There is no such time zone; name one of the IANA database, such as Europe/Berlin."

// isZone reports whether the name is one of the IANA database. Go knows two more, of which one is the machine's own.
func isZone(name string) bool {
	_, err := time.LoadLocation(name)
	return err == nil && name != "" && name != "Local"
}

func (in UsageReportInput) starts(zone *time.Location) []time.Time {
	period := in.Period()
	starts := []time.Time{in.From.UTC()}
	for period != "" {
		next := nextStart(starts[len(starts)-1].In(zone), period).UTC()
		if !next.Before(in.To) {
			break
		}
		starts = append(starts, next)
	}
	return append(starts, in.To.UTC())
}

// nextStart gives the first instant after t at which a month, day or hour begins on the clock of t's zone.
func nextStart(t time.Time, period UsageGrouping) time.Time {
	if period == ByHour {
		return t.Add(time.Hour - time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
	}
	year, month, day := t.Date()
	if period == ByMonth {
		month, day = month+1, 1
	} else {
		day++
	}
	return firstOf(time.Date(year, month, day, 0, 0, 0, 0, t.Location()))
}

// firstOf gives the first instant of the day that a midnight begins. Where the clock skips midnight, the day begins when the clock
// goes on; where it shows midnight twice, with the first. time.Date chooses either way.
func firstOf(midnight time.Time) time.Time {
	const quarter = 15 * time.Minute
	noon := time.Date(midnight.Year(), midnight.Month(), midnight.Day(), 12, 0, 0, 0, midnight.Location())
	if midnight.Hour() > 12 { // time.Date went back before the gap
		noon = time.Date(midnight.Year(), midnight.Month(), midnight.Day()+1, 12, 0, 0, 0, midnight.Location())
	}
	first := noon
	for first.Add(-quarter).Day() == noon.Day() {
		first = first.Add(-quarter)
	}
	return first
}

// UsageTotals are sums over usage records.
type UsageTotals struct {
	Records   int64
	Succeeded int64
	Quantity  int64
	CostUnits decimal.Decimal // in 10⁻⁸ units of the currency
	Currency  string
}

// Cost gives the sum of the prices.
func (t *UsageTotals) Cost() *Money { return &Money{t.CostUnits.Shift(-CostPlaces), t.Currency} }

// UsageReport holds sums over visible keys only.
type UsageReport struct {
	From      time.Time
	To        time.Time
	Open      bool // whether the period goes on
	Rows      []*UsageReportRow
	Totals    *UsageTotals // of all rows, those beyond the limit included
	Truncated bool
}

// UsageReportRow is one row of a report. What the report is not split by is nil.
type UsageReportRow struct {
	AccountID   UUID
	PeriodStart *time.Time
	PeriodEnd   *time.Time
	Open        bool // whether the period of the row, or of the report when it is not split by time, goes on
	UnitID      *UUID
	Unit        *Unit
	KeyID       *UUID
	Key         *ApiKey
	Product     *string
	Country     *string
	Tag         *string // value; nil also for records without the tag
	Totals      *UsageTotals
}

// VisibleTo reports whether v sees usage in the account, and the key and unit that the row is about.
func (r *UsageReportRow) VisibleTo(v *Viewer) bool {
	return r != nil && v.Enters(r.AccountID) && v.SeesUsage() && (r.KeyID == nil || v.SeesKey(r.AccountID, *r.KeyID)) &&
		(r.UnitID == nil || v.SeesUnit(r.AccountID, *r.UnitID))
}
