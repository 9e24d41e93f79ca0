package graph

import (
	"cmp"
	"time"

	"github.com/shopspring/decimal"
)

// UsageMeasure is what a threshold is on.
type UsageMeasure string

// The measures.
const (
	MeasureCost     UsageMeasure = "COST"
	MeasureQuantity UsageMeasure = "QUANTITY"
)

// UsageThresholdPeriod is how long usage is added up before it begins anew.
type UsageThresholdPeriod string

// The periods.
const (
	PerDay   UsageThresholdPeriod = "DAY"
	PerMonth UsageThresholdPeriod = "MONTH"
)

// UsageThreshold is what the usage of a key, or of all keys in and below a unit, may reach in a period before somebody is
// warned. Sums are as in a report without restriction: failed uses and deleted keys count.
type UsageThreshold struct {
	AccountID   UUID
	ThresholdID UUID
	KeyID       *UUID // either this or the unit
	Key         *ApiKey
	UnitID      *UUID
	Unit        *Unit
	Measure     UsageMeasure
	Period      UsageThresholdPeriod
	TimeZone    string          // IANA name
	LimitValue  decimal.Decimal // in 10⁻⁸ units of the currency when it is on cost
	Sum         decimal.Decimal // of the current period, likewise
	CrossedAt   *time.Time      // in the current period
	CreatedAt   time.Time
}

// IsNode marks what has a global ID.
func (*UsageThreshold) IsNode() {}

// ID gives the global ID.
func (t *UsageThreshold) ID() ID {
	return ID{Kind: KindUsageThreshold, Account: t.AccountID, Object: t.ThresholdID}
}

// Limit gives what is to be reached: an amount of the account's currency, or a quantity.
func (t *UsageThreshold) Limit() decimal.Decimal { return t.amount(t.LimitValue) }

// Value gives the sum of the current period as Limit does.
func (t *UsageThreshold) Value() decimal.Decimal { return t.amount(t.Sum) }

func (t *UsageThreshold) amount(stored decimal.Decimal) decimal.Decimal {
	if t.Measure == MeasureCost {
		return stored.Shift(-CostPlaces)
	}
	return stored
}

// VisibleTo reports whether v sees usage, and the key, or the unit with every key in and below it: the sum tells of each of
// these keys.
func (t *UsageThreshold) VisibleTo(v *Viewer) bool {
	return t != nil && v.Enters(t.AccountID) && v.SeesUsage() && (t.KeyID == nil || v.SeesKey(t.AccountID, *t.KeyID)) &&
		(t.UnitID == nil || v.SeesWholeUnit(t.AccountID, *t.UnitID))
}

// Words tell what the threshold is on and what it adds up, such as "key Europe, cost by day".
func (t *UsageThreshold) Words() string {
	m := t.Crossing(UsagePeriod{}, "")
	return m.Object + " " + m.Name + ", " + m.Measure + " by " + m.Each
}

// UsagePeriod is a day or month on the clock of a time zone, from its first instant to that of the next.
type UsagePeriod struct{ From, To time.Time }

// PeriodOf gives the period that an instant is in.
func (t *UsageThreshold) PeriodOf(at time.Time) UsagePeriod { return t.Periods([]time.Time{at})[0] }

// Periods gives the periods that instants are in, each once; the instants are in their order.
func (t *UsageThreshold) Periods(times []time.Time) []UsagePeriod {
	zone, err := time.LoadLocation(t.TimeZone)
	if err != nil { // a name that was known when it was set, and is no longer: usage must not be refused for it
		zone = time.UTC
	}
	var list []UsagePeriod
	for _, at := range times {
		if n := len(list); n > 0 && at.Before(list[n-1].To) {
			continue
		}
		list = append(list, t.periodAt(at.In(zone)))
	}
	return list
}

func (t *UsageThreshold) periodAt(at time.Time) UsagePeriod {
	year, month, first := at.Date()
	grouping := ByDay
	if t.Period == PerMonth {
		first, grouping = 1, ByMonth
	}
	from := firstOf(time.Date(year, month, first, 0, 0, 0, 0, at.Location()))
	return UsagePeriod{From: from.UTC(), To: nextStart(at, grouping).UTC()}
}

// Crossing tells in words that the threshold was crossed in a period, as the account's people read it.
func (t *UsageThreshold) Crossing(p UsagePeriod, currency string) MailThreshold {
	m := MailThreshold{Measure: "quantity", Limit: t.Limit().String(), Each: "day", TimeZone: t.TimeZone}
	if t.Measure == MeasureCost {
		m.Measure, m.Limit = "cost", m.Limit+" "+currency
	}
	switch {
	case t.Key != nil:
		m.Object, m.Name = "key", t.Key.Name
	case t.Unit != nil:
		m.Object, m.Name = "unit", t.Unit.Name
	}
	from := p.From
	if zone, err := time.LoadLocation(t.TimeZone); err == nil {
		from = from.In(zone)
	}
	m.When = "on " + from.Format("2 January 2006")
	if t.Period == PerMonth {
		m.When, m.Each = "in "+from.Format("January 2006"), "month"
	}
	return m
}

// SetUsageThresholdInput is a threshold as it shall be.
type SetUsageThresholdInput struct {
	KeyID    *ID // either this or the unit
	UnitID   *ID
	Measure  UsageMeasure
	Period   UsageThresholdPeriod
	TimeZone string
	Limit    decimal.Decimal
}

// RemoveUsageThresholdInput names a threshold.
type RemoveUsageThresholdInput struct{ ThresholdID ID }

// maxLimit is the largest limit; sums of the largest records reach it.
var maxLimit = decimal.New(1, 18)

// Check reports Invalid for an input that names not exactly one of a key and a unit, for an unknown time zone, and for a limit
// that is not positive, too large, or too precise for its measure.
func (in SetUsageThresholdInput) Check() error {
	places, precise := int32(0), "A quantity is a whole number."
	if in.Measure == MeasureCost {
		places, precise = CostPlaces, "A price has at most 8 decimal places."
	}
	switch {
	case (in.KeyID == nil) == (in.UnitID == nil):
		return refuse(Invalid, "input", "Name exactly one of a key and a unit.")
	case !isZone(in.TimeZone):
		return refuse(Invalid, "input.timeZone", noZone)
	case !in.Limit.IsPositive():
		return refuse(Invalid, "input.limit", "A limit is more than 0.")
	case in.Limit.GreaterThan(maxLimit):
		return refuse(Invalid, "input.limit", "A limit is at most 1,000,000,000,000,000,000.")
	case !in.Limit.Equal(in.Limit.Truncate(places)):
		return refuse(Invalid, "input.limit", precise)
	}
	return nil
}

// LimitValue gives the limit as it is stored.
func (in SetUsageThresholdInput) LimitValue() decimal.Decimal {
	if in.Measure == MeasureCost {
		return in.Limit.Shift(CostPlaces)
	}
	return in.Limit
}

// Apply gives t the limit and time zone and says what differs.
func (in SetUsageThresholdInput) Apply(t *UsageThreshold) []*AuditChange {
	var list []*AuditChange
	if limit := in.LimitValue(); !t.LimitValue.Equal(limit) {
		before := ""
		if !t.LimitValue.IsZero() {
			before = t.Limit().String()
		}
		t.LimitValue = limit
		list = append(list, Changed("limit", before, t.Limit().String()))
	}
	if t.TimeZone != in.TimeZone {
		list = append(list, Changed("timeZone", t.TimeZone, in.TimeZone))
		t.TimeZone = in.TimeZone
	}
	return list
}

// MaySetUsageThreshold checks a threshold on a key or unit that v sees. NotAllowed for callers without VIEW_USAGE, and on a unit
// for anybody but the primary user: whether somebody else sees every key below it must not be told by what they can do.
// InvalidState on a deleted key.
func (v *Viewer) MaySetUsageThreshold(k *ApiKey, u *Unit) error {
	if k != nil && k.DeletedAt != nil {
		return refuse(InvalidState, "input.keyId", "The key is deleted.")
	}
	return cmp.Or(v.mayWarn("input"), v.mayWarnOf(u, "input.unitId"))
}

// MayRemoveUsageThreshold checks the removal of a threshold that v sees. NotAllowed for that of a unit and anybody but the primary
// user.
func (v *Viewer) MayRemoveUsageThreshold(t *UsageThreshold) error {
	return v.mayWarnOf(t.Unit, "input.thresholdId")
}

func (v *Viewer) mayWarn(path string) error {
	if !v.SeesUsage() {
		return refuse(NotAllowed, path, "This needs VIEW_USAGE too.")
	}
	return nil
}

func (v *Viewer) mayWarnOf(u *Unit, path string) error {
	if u != nil && !v.IsPrimary() {
		return refuse(NotAllowed, path, "Only the primary user sets thresholds on units, because they add up every key below.")
	}
	return nil
}
