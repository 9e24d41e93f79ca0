package db_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"pgregory.net/rapid"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// pagesWorld is an account with keys in two units, one below the other, and what was used of them.
type pagesWorld struct {
	*metered
	units   [2]graph.ID // the upper one first
	unitOf  map[string]int
	used    []*graph.UsageRecordInput
	viewers map[string]pagesViewer
}

// pagesViewer is somebody who asks for usage, and the names of the keys that they see.
type pagesViewer struct {
	*graph.Viewer
	sees []string
}

func newPagesWorld(t *testing.T) *pagesWorld {
	t.Helper()
	pool := connect(t, dbtest.SharedName())
	w := &pagesWorld{metered: newMetered(t, newAccount(t), 6), unitOf: map[string]int{}, viewers: map[string]pagesViewer{}}
	for i := range w.units {
		id := graph.UUID{0x01, 0x90, 15: byte(i)}
		w.units[i] = graph.ID{Kind: graph.KindUnit, Account: w.id, Object: id}
		parent := any(nil)
		if i == 1 {
			parent = w.units[0].Object
		}
		pool.MustExec(`INSERT INTO units (account_id, unit_id, parent_id, name, kind, created_at) VALUES ($1, $2, $3, 'Unit', 'OTHER', now())`, w.id, id, parent)
		pool.MustExec(`INSERT INTO unit_paths (account_id, unit_id, distance, above_id) VALUES ($1, $2, 0, $2)`, w.id, id)
	}
	pool.MustExec(`INSERT INTO unit_paths (account_id, unit_id, distance, above_id) VALUES ($1, $2, 1, $3)`, w.id, w.units[1].Object, w.units[0].Object)
	for i, k := range w.keys {
		w.unitOf[k.Key] = i%3 - 1 // none, the upper one, the lower one
		if i%3 > 0 {
			pool.MustExec(`UPDATE api_keys SET unit_id = $3 WHERE account_id = $1 AND key_id = $2`, w.id, k.KeyID, w.units[i%3-1].Object)
		}
	}
	pool.MustExec(`UPDATE accounts SET tree_version = tree_version + 1 WHERE account_id = $1`, w.id)
	w.viewersOf(t)
	return w
}

func (w *pagesWorld) viewersOf(t *testing.T) {
	t.Helper()
	name := func(numbers ...int) (list []string) {
		for _, n := range numbers {
			list = append(list, w.keys[n].Key)
		}
		return list
	}
	user := w.user(t, graph.RoleReporting)
	for _, n := range []int{0, 2, 4} {
		if _, err := w.db.SetGrant(t.Context(), w.owner, graph.SetGrantInput{UserID: user.User.ID(), KeyID: w.keys[n].ID(), State: graph.GrantEnabled}); err != nil {
			t.Fatal(err)
		}
	}
	in := graph.CreateAccessTokenInput{Name: "Partner", Capabilities: []graph.Capability{graph.ViewUsage}, KeyIds: []graph.ID{w.keys[1].ID(), w.keys[5].ID()}, ExpiresAt: time.Now().Add(time.Hour)}
	_, text, err := w.db.CreateAccessToken(t.Context(), w.again(t, w.owner), in)
	if err != nil {
		t.Fatal(err)
	}
	token, err := w.db.Authenticate(t.Context(), text, now())
	if err != nil {
		t.Fatal(err)
	}
	all := name(0, 1, 2, 3, 4, 5)
	w.viewers["owner"], w.viewers["operator"] = pagesViewer{w.again(t, w.owner), all}, pagesViewer{w.provider, all}
	w.viewers["user"], w.viewers["token"] = pagesViewer{w.again(t, user), name(0, 2, 4)}, pagesViewer{token, name(1, 5)}
	blind := &graph.User{AccountID: w.id, UserID: user.UserID()}
	w.viewers["without VIEW_USAGE"] = pagesViewer{&graph.Viewer{Kind: graph.KindOfUser, User: blind, Account: w.owner.Account, Keys: w.viewers["user"].Keys, Request: now()}, nil}
	w.viewers["INGEST alone"] = pagesViewer{&graph.Viewer{Kind: graph.KindOperator, Operator: &graph.Operator{Scopes: graph.ScopeList{graph.ScopeIngest}}, Request: now()}, nil}
}

// expected gives the references of the records that a viewer gets, newest first, as a model says that looks at their records only.
func (w *pagesWorld) expected(v pagesViewer, f graph.UsageFilter, key string) []string {
	var list []*graph.UsageRecordInput
	for _, u := range w.used {
		if slices.Contains(v.sees, u.Key) && (key == "" || key == u.Key) && w.matches(u, f, v.Request.At) {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, func(a, b *graph.UsageRecordInput) int {
		if n := b.OccurredAt.Compare(a.OccurredAt); n != 0 {
			return n
		}
		x, y := graph.UsageRecordID(w.id, a.OccurredAt, a.Reference), graph.UsageRecordID(w.id, b.OccurredAt, b.Reference)
		return bytes.Compare(y[:], x[:])
	})
	references := []string{}
	for _, u := range list {
		references = append(references, u.Reference)
	}
	return references
}

func (w *pagesWorld) matches(u *graph.UsageRecordInput, f graph.UsageFilter, now time.Time) bool {
	tags := map[string]string{}
	for _, t := range u.Tags {
		tags[t.Name] = t.Value
	}
	inUnit := f.UnitID == nil
	for i, id := range w.units {
		inUnit = inUnit || *f.UnitID == id && w.unitOf[u.Key] >= i
	}
	byKey := f.KeyIds == nil
	for _, id := range f.KeyIds {
		for _, k := range w.keys {
			byKey = byKey || k.ID() == id && k.Key == u.Key
		}
	}
	from := now.Add(-24 * time.Hour)
	switch {
	case f.From != nil:
		from = *f.From
	case f.To != nil:
		from = f.To.Add(-24 * time.Hour)
	}
	value, tagged := "", f.Tag == nil
	if f.Tag != nil {
		value, tagged = tags[f.Tag.Name], false
		if _, ok := tags[f.Tag.Name]; ok {
			tagged = f.Tag.Value == nil || *f.Tag.Value == value
		}
	}
	return inUnit && byKey && tagged && !u.OccurredAt.Before(from) && (f.To == nil || u.OccurredAt.Before(*f.To)) &&
		(f.Products == nil || slices.Contains(f.Products, u.Product)) && (f.Countries == nil || slices.Contains(f.Countries, u.Country)) &&
		(f.Status == nil || *f.Status == u.Status) && (f.Direction == nil || u.Direction != nil && *u.Direction == *f.Direction)
}

// maybe draws a value, or nothing.
func maybe[T any](r *rapid.T, name string, values ...T) *T {
	if !rapid.Bool().Draw(r, name+"?") {
		return nil
	}
	v := values[rapid.IntRange(0, len(values)-1).Draw(r, name)]
	return &v
}

func (w *pagesWorld) drawFilter(r *rapid.T, times []time.Time) graph.UsageFilter {
	f := graph.UsageFilter{From: maybe(r, "from", times...), To: maybe(r, "to", times...), UnitID: maybe(r, "unit", w.units[0], w.units[1], graph.ID{}),
		Status: maybe(r, "status", graph.UsageSucceeded, graph.UsageFailed), Direction: maybe(r, "direction", graph.Inbound, graph.Outbound)}
	if rapid.IntRange(0, 2).Draw(r, "keys?") == 0 {
		f.KeyIds = []graph.ID{}
		for range rapid.IntRange(0, 3).Draw(r, "keys") {
			f.KeyIds = append(f.KeyIds, w.keys[rapid.IntRange(0, len(w.keys)-1).Draw(r, "key")].ID())
		}
	}
	if rapid.IntRange(0, 3).Draw(r, "products?") == 0 {
		f.Products = []string{rapid.SampledFrom([]string{"SMS", "VOICE", "NONE"}).Draw(r, "product")}
	}
	if rapid.IntRange(0, 3).Draw(r, "countries?") == 0 {
		f.Countries = []string{rapid.SampledFrom([]string{"DE", "US"}).Draw(r, "country"), "FR"}
	}
	if rapid.IntRange(0, 3).Draw(r, "tag?") == 0 {
		f.Tag = &graph.UsageTagFilter{Name: "a", Value: maybe(r, "value", "x", "y")}
	}
	return f
}

// fill adds records of all keys at a few times, many of them the same, on both sides of the border of a month.
func (w *pagesWorld) fill(t *testing.T, times []time.Time) {
	t.Helper()
	inbound := graph.Inbound
	for i := range 120 {
		u := w.use(fmt.Sprint("r", i), times[i%len(times)])
		u.Key, u.Product, u.Country = w.keys[i%6].Key, []string{"SMS", "VOICE"}[i/6%2], []string{"DE", "US", "FR"}[i/2%3]
		if i%7 == 0 {
			u.Status, u.Direction = graph.UsageFailed, &inbound
		}
		if i%5 == 0 {
			u.Tags = []*graph.UsageTagInput{{Name: "a", Value: []string{"x", "y"}[i%2]}}
		}
		w.used = append(w.used, u)
	}
	if done := w.ingest(t, true, w.used...); done.Accepted != len(w.used) {
		t.Fatal(outcome(done))
	}
	wrong := w.use("corrected", times[0])
	right := w.use("correction", times[1])
	right.Replaces = &wrong.Reference
	if done := w.ingest(t, true, wrong, right); done.Accepted != 2 {
		t.Fatal(outcome(done))
	}
	w.used = append(w.used, right)
}

// TestUsagePagesEqualModel pages through usage with random filters and sizes as every kind of viewer, of the account, of keys and of
// units, and compares with a model that is given the records of the viewer's keys only.
func TestUsagePagesEqualModel(t *testing.T) {
	t.Parallel()
	w := newPagesWorld(t)
	at := time.Now().UTC().Truncate(time.Microsecond)
	month := graph.MonthOf(at)
	times := []time.Time{month.Add(-time.Microsecond), month, month.AddDate(0, -2, 3), at.Add(-25 * time.Hour), at.Add(-time.Hour), at.Add(-time.Hour - time.Microsecond), at.Add(time.Hour)}
	w.fill(t, times)
	w.viewersOf(t)
	names := []string{"owner", "operator", "user", "token", "without VIEW_USAGE", "INGEST alone"}
	rapid.Check(t, func(r *rapid.T) {
		v, f, size := w.viewers[rapid.SampledFrom(names).Draw(r, "viewer")], w.drawFilter(r, times), rapid.IntRange(1, 40).Draw(r, "size")
		got := w.pages(t, r, size, func(p graph.Window) (*graph.UsageRecordConnection, error) {
			return w.db.Usage(t.Context(), v.Viewer, w.id, p, f, db.Ask{Previous: true, Next: true})
		})
		if want := w.expected(v, f, ""); !slices.Equal(got, want) {
			r.Fatalf("account: got %v\nwant %v", got, want)
		}
		n := rapid.IntRange(0, len(w.keys)-1).Draw(r, "key")
		got = w.pages(t, r, size, func(p graph.Window) (*graph.UsageRecordConnection, error) {
			pages, err := w.db.UsageOfKeys(t.Context(), v.Viewer, w.keys, p, f, db.Ask{Previous: true, Next: true})
			return pages[w.keys[n].KeyID], err
		})
		if want := w.expected(v, f, w.keys[n].Key); !slices.Equal(got, want) {
			r.Fatalf("key: got %v\nwant %v", got, want)
		}
		if f.UnitID != nil {
			return
		}
		f.UnitID = &w.units[0]
		want := w.expected(v, f, "")
		f.UnitID = nil
		units := []*graph.Unit{{AccountID: w.id, UnitID: w.units[0].Object}, {AccountID: w.id, UnitID: w.units[1].Object}}
		got = w.pages(t, r, size, func(p graph.Window) (*graph.UsageRecordConnection, error) {
			pages, err := w.db.UsageOfUnits(t.Context(), v.Viewer, units, p, f, db.Ask{Previous: true, Next: true})
			return pages[w.units[0].Object], err
		})
		if !slices.Equal(got, want) {
			r.Fatalf("unit: got %v\nwant %v", got, want)
		}
	})
}

// pages follows the cursors to the end, and checks what pages say of what follows and precedes.
func (w *pagesWorld) pages(t *testing.T, r *rapid.T, size int, read func(graph.Window) (*graph.UsageRecordConnection, error)) []string {
	t.Helper()
	all := []string{}
	p := graph.Window{Order: graph.ByTimeDesc, Limit: size}
	for {
		page, err := read(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Nodes {
			all = append(all, u.Reference)
		}
		info := page.PageInfo()
		if info.HasPreviousPage != (len(all) > len(page.Nodes)) {
			r.Fatalf("after %v a page says %+v", all, *info)
		}
		if !info.HasNextPage {
			return all
		}
		if len(page.Nodes) != size {
			r.Fatalf("a page of %d has %d", size, len(page.Nodes))
		}
		p, err = graph.PageArgs{First: &size, After: info.EndCursor}.Window(graph.ByTimeDesc)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Rules for units are sorted too, which are few.
var sortsRecords = regexp.MustCompile(`Sort Key: .*occurred_at`)

var scanned = regexp.MustCompile(`usage_records_\d{4}_\d{2}\b`)

// TestUsagePlans holds that a page reads an index in its order: it sorts nothing, scans no table of records, and looks into the
// partitions of its period only. The plans are in the test's output.
func TestUsagePlans(t *testing.T) {
	t.Parallel()
	name := dbtest.Copy(t, "")
	d := dbtest.OpenNamed(t, name)
	pool := sqlx.MustConnect("postgres", dbtest.DSN(t, name))
	defer func() { _ = pool.Close() }()
	a := newAccountOn(t, d)
	m, v := newMeter(t, pool, a.id, 200), provider(t, d)
	for range 8 {
		if done, err := d.IngestUsage(t.Context(), v, m.batch(), true); err != nil || done.Accepted != graph.MaxUsageBatch {
			t.Fatal(done, err)
		}
		m.at = m.at.AddDate(0, 0, 9)
	}
	user := a.user(t, graph.RoleReporting)
	pool.MustExec(`INSERT INTO grants (account_id, user_id, key_id, enabled, updated_at) SELECT account_id, $2, key_id, true, now() FROM api_keys WHERE account_id = $1 LIMIT 40`, a.id, user.UserID())
	pool.MustExec(`UPDATE users SET rules_version = rules_version + 1`)
	pool.MustExec(`ANALYZE`)
	user = a.again(t, user)
	end := m.at.AddDate(0, 0, -9)
	from, ever := end.Add(-24*time.Hour), end.AddDate(0, 0, -60) // empty partitions are scanned, which costs nothing
	cursor := graph.TimedCursor(end.Add(-time.Hour), graph.UUID{0xff})
	few := []graph.ID{{Kind: graph.KindKey, Account: a.id, Object: m.keys[3].KeyID}, {Kind: graph.KindKey, Account: a.id, Object: m.keys[4].KeyID}}
	for _, c := range []struct {
		name    string
		v       *graph.Viewer
		f       graph.UsageFilter
		after   *graph.Cursor
		outward bool
		months  int // the most
	}{
		{"owner", a.owner, graph.UsageFilter{From: &from}, nil, false, 5},
		{"owner, next page", a.owner, graph.UsageFilter{From: &from}, &cursor, false, 2},
		{"user", user, graph.UsageFilter{From: &from, To: &end}, nil, false, 2},
		{"user, next page", user, graph.UsageFilter{From: &from, To: &end}, &cursor, false, 2},
		{"user, every month", user, graph.UsageFilter{From: &ever, To: &end}, &cursor, false, 8},
		{"user, filters", user, graph.UsageFilter{From: &from, To: &end, Products: []string{"SMS"}, Countries: []string{"DE", "US"}}, &cursor, false, 2},
		{"owner, two keys", a.owner, graph.UsageFilter{From: &ever, To: &end, KeyIds: few}, &cursor, true, 8},
		{"user, two keys", user, graph.UsageFilter{From: &ever, To: &end, KeyIds: few}, nil, true, 8},
	} {
		statement, args := db.UsagePage(c.v, a.id, graph.Window{Order: graph.ByTimeDesc, Limit: graph.MaxPageSize, After: c.after}, c.f)
		var lines []string
		if err := db.Pool(d).SelectContext(t.Context(), &lines, `EXPLAIN `+statement, args...); err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(lines, "\n")
		t.Logf("%s:\n%s", c.name, plan)
		months := map[string]bool{}
		for _, partition := range scanned.FindAllString(plan, -1) {
			months[partition] = true
		}
		if strings.Contains(plan, "Seq Scan on usage_records") || strings.Contains(plan, "Bitmap") || !c.outward && sortsRecords.MatchString(plan) || len(months) > c.months {
			t.Errorf("%s: the plan sorts, scans, or looks into %d partitions:\n%s", c.name, len(months), plan)
		}
	}
	for _, v := range []*graph.Viewer{a.owner, user} {
		reportPlan(t, d, v, a.id, graph.UsageReportInput{From: end.Truncate(24*time.Hour).AddDate(0, 0, -2), To: end.Truncate(24 * time.Hour), TimeZone: "UTC",
			GroupBy: []graph.UsageGrouping{graph.ByDay, graph.ByProduct}, Limit: 1000})
	}
}

// reportPlan holds that a report looks up the sums of its keys in an index, all keys at once, and reads no records.
func reportPlan(t *testing.T, d *db.DB, v *graph.Viewer, account graph.UUID, in graph.UsageReportInput) {
	t.Helper()
	statement, args, err := db.ReportStatement(v, account, in)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	if err := db.Pool(d).SelectContext(t.Context(), &lines, `EXPLAIN `+statement, args...); err != nil {
		t.Fatal(err)
	}
	plan := strings.Join(lines, "\n")
	t.Log(plan)
	if strings.Contains(plan, "usage_records") || strings.Contains(plan, "Seq Scan on usage_days") || !sumsOfKeys.MatchString(plan) {
		t.Errorf("the plan of a report reads records, scans sums, or looks up one key after the other:\n%s", plan)
	}
}

var sumsOfKeys = regexp.MustCompile(`Index Cond: .*key_id = ANY \(\$\d+\)`)
