package db_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// world of usage: an account with some keys on a database, and who sends usage in.
type metered struct {
	account
	keys     []*graph.ApiKey
	provider *graph.Viewer
}

func newMetered(t testing.TB, a account, keys int) *metered {
	t.Helper()
	m := &metered{account: a, provider: provider(t, a.db)}
	for i := range keys {
		k, _, err := a.db.CreateApiKey(t.Context(), a.owner, graph.CreateApiKeyInput{Name: fmt.Sprint("Key ", i), Kind: graph.OtherKind})
		if err != nil {
			t.Fatal(err)
		}
		m.keys = append(m.keys, k)
	}
	return m
}

// use is a record that is fine in every respect.
func (m *metered) use(reference string, at time.Time) *graph.UsageRecordInput {
	return &graph.UsageRecordInput{Key: m.keys[0].Key, Reference: reference, Product: "SMS", Country: "DE", Quantity: 1, Cost: decimal.RequireFromString("0.0125"),
		Status: graph.UsageSucceeded, OccurredAt: at}
}

func (m *metered) ingest(t testing.TB, strict bool, records ...*graph.UsageRecordInput) graph.Ingested {
	t.Helper()
	m.provider.Request = now()
	done, err := m.db.IngestUsage(t.Context(), m.provider, records, strict)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return done
}

// outcome writes what became of a batch, such as "2 accepted, 1 duplicates, 3 NOT_FOUND key".
func outcome(done graph.Ingested) string {
	text := fmt.Sprintf("%d accepted, %d duplicates", done.Accepted, done.Duplicates)
	for _, r := range done.Refused {
		text += fmt.Sprintf(", %d %s %s", r.Index, r.Code, r.Field)
	}
	return text
}

// shadow is a model of what the database does: the records by month and reference.
type shadow struct {
	records map[string]*shadowRecord
}

type shadowRecord struct {
	in       graph.UsageRecordInput
	replaced bool
}

func placeOf(in *graph.UsageRecordInput) string {
	return in.OccurredAt.UTC().Format("2006-01 ") + in.Reference
}

// take says what becomes of a record: "accepted", "duplicate" or a code.
func (s *shadow) take(in *graph.UsageRecordInput) string {
	if there := s.records[placeOf(in)]; there != nil {
		if cmp.Equal(there.in, *in) {
			return "duplicate"
		}
		return "CONFLICT"
	}
	if in.Replaces != nil {
		var all, live []*shadowRecord
		for _, r := range s.records {
			if r.in.Reference == *in.Replaces {
				all = append(all, r)
				if !r.replaced {
					live = append(live, r)
				}
			}
		}
		switch {
		case len(all) == 0:
			return "NOT_FOUND"
		case len(live) == 0:
			return "INVALID_STATE"
		case len(live) > 1:
			return "CONFLICT"
		}
		live[0].replaced = true
	}
	s.records[placeOf(in)] = &shadowRecord{in: *in}
	return "accepted"
}

// totals sums what counts by key, product and country.
func (s *shadow) totals(keys []*graph.ApiKey) map[string]string {
	sums := map[string]*[4]int64{}
	for _, r := range s.records {
		if r.replaced {
			continue
		}
		i := slices.IndexFunc(keys, func(k *graph.ApiKey) bool { return k.Key == r.in.Key })
		cell := fmt.Sprint(keys[i].KeyID, " ", r.in.Product, " ", r.in.Country, " ", r.in.OccurredAt.UTC().Truncate(15*time.Minute).Format(time.RFC3339))
		if sums[cell] == nil {
			sums[cell] = &[4]int64{}
		}
		if r.in.Status == graph.UsageSucceeded {
			sums[cell][0]++
			sums[cell][1] += r.in.CostUnits()
		} else {
			sums[cell][2]++
			sums[cell][3] += r.in.CostUnits()
		}
	}
	out := map[string]string{}
	for cell, sum := range sums {
		out[cell] = fmt.Sprint(*sum)
	}
	return out
}

// drawUse makes a record such that repeats, contradictions and corrections are frequent.
func (m *metered) drawUse(r *rapid.T, times []time.Time) *graph.UsageRecordInput {
	in := m.use(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(r, "reference"), rapid.SampledFrom(times).Draw(r, "at"))
	in.Key = m.keys[rapid.IntRange(0, len(m.keys)-1).Draw(r, "key")].Key
	in.Product = rapid.SampledFrom([]string{"SMS", "VOICE"}).Draw(r, "product")
	in.Cost = decimal.New(int64(rapid.IntRange(-1, 2).Draw(r, "cost")), -8)
	if rapid.Bool().Draw(r, "failed") {
		in.Status = graph.UsageFailed
	}
	if rapid.IntRange(0, 2).Draw(r, "corrects") == 0 {
		if other := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "none"}).Draw(r, "replaces"); other != in.Reference {
			in.Replaces = &other
		}
	}
	return in
}

// TestUsageSumsEqualRecords sends random batches with repeats, contradictions and corrections, also of and by records of the same
// batch, and compares what becomes of every record with a model, and then the sums with the model and with the records.
func TestUsageSumsEqualRecords(t *testing.T) {
	t.Parallel()
	name := dbtest.Copy(t, "")
	d := dbtest.OpenNamed(t, name)
	pool := connect(t, name)
	month := graph.MonthOf(time.Now()).AddDate(0, -1, 0)
	times := []time.Time{month.Add(-time.Microsecond), month, month.Add(15*time.Minute - time.Microsecond), month.Add(15 * time.Minute), month.AddDate(0, 0, 1)}
	m := newMetered(t, newAccountOn(t, d), 2)
	rapid.Check(t, func(r *rapid.T) {
		pool.MustExec(`DELETE FROM usage_records; DELETE FROM usage_quarters; DELETE FROM usage_days`)
		s := &shadow{records: map[string]*shadowRecord{}}
		for range rapid.IntRange(1, 4).Draw(r, "batches") {
			var batch []*graph.UsageRecordInput
			for range rapid.IntRange(1, 8).Draw(r, "records") {
				batch = append(batch, m.drawUse(r, times))
			}
			want := graph.Ingested{}
			for i, in := range batch {
				switch said := s.take(in); said {
				case "accepted":
					want.Accepted++
				case "duplicate":
					want.Duplicates++
				default:
					field := "reference"
					if s.records[placeOf(in)] == nil {
						field = "replaces"
					}
					want.Refused = append(want.Refused, &graph.UsageRefusal{Index: i, Code: graph.Code(said), Field: field})
				}
			}
			if diff := cmp.Diff(outcome(want), outcome(m.ingest(t, false, batch...))); diff != "" {
				r.Fatalf("batch (-want +got):\n%s", diff)
			}
		}
		var rows []struct{ Cell, Sums string }
		err := pool.SelectContext(t.Context(), &rows, `SELECT key_id || ' ' || product || ' ' || country || ' ' || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS cell,
			'[' || concat_ws(' ', records, cost, failed_records, failed_cost) || ']' AS sums FROM usage_quarters WHERE account_id = $1`, m.id)
		if err != nil {
			r.Fatal(err)
		}
		got := map[string]string{}
		for _, row := range rows {
			got[row.Cell] = row.Sums
		}
		if diff := cmp.Diff(s.totals(m.keys), got); diff != "" {
			r.Fatalf("sums (-want +got):\n%s", diff)
		}
		if differ, err := d.CheckSums(t.Context(), false); err != nil || len(differ) > 0 {
			r.Fatalf("%v %v", differ, err)
		}
	})
}

// TestSumsWithoutRecords: sums that were left where no records are any more are added to, as other sums are.
func TestSumsWithoutRecords(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	m := newMetered(t, a, 1)
	pool := db.Pool(a.db)
	hour := time.Now().UTC().Truncate(time.Hour).Add(-24 * time.Hour)
	pool.MustExec(`INSERT INTO usage_quarters (account_id, key_id, at, product, country, records, quantity, cost, failed_records, failed_quantity, failed_cost)
		VALUES ($1, $2, $3, 'SMS', 'DE', 5, 6, 7, 0, 0, 0)`, m.id, m.keys[0].KeyID, hour.Add(15*time.Minute))
	done := m.ingest(t, true, m.use("a", hour), m.use("b", hour.Add(16*time.Minute)), m.use("c", hour.Add(40*time.Minute)))
	if outcome(done) != "3 accepted, 0 duplicates" {
		t.Error(outcome(done))
	}
	var sums []string
	if err := pool.SelectContext(t.Context(), &sums, `SELECT concat_ws(' ', records, quantity, cost) FROM usage_quarters WHERE account_id = $1 ORDER BY at`, m.id); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1 1 1250000", "6 7 1250007", "1 1 1250000"}, sums); diff != "" {
		t.Error(diff)
	}
}
