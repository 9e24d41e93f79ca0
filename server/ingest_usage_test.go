package server_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

// toIngest sends usage in.
var toIngest = mutation{field: "ingestUsage", inputType: "IngestUsageInput", results: []string{"accepted", "duplicates", "refused"},
	selection: "accepted duplicates refused { index code field }"}

func number(n int) string { return strconv.Itoa(n) }

// ingested is the answer to a batch; refusals are such as "3 INVALID quantity".
func ingested(accepted, duplicates int, refused ...string) string {
	list := make([]string, len(refused))
	for i, r := range refused {
		index, rest, _ := strings.Cut(r, " ")
		code, field, _ := strings.Cut(rest, " ")
		list[i] = fmt.Sprintf(`{"index":%s,"code":%q,"field":%q}`, index, code, field)
	}
	return fmt.Sprintf(`{"data":{"ingestUsage":{"userErrors":[],"accepted":%d,"duplicates":%d,"refused":[%s]}}}`, accepted, duplicates, strings.Join(list, ","))
}

// TestIngestUsage: done, repeated, unauthenticated, forbidden, hidden and missing keys, invalid, strict.
func TestIngestUsage(t *testing.T) {
	t.Parallel()
	bad := input{"records": []input{}}
	t.Run("done and repeated", ingestDone)
	t.Run("unauthenticated", notSignedIn(toIngest, bad))
	t.Run("forbidden", ingestForbidden)
	t.Run("refused", ingestRefused)
	t.Run("strict", ingestStrict)
	t.Run("corrections", ingestCorrections)
	t.Run("late usage", ingestLate)
	t.Run("invalid", ingestInvalid)
	t.Run("at once", ingestAtOnce)
}

const allUsage = `{ account { usage(first: 100, filter: {` + everAgo + `}) { nodes { key { name } product direction country quantity cost { amount currency } status occurredAt reference tags { name value } replaces } pageInfo { hasNextPage hasPreviousPage } } } }`

func ingestDone(t *testing.T) {
	t.Parallel()
	w, meter := newWorld(t), operator(t, graph.ScopeIngest)
	k, at := w.credential(t, "Europe"), lately()
	records := []input{
		use(k.key, "a", at),
		use(w.publicKey(t, w.master), "b", at.Add(time.Microsecond), "direction", "INBOUND", "currency", "EUR", "quantity", 1_000_000_000_000, "cost", "-1000000000", "status", "FAILED"),
		use(k.key, "c", at.Add(time.Second), "country", nil, "cost", 0.00000001, "tags", []input{{"name": "z", "value": ""}, {"name": "a", "value": "\"ü\""}}),
		use(k.key, "a", at),
	}
	for _, r := range records {
		if r["country"] == nil {
			delete(r, "country")
		}
	}
	meter.fails(t, toIngest, input{"records": records}, ingested(3, 1))
	want := fmt.Sprintf(`{"data":{"account":{"usage":{"pageInfo":{"hasNextPage":false,"hasPreviousPage":false},"nodes":[
		{"key":{"name":"Europe"},"product":"SMS","direction":null,"country":"ZZ","quantity":1,"cost":{"amount":"0.00000001","currency":"EUR"},"status":"SUCCEEDED","occurredAt":%q,"reference":"c","tags":[{"name":"a","value":"\"ü\""},{"name":"z","value":""}],"replaces":null},
		{"key":{"name":"Master key"},"product":"SMS","direction":"INBOUND","country":"DE","quantity":1000000000000,"cost":{"amount":"-1000000000","currency":"EUR"},"status":"FAILED","occurredAt":%q,"reference":"b","tags":[],"replaces":null},
		{"key":{"name":"Europe"},"product":"SMS","direction":null,"country":"DE","quantity":1,"cost":{"amount":"0.0125","currency":"EUR"},"status":"SUCCEEDED","occurredAt":%q,"reference":"a","tags":[],"replaces":null}]}}}}`,
		at.Add(time.Second).Format(time.RFC3339Nano), at.Add(time.Microsecond).Format(time.RFC3339Nano), at.Format(time.RFC3339Nano))
	first := w.owner.expect(t, allUsage, nil, want)
	w.unchanged(t, func() { meter.fails(t, toIngest, input{"records": records, "strict": true}, ingested(0, 4)) })
	if again := w.owner.post(t, allUsage, nil); !bytes.Equal(first.Body, again.Body) {
		t.Errorf("before %s\nthen %s", first.Body, again.Body)
	}
}

func ingestForbidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.credential(t, "Europe")
	token, _ := tokenOf(t, w.owner.client, usageOnly, k.id)
	records := input{"records": []input{use(k.key, "a", lately())}}
	w.unchanged(t, func() {
		for name, c := range map[string]client{"owner": w.owner.client, "token": token, "key": keyed(w.owner.api, k.key, k.secret),
			"operator": operator(t, graph.ScopeAdmin, graph.ScopeSupport, graph.ScopeVerify)} {
			t.Log(name)
			c.fails(t, toIngest, records, toIngest.denied(graph.Forbidden))
			c.fails(t, toIngest, input{"records": []input{}}, toIngest.denied(graph.Forbidden))
		}
	})
}

// ingestRefused sends one record of every bad kind between good ones: they are refused, each with its reason, and the good ones added.
func ingestRefused(t *testing.T) {
	t.Parallel()
	w, other, meter := newWorld(t), otherWorld(t), operator(t, graph.ScopeIngest)
	k, at := w.credential(t, "Europe"), lately()
	stranger := other.publicKey(t, other.key)
	oldest := graph.OldestUsage(time.Now(), graph.DefaultUsageMonths)
	long := strings.Repeat("ü", 101)
	records, want := []input{use(k.key, "first", at)}, []string{}
	for i, c := range []struct {
		name   string
		why    string
		change []any
	}{
		{"key of an account that is not", "NOT_FOUND key", []any{"key", "gwk" + strings.Repeat("0", 39)}},
		{"unknown key of the account", "NOT_FOUND key", []any{"key", k.key[:len(k.key)-4] + "0000"}},
		{"no key", "NOT_FOUND key", []any{"key", ""}},
		{"long key", "NOT_FOUND key", []any{"key", strings.Repeat("gwk0", 1000)}},
		{"ID of a key", "NOT_FOUND key", []any{"key", k.id}},
		{"half a foreign key", "NOT_FOUND key", []any{"key", k.key[:29] + stranger[29:]}},
		{"no reference", "INVALID reference", []any{"reference", ""}},
		{"long reference", "INVALID reference", []any{"reference", long}},
		{"unknown product", "NOT_FOUND product", []any{"product", "sms"}},
		{"country in small letters", "INVALID country", []any{"country", "de"}},
		{"country by name", "INVALID country", []any{"country", "Germany"}},
		{"negative quantity", "INVALID quantity", []any{"quantity", -1}},
		{"huge quantity", "INVALID quantity", []any{"quantity", 1_000_000_000_001}},
		{"nine places", "INVALID cost", []any{"cost", "0.000000001"}},
		{"huge price", "INVALID cost", []any{"cost", "1000000000.00000001"}},
		{"other currency", "INVALID currency", []any{"currency", "USD"}},
		{"no currency", "INVALID currency", []any{"currency", ""}},
		{"far ahead", "INVALID occurredAt", []any{"occurredAt", time.Now().Add(25 * time.Hour).Format(time.RFC3339)}},
		{"before what is kept", "INVALID occurredAt", []any{"occurredAt", oldest.Add(-time.Microsecond).Format(time.RFC3339Nano)}},
		{"nine tags", "INVALID tags", []any{"tags", tagsNamed("a", "b", "c", "d", "e", "f", "g", "h", "i")}},
		{"tag without a name", "INVALID tags", []any{"tags", tagsNamed("")}},
		{"tag with a long name", "INVALID tags", []any{"tags", tagsNamed(long)}},
		{"tag with a long value", "INVALID tags", []any{"tags", []input{{"name": "a", "value": long}}}},
		{"tag twice", "INVALID tags", []any{"tags", tagsNamed("a", "a")}},
		{"correction of nothing", "NOT_FOUND replaces", []any{"replaces", "nothing"}},
		{"correction of itself", "INVALID replaces", []any{"reference", "first", "replaces", "first"}},
		{"correction of no reference", "INVALID replaces", []any{"replaces", ""}},
		{"known reference, other time", "CONFLICT reference", []any{"reference", "first", "occurredAt", at.Add(time.Microsecond).Format(time.RFC3339Nano)}},
		{"known reference, other price", "CONFLICT reference", []any{"reference", "first", "cost", "0.01250001"}},
		{"known reference, other tags", "CONFLICT reference", []any{"reference", "first", "tags", tagsNamed("a")}},
		{"known reference, other key", "CONFLICT reference", []any{"reference", "first", "key", w.publicKey(t, w.master)}},
		{"known reference, other outcome", "CONFLICT reference", []any{"reference", "first", "status", "FAILED"}},
		{"known reference, correcting something", "CONFLICT reference", []any{"reference", "first", "replaces", "last"}},
	} {
		t.Log(i+1, c.name)
		records = append(records, use(k.key, fmt.Sprint("bad ", i), at, c.change...))
		want = append(want, fmt.Sprint(i+1, " ", c.why))
	}
	edges := []input{use(k.key, "last", at, "cost", "1000000000"), use(k.key, "oldest", oldest), use(k.key, "ahead", time.Now().UTC().Add(23*time.Hour)),
		use(k.key, strings.Repeat("ü", 100), at, "tags", tagsNamed("a", "b", "c", "d", "e", "f", "g", strings.Repeat("ü", 100)), "quantity", 0, "cost", "0.100000000000")}
	records = append(records, edges...)
	meter.fails(t, toIngest, input{"records": records}, ingested(1+len(edges), 0, want...))
	w.unchanged(t, func() { meter.fails(t, toIngest, input{"records": records}, ingested(0, 1+len(edges), want...)) })
	first := strings.SplitN(want[0], " ", 2)[0]
	if got := meter.post(t, toIngest.document(), variables(input{"records": records[:2], "strict": true})).at(t, "ingestUsage.refused.0.index"); fmt.Sprint(got) != first {
		t.Errorf("refused is %v", got)
	}
}

func tagsNamed(names ...string) []input {
	var list []input
	for _, n := range names {
		list = append(list, input{"name": n, "value": "x"})
	}
	return list
}

// ingestStrict: when a record is refused nothing is added, of no account.
func ingestStrict(t *testing.T) {
	t.Parallel()
	w, other, meter := newWorld(t), newWorld(t), operator(t, graph.ScopeIngest)
	k, l, at := w.credential(t, "Europe"), other.credential(t, "Asia"), lately()
	good := []input{use(k.key, "a", at), use(l.key, "a", at)}
	for why, last := range map[string]input{
		problem("INVALID", "input.records.2.quantity"):   use(k.key, "b", at, "quantity", -1),
		problem("NOT_FOUND", "input.records.2.key"):      use(l.key[:len(l.key)-4]+"0000", "b", at),
		problem("CONFLICT", "input.records.2.reference"): use(l.key, "a", at, "quantity", 2),
		problem("NOT_FOUND", "input.records.2.replaces"): use(k.key, "b", at, "replaces", "c"),
	} {
		w.unchanged(t, func() {
			other.unchanged(t, func() {
				a := meter.run(t, toIngest, input{"records": append(good[:2:2], last), "strict": true})
				if diff := cmp.Diff(normal(t, []byte(toIngest.refused(why))), without(normal(t, a.Body), "refused")); diff != "" {
					t.Errorf("answer (-want +got):\n%s", diff)
				}
			})
		})
	}
	meter.fails(t, toIngest, input{"records": good, "strict": true}, ingested(2, 0))
}

// without sets a field of the payload to null.
func without(body any, field string) any {
	for _, payload := range body.(map[string]any)["data"].(map[string]any) {
		payload.(map[string]any)[field] = nil
	}
	return body
}

// ingestCorrections: what is corrected is gone for everybody, under its ID too, and cannot be corrected twice.
func ingestCorrections(t *testing.T) {
	t.Parallel()
	w, meter := newWorld(t), operator(t, graph.ScopeIngest)
	k, at := w.credential(t, "Europe"), lately()
	meter.fails(t, toIngest, input{"records": []input{use(k.key, "a", at), use(k.key, "b", at, "replaces", "a", "cost", "1"), use(k.key, "x", at)}}, ingested(3, 0))
	for _, step := range []struct {
		records []input
		want    string
		left    string
	}{
		{[]input{use(k.key, "c", at, "replaces", "a")}, ingested(0, 0, "0 INVALID_STATE replaces"), "b x"},
		{[]input{use(k.key, "a", at)}, ingested(0, 1), "b x"}, // a late repeat brings nothing back
		{[]input{use(k.key, "c", at.AddDate(0, -1, 0), "replaces", "b", "key", w.publicKey(t, w.master))}, ingested(1, 0), "c x"},
		{[]input{use(k.key, "c", at.AddDate(0, -1, 0), "replaces", "b", "key", w.publicKey(t, w.master))}, ingested(0, 1), "c x"},
		{[]input{use(k.key, "x", at.AddDate(0, -2, 0))}, ingested(1, 0), "c x x"}, // another month
		{[]input{use(k.key, "y", at, "replaces", "x")}, ingested(0, 0, "0 CONFLICT replaces"), "c x x"},
		{[]input{use(k.key, "p", at), use(k.key, "q", at, "replaces", "p"), use(k.key, "r", at, "replaces", "p"), use(k.key, "s", at, "replaces", "q")}, ingested(3, 0, "2 INVALID_STATE replaces"), "c s x x"},
	} {
		meter.fails(t, toIngest, input{"records": step.records}, step.want)
		left := texts(t, `SELECT reference FROM usage_records WHERE account_id = $1 AND replaced_by IS NULL`, graph.ParseID(w.account).Account)
		var shown []string
		for _, n := range nodes(w.owner.ask(t, allUsage, nil, "account").(map[string]any), "usage") {
			shown = append(shown, text(n, "reference"))
		}
		if sorted(left) != step.left || sorted(shown) != step.left {
			t.Errorf("after %v: stored %s, shown %s, want %s", step.records, sorted(left), sorted(shown), step.left)
		}
	}
	gone := graph.ID{Kind: graph.KindUsage, Account: graph.ParseID(w.account).Account, Object: graph.UsageRecordID(graph.ParseID(w.account).Account, at, "a")}
	w.owner.expect(t, `query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": gone.String()}, `{"data":{"node":null}}`)
}

// ingestLate: usage of keys that are disabled or deleted meanwhile, and of suspended accounts, is accepted.
func ingestLate(t *testing.T) {
	t.Parallel()
	w, meter := newWorld(t), operator(t, graph.ScopeIngest)
	disabled, deleted, at := w.credential(t, "Disabled"), w.credential(t, "Deleted"), lately()
	w.setEnabled(t, disabled.id, false)
	w.remove(t, deleted.id)
	w.setStatus(t, graph.Suspended)
	meter.fails(t, toIngest, input{"records": []input{use(disabled.key, "a", at), use(deleted.key, "b", at)}, "strict": true}, ingested(2, 0))
	w.owner.expect(t, `{ account { usage { nodes { reference key { name status } } } } }`, nil, `{"data":{"account":{"usage":{"nodes":[`+
		orderedByID(t, w, at, `{"reference":"a","key":{"name":"Disabled","status":"DISABLED"}}`, `{"reference":"b","key":{"name":"Deleted","status":"DELETED"}}`)+`]}}}}`)
}

// orderedByID joins what is said of the records a and b of the same time in the order in which a page has them.
func orderedByID(t *testing.T, w *world, at time.Time, a, b string) string {
	t.Helper()
	account := graph.ParseID(w.account).Account
	if x, y := graph.UsageRecordID(account, at, "a"), graph.UsageRecordID(account, at, "b"); bytes.Compare(x[:], y[:]) > 0 {
		return a + "," + b
	}
	return b + "," + a
}

func ingestInvalid(t *testing.T) {
	t.Parallel()
	meter := operator(t, graph.ScopeIngest)
	many := make([]input, 5001)
	for i := range many {
		many[i] = input{"key": "", "reference": "", "product": "", "quantity": 0, "cost": "0", "occurredAt": "2016-06-29T09:00:00Z"}
	}
	meter.fails(t, toIngest, input{"records": []input{}}, toIngest.refused(violation("input.records", "min=1")))
	meter.fails(t, toIngest, input{"records": many}, toIngest.refused(violation("input.records", "max=5000")))
	for field, values := range map[string][]any{"occurredAt": {"yesterday", 5, "2016-06-29"}, "cost": {"", "1e100", "one", "1.", ".5", true, strings.Repeat("1", 61)}, "quantity": {1.5, "1", "much"}} {
		for _, v := range values {
			meter.fails(t, toIngest, input{"records": []input{use("x", "x", time.Now(), field, v)}},
				`{"data":{"ingestUsage":null},"errors":[{"path":["ingestUsage"],"extensions":{"code":"BAD_USER_INPUT","argument":["input","records","0","`+field+`"]}}]}`)
		}
	}
}

// ingestAtOnce sends the same records, and some that contradict them, from many sides at once: each is there once.
func ingestAtOnce(t *testing.T) {
	t.Parallel()
	w, meter := newWorld(t), operator(t, graph.ScopeIngest)
	k, at := w.credential(t, "Europe"), lately()
	var all []input
	for i := range 200 {
		all = append(all, use(k.key, fmt.Sprint(i), at.Add(-time.Duration(i)*time.Second)))
	}
	var wait sync.WaitGroup
	sums := make([]float64, 8)
	for i := range sums {
		wait.Go(func() {
			records := append([]input{use(k.key, "one", at, "quantity", i), use(k.key, fmt.Sprint("fix ", i), at, "replaces", "one")}, all...)
			a := meter.run(t, toIngest, input{"records": records})
			sums[i], _ = a.at(t, "ingestUsage.accepted").(float64)
		})
	}
	wait.Wait()
	total := 0.0
	for _, n := range sums {
		total += n
	}
	if total != 202 {
		t.Errorf("%v were accepted, want 202 in all", sums)
	}
	var sum struct{ Records, Quantity int }
	account := graph.ParseID(w.account).Account
	if err := shared(t).Get(&sum, `SELECT sum(records) AS records, sum(quantity) AS quantity FROM usage_days WHERE account_id = $1`, account); err != nil || sum.Records != 201 || sum.Quantity != 201 {
		t.Errorf("%+v %v", sum, err)
	}
}
