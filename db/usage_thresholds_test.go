package db_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// compareWhole asks of which units a user sees every key.
func (p *planted) compareWhole(r *rapid.T, t *testing.T, v *graph.Viewer, user int) {
	statement, args := db.WholeUnitsStatement(v, p.account)
	var found []graph.UUID
	if err := db.Pool(p.db).SelectContext(t.Context(), &found, statement, args...); err != nil {
		r.Fatal(err)
	}
	for i, unit := range p.units {
		want := p.seesUnit(user, i, v.Request.At)
		for k := range p.keys {
			want = want && (!p.within(p.unitOf[k], i) || p.seesKey(user, k, v.Request.At))
		}
		if sql, got := slices.Contains(found, unit), v.SeesWholeUnit(p.account, unit); sql != want || got != want {
			r.Fatalf("user %d sees all of unit %d: SQL %v, second source %v, want %v", user, i, sql, got, want)
		}
	}
}

// warned is a metered world in which mail is queued.
type warned struct{ *metered }

func newWarned(t *testing.T, keys int) warned {
	t.Helper()
	config := dbtest.Config(t, dbtest.SharedName())
	config.SendMail = true
	newAccount(t) // makes the shared database
	d := must(db.Open(config))
	t.Cleanup(func() { _ = d.Close() })
	return warned{newMetered(t, newAccountOn(t, d), keys)}
}

// threshold sets one as the owner.
func (w warned) threshold(t testing.TB, k *graph.ApiKey, u *graph.Unit, m graph.UsageMeasure, p graph.UsageThresholdPeriod, zone, limit string) *graph.UsageThreshold {
	t.Helper()
	in := graph.SetUsageThresholdInput{Measure: m, Period: p, TimeZone: zone, Limit: decimal.RequireFromString(limit)}
	if k != nil {
		in.KeyID = ptr(k.ID())
	}
	if u != nil {
		in.UnitID = ptr(u.ID())
	}
	made, err := w.db.SetUsageThreshold(t.Context(), w.again(t, w.owner), in)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// send adds records of a key, each of a quantity at a time, at 0.01 EUR a piece.
func (w warned) send(t testing.TB, k *graph.ApiKey, quantity int64, times ...time.Time) {
	t.Helper()
	var list []*graph.UsageRecordInput
	for _, at := range times {
		in := w.use(fmt.Sprint("w", lastReference.Add(1)), at)
		in.Key, in.Quantity, in.Cost = k.Key, quantity, decimal.New(quantity, -2)
		list = append(list, in)
	}
	if done := w.ingest(t, true, list...); done.Accepted != len(list) {
		t.Fatal(outcome(done))
	}
}

var lastReference atomic.Int64

// crossings gives what the audit trail tells of crossed thresholds, the oldest first.
func (w warned) crossings(t testing.TB) []string {
	t.Helper()
	list := []string{}
	pool := db.Pool(w.db)
	if err := pool.SelectContext(t.Context(), &list, `SELECT summary FROM audit_events WHERE account_id = $1 AND action = 'USAGE_THRESHOLD_CROSSED' ORDER BY occurred_at, event_id`, w.id); err != nil {
		t.Fatal(err)
	}
	return list
}

func (w warned) tell(t testing.TB, when string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), w.crossings(t)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// mails counts the mails to somebody about thresholds.
func (w warned) mails(t testing.TB, v *graph.Viewer) int {
	t.Helper()
	var n int
	if err := db.Pool(w.db).GetContext(t.Context(), &n, `SELECT count(*) FROM mails WHERE kind = 'THRESHOLD_CROSSED' AND recipient = $1`, v.User.Email); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestThresholdIsToldOnce: a threshold is crossed once in each day, also by usage that comes late and by corrections; and again when
// another limit is set.
func TestThresholdIsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWarned(t, 2)
	day := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -3)
	on := func(days int) string { return day.AddDate(0, 0, days).Format("2 January 2006") + " (UTC)." }
	said := func(limit string, days int) string {
		return "The cost of the key Key 0 reached " + limit + " EUR on " + on(days)
	}
	made := w.threshold(t, w.keys[0], nil, graph.MeasureCost, graph.PerDay, "UTC", "0.05")
	w.send(t, w.keys[1], 100, day)
	w.send(t, w.keys[0], 4, day, day.AddDate(0, 0, 1))
	w.tell(t, "below the limit")
	w.send(t, w.keys[0], 1, day.Add(time.Hour))
	w.tell(t, "at the limit", said("0.05", 0))
	w.send(t, w.keys[0], 50, day.Add(23*time.Hour))
	w.tell(t, "beyond it", said("0.05", 0))
	w.send(t, w.keys[0], 5, day.AddDate(0, 0, -1), day.AddDate(0, 0, 1))
	w.tell(t, "late, and the next day", said("0.05", 0), said("0.05", -1), said("0.05", 1))
	if n := w.mails(t, w.owner); n != 3 {
		t.Errorf("%d mails to the owner", n)
	}

	first := w.use("first", day.AddDate(0, 0, 2))
	w.ingest(t, true, first)
	w.tell(t, "a little", said("0.05", 0), said("0.05", -1), said("0.05", 1))
	second := w.use("second", day.AddDate(0, 0, 2))
	second.Replaces, second.Cost = &first.Reference, decimal.RequireFromString("0.05")
	w.ingest(t, true, second)
	w.tell(t, "corrected", said("0.05", 0), said("0.05", -1), said("0.05", 1), said("0.05", 2))
	w.ingest(t, true, second) // which is there already
	third := w.use("third", day.AddDate(0, 0, -4))
	third.Cost = decimal.RequireFromString("9")
	w.ingest(t, true, third, w.use("fourth", time.Time{})) // of which one is refused
	w.tell(t, "nothing added", said("0.05", 0), said("0.05", -1), said("0.05", 1), said("0.05", 2))

	if again := w.threshold(t, w.keys[0], nil, graph.MeasureCost, graph.PerDay, "UTC", "0.5"); again.ThresholdID != made.ThresholdID {
		t.Error("another limit made another threshold")
	}
	w.tell(t, "another limit", said("0.05", 0), said("0.05", -1), said("0.05", 1), said("0.05", 2))
	w.send(t, w.keys[0], 0, day, day.AddDate(0, 0, 1))
	w.tell(t, "the next batch", said("0.05", 0), said("0.05", -1), said("0.05", 1), said("0.05", 2), said("0.5", 0))
}

// TestThresholdFollowsTheClock: days and months begin by the clock of the threshold's zone.
func TestThresholdFollowsTheClock(t *testing.T) {
	t.Parallel()
	w := newWarned(t, 1)
	k := w.keys[0]
	month := graph.MonthOf(time.Now()).AddDate(0, -2, 0)
	midnight := month.AddDate(0, 0, 9).Add(18*time.Hour + 15*time.Minute) // of the 11th in Kathmandu
	w.threshold(t, k, nil, graph.MeasureQuantity, graph.PerDay, "Asia/Kathmandu", "3")
	w.threshold(t, k, nil, graph.MeasureQuantity, graph.PerMonth, "Asia/Kathmandu", "6")
	w.send(t, k, 1, midnight.Add(-time.Microsecond), midnight, midnight.Add(time.Minute))
	w.tell(t, "on two days")
	w.send(t, k, 1, midnight.AddDate(0, 0, 1).Add(-time.Microsecond))
	of := midnight.AddDate(0, 0, 1)
	first := "The quantity of the key Key 0 reached 3 on " + of.Format("2 January 2006") + " (Asia/Kathmandu)."
	w.tell(t, "on one day", first)
	end := month.AddDate(0, 1, 0).Add(-5*time.Hour - 45*time.Minute) // of the month in Kathmandu
	w.send(t, k, 1, end, end.Add(time.Hour))
	w.tell(t, "in the next month", first)
	w.send(t, k, 1, end.Add(-time.Microsecond), month.Add(-5*time.Hour-45*time.Minute))
	w.tell(t, "in the month", first, "The quantity of the key Key 0 reached 6 in "+of.Format("January 2006")+" (Asia/Kathmandu).")
}

// TestThresholdOfAUnit adds up every key in and below the unit as the tree is when usage comes in.
func TestThresholdOfAUnit(t *testing.T) {
	t.Parallel()
	w := newWarned(t, 3)
	europe := w.unit(t, "Europe", nil)
	france := w.unit(t, "France", europe)
	move := func(k *graph.ApiKey, u *graph.Unit) {
		t.Helper()
		in := graph.MoveApiKeyInput{KeyID: k.ID()}
		if u != nil {
			in.UnitID = ptr(u.ID())
		}
		if _, err := w.db.MoveApiKey(t.Context(), w.owner, in); err != nil {
			t.Fatal(err)
		}
	}
	move(w.keys[0], europe)
	move(w.keys[1], france)
	w.threshold(t, nil, europe, graph.MeasureQuantity, graph.PerMonth, "UTC", "10")
	month := graph.MonthOf(time.Now()).AddDate(0, -2, 0)
	in := func(months int) string {
		return "The quantity of the unit Europe reached 10 in " + month.AddDate(0, months, 0).Format("January 2006") + " (UTC)."
	}
	w.send(t, w.keys[0], 4, month)
	w.send(t, w.keys[1], 4, month.AddDate(0, 0, 20))
	w.send(t, w.keys[2], 4, month.AddDate(0, 0, 20)) // outside
	w.tell(t, "below the limit")
	move(w.keys[2], france)
	w.tell(t, "a move alone")
	w.send(t, w.keys[1], 0, month)
	w.tell(t, "usage after the move", in(0))
	move(w.keys[1], nil)
	w.send(t, w.keys[1], 40, month.AddDate(0, 1, 0))
	w.tell(t, "moved out", in(0))
	w.send(t, w.keys[2], 10, month.AddDate(0, 1, 0))
	w.tell(t, "the next month", in(0), in(1))
	if _, err := w.db.DeleteApiKey(t.Context(), w.owner, graph.ApiKeyIdInput{KeyID: w.keys[2].ID()}); err != nil {
		t.Fatal(err)
	}
	w.send(t, w.keys[2], 10, month.AddDate(0, 2, 0))
	w.tell(t, "late usage of a deleted key", in(0), in(1), in(2))
}

// TestWhoIsWarned: mail goes to the active users who see the usage of every key that the threshold adds up.
func TestWhoIsWarned(t *testing.T) {
	t.Parallel()
	w := newWarned(t, 2)
	europe := w.unit(t, "Europe", nil)
	for _, k := range w.keys {
		if _, err := w.db.MoveApiKey(t.Context(), w.owner, graph.MoveApiKeyInput{KeyID: k.ID(), UnitID: ptr(europe.ID())}); err != nil {
			t.Fatal(err)
		}
	}
	people := map[string]*graph.Viewer{"owner": w.owner}
	join := func(name string, role graph.Role, keys ...*graph.ApiKey) {
		t.Helper()
		u := w.user(t, role)
		for _, k := range keys {
			must(w.db.SetGrant(t.Context(), w.again(t, w.owner), graph.SetGrantInput{UserID: u.User.ID(), KeyID: k.ID(), State: graph.GrantEnabled}))
		}
		people[name] = u
	}
	join("sees all", graph.RoleReporting, w.keys...)
	join("sees one", graph.RoleReporting, w.keys[0])
	join("sees none", graph.RoleAdministrator)
	join("disabled", graph.RoleAdministrator, w.keys...)
	join("no usage", graph.RoleReporting, w.keys...)
	must(w.db.SetUserStatus(t.Context(), w.again(t, w.owner), graph.SetUserStatusInput{UserID: people["disabled"].User.ID(), Status: graph.UserDisabled}))
	if _, err := db.Pool(w.db).ExecContext(t.Context(), `UPDATE users SET granted = '{VIEW_AUDIT}' WHERE account_id = $1 AND user_id = $2`, w.id, people["no usage"].User.UserID); err != nil {
		t.Fatal(err)
	}
	w.threshold(t, w.keys[0], nil, graph.MeasureQuantity, graph.PerMonth, "UTC", "1")
	w.threshold(t, nil, europe, graph.MeasureQuantity, graph.PerMonth, "UTC", "1")
	w.send(t, w.keys[0], 1, graph.MonthOf(time.Now()))
	got := map[string]int{}
	for name, v := range people {
		got[name] = w.mails(t, v)
	}
	want := map[string]int{"owner": 2, "sees all": 2, "sees one": 1, "sees none": 0, "disabled": 0, "no usage": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
}

// TestThresholdsAndIngestionAtOnce: whoever changes and removes thresholds while usage comes in keeps none of it out.
func TestThresholdsAndIngestionAtOnce(t *testing.T) {
	t.Parallel()
	w := newWarned(t, 1)
	day := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -30)
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := range 20 {
			in := graph.SetUsageThresholdInput{KeyID: ptr(w.keys[0].ID()), Measure: graph.MeasureQuantity, Period: graph.PerDay, TimeZone: "UTC", Limit: decimal.New(int64(1+i%3), 0)}
			owner := *w.owner
			owner.Request = now()
			made, err := w.db.SetUsageThreshold(t.Context(), &owner, in)
			if err == nil && i%4 == 0 {
				_, err = w.db.RemoveUsageThreshold(t.Context(), &owner, made.ID())
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
	for i := range 20 {
		w.send(t, w.keys[0], 5, day.AddDate(0, 0, i))
	}
	wait.Wait()
	w.threshold(t, w.keys[0], nil, graph.MeasureQuantity, graph.PerDay, "UTC", "4")
	before := len(w.crossings(t))
	w.send(t, w.keys[0], 0, day)
	if n := len(w.crossings(t)); n != before+1 {
		t.Errorf("%d crossings after %d", n, before)
	}
}

// TestThresholdsAgreeWithReports: whatever the zone and period, the value of a threshold is what a report over its period says.
func TestThresholdsAgreeWithReports(t *testing.T) {
	t.Parallel()
	w := newWarned(t, 2)
	unit := w.unit(t, "Europe", nil)
	for _, k := range w.keys {
		if _, err := w.db.MoveApiKey(t.Context(), w.owner, graph.MoveApiKeyInput{KeyID: k.ID(), UnitID: ptr(unit.ID())}); err != nil {
			t.Fatal(err)
		}
	}
	start := graph.MonthOf(time.Now()).AddDate(0, -2, 0)
	rapid.Check(t, func(r *rapid.T) {
		at := start.Add(time.Duration(rapid.IntRange(0, 30*96).Draw(r, "at")) * 15 * time.Minute)
		in := w.use(fmt.Sprint("w", lastReference.Add(1)), at)
		in.Key, in.Quantity = w.keys[rapid.IntRange(0, 1).Draw(r, "key")].Key, rapid.Int64Range(0, 9).Draw(r, "quantity")
		if rapid.Bool().Draw(r, "failed") {
			in.Status = graph.UsageFailed
		}
		w.ingest(t, true, in)
		zone := rapid.SampledFrom([]string{"UTC", "Asia/Kathmandu", "America/St_Johns", "Europe/Berlin"}).Draw(r, "zone")
		period := rapid.SampledFrom([]graph.UsageThresholdPeriod{graph.PerDay, graph.PerMonth}).Draw(r, "period")
		made := w.threshold(t, nil, unit, graph.MeasureQuantity, period, zone, "1000000")
		later := *w.owner
		later.Request.At = at.Add(time.Duration(rapid.IntRange(-20, 20).Draw(r, "hours")) * time.Hour)
		read := must(w.db.UsageThresholds(t.Context(), &later, w.id, []graph.UUID{made.ThresholdID}))
		p := made.PeriodOf(later.Request.At)
		report := must(w.db.UsageReport(t.Context(), &later, w.id, graph.UsageReportInput{From: p.From, To: p.To, TimeZone: "UTC", Limit: 1}))
		if len(read) != 1 || !read[0].Value().Equal(decimal.New(report.Totals.Quantity, 0)) {
			r.Fatalf("%v to %v in %s: %v, the report says %d", p.From, p.To, zone, read[0].Value(), report.Totals.Quantity)
		}
	})
}
