package graph

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

// TestThresholdPeriods: the period of an instant is the day or month of it on the zone's clock, whole and no more.
func TestThresholdPeriods(t *testing.T) {
	t.Parallel()
	zones := []string{"UTC", "Europe/Berlin", "America/St_Johns", "America/Sao_Paulo", "Africa/Cairo", "Asia/Kathmandu", "Australia/Lord_Howe",
		"Pacific/Chatham", "America/Havana", "Asia/Beirut", "Antarctica/Troll"}
	rapid.Check(t, func(r *rapid.T) {
		at := time.Date(2012, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 8000*96).Draw(r, "at")) * 15 * time.Minute)
		th := UsageThreshold{TimeZone: rapid.SampledFrom(zones).Draw(r, "zone"), Period: rapid.SampledFrom([]UsageThresholdPeriod{PerDay, PerMonth}).Draw(r, "period")}
		zone, err := time.LoadLocation(th.TimeZone)
		if err != nil {
			r.Fatal(err)
		}
		layout := map[UsageThresholdPeriod]string{PerDay: "2006-01-02", PerMonth: "2006-01"}[th.Period]
		label := func(at time.Time) string { return at.In(zone).Format(layout) }
		p := th.PeriodOf(at)
		if at.Before(p.From) || !at.Before(p.To) {
			r.Fatalf("%s is not in %v", at, p)
		}
		last := p.To.Add(-time.Microsecond)
		if label(p.From) != label(at) || label(last) != label(at) || label(p.To) == label(at) || label(p.From.Add(-time.Microsecond)) == label(at) {
			r.Fatalf("%s: from %s to %s", label(at), p.From.In(zone), p.To.In(zone))
		}
		if list := th.Periods([]time.Time{p.From, at, last, p.To}); len(list) != 2 || list[0] != p || list[1].From != p.To {
			r.Fatalf("%v", list)
		}
	})
}

func TestMaySetUsageThreshold(t *testing.T) {
	t.Parallel()
	primary, admin := &Viewer{Kind: KindOfUser, User: &User{IsPrimary: true}}, &Viewer{Kind: KindOfUser, User: &User{Granted: AllCapabilities}}
	manager := &Viewer{Kind: KindOfUser, User: &User{Granted: Capabilities(ManageKeys)}}
	now := time.Now()
	key, gone, unit := &ApiKey{}, &ApiKey{DeletedAt: &now}, &Unit{}
	for _, c := range []struct {
		name string
		v    *Viewer
		k    *ApiKey
		u    *Unit
		want Code
	}{
		{"primary, key", primary, key, nil, ""}, {"primary, unit", primary, nil, unit, ""}, {"primary, deleted key", primary, gone, nil, InvalidState},
		{"administrator, key", admin, key, nil, ""}, {"administrator, unit", admin, nil, unit, NotAllowed},
		{"without VIEW_USAGE, key", manager, key, nil, NotAllowed}, {"without VIEW_USAGE, unit", manager, nil, unit, NotAllowed},
	} {
		err := c.v.MaySetUsageThreshold(c.k, c.u)
		if got := ErrorCode(err); (err != nil || c.want != "") && got != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
		if c.u != nil {
			if err := c.v.MayRemoveUsageThreshold(&UsageThreshold{Unit: c.u}); (err == nil) != c.v.IsPrimary() {
				t.Errorf("%s removes: %v", c.name, err)
			}
		}
	}
}

func TestThresholdAmounts(t *testing.T) {
	t.Parallel()
	in := SetUsageThresholdInput{Measure: MeasureCost, Limit: decimal.RequireFromString("10.50"), TimeZone: "UTC"}
	th := UsageThreshold{Measure: MeasureCost}
	if changes := in.Apply(&th); len(changes) != 2 || th.Limit().String() != "10.5" || !th.LimitValue.Equal(decimal.New(1_050_000_000, 0)) {
		t.Errorf("%v %v", changes, th)
	}
	if changes := in.Apply(&th); len(changes) != 0 {
		t.Errorf("repeated: %v", changes)
	}
}
