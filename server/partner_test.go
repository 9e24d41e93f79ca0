package server_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"grantwood/graph"
)

// used is a record as the test knows it.
type used struct {
	key                string // name
	reference, product string
	at                 time.Time
	cost               decimal.Decimal
	replaced           bool
}

// TestPartner: whatever is used and corrected in the account, a partner whose token is limited to two keys gets the same by pages,
// by a daily report in a zone, and as a file: what the test adds up itself from the records of these two keys.
func TestPartner(t *testing.T) {
	t.Parallel()
	d := newDownloads(t)
	keys := map[string]string{"Third": d.world.key(t, "Third"), "Fourth": d.world.key(t, "Fourth"), "Fifth": d.world.key(t, "Fifth")}
	end := d.to.Add(24 * time.Hour).Format(time.RFC3339)
	partner := client{d.owner.api, d.owner.text(t, `mutation($k: [ID!]!, $e: DateTime!) { createAccessToken(input: {name: "Partner", keyIds: $k, expiresAt: $e}) { userErrors { code } token } }`,
		map[string]any{"k": []string{keys["Third"], keys["Fourth"]}, "e": end}, "createAccessToken.token")}
	var all []used
	rapid.Check(t, func(r *rapid.T) {
		all = d.use(t, r, keys, all)
		zone := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"}).Draw(r, "zone")
		var mine []used
		for _, u := range all {
			if !u.replaced && u.key != "Fifth" {
				mine = append(mine, u)
			}
		}
		want := daily(r, mine, zone)
		if diff := cmp.Diff(want, d.report(t, partner, zone)); diff != "" {
			r.Fatalf("report in %s (-want +got):\n%s", zone, diff)
		}
		if diff := cmp.Diff(want, daily(r, d.pages(t, partner), zone)); diff != "" {
			r.Fatalf("pages in %s (-want +got):\n%s", zone, diff)
		}
		if diff := cmp.Diff(want, daily(r, d.file(t, partner), zone)); diff != "" {
			r.Fatalf("file in %s (-want +got):\n%s", zone, diff)
		}
	})
	if n := partner.srv.Hits(); n != 0 {
		t.Errorf("@visible caught %d objects", n)
	}
}

// use sends some records, some of which correct earlier ones.
func (d downloads) use(t *testing.T, r *rapid.T, keys map[string]string, all []used) []used {
	var records []map[string]any
	for range rapid.IntRange(1, 8).Draw(r, "records") {
		u := used{key: rapid.SampledFrom([]string{"Third", "Fourth", "Fifth"}).Draw(r, "key"), product: rapid.SampledFrom([]string{"SMS", "VOICE"}).Draw(r, "product"),
			reference: fmt.Sprint("p", len(all)), at: d.from.Add(time.Duration(rapid.IntRange(0, 48*60-1).Draw(r, "minute")) * time.Minute),
			cost: decimal.New(rapid.Int64Range(0, 1_000_000).Draw(r, "cost"), -5)}
		record := d.record(t, keys[u.key], u.reference, u.at)
		record["product"], record["cost"] = u.product, u.cost.String()
		if len(all) > 0 && rapid.IntRange(0, 3).Draw(r, "corrects") == 0 {
			if old := &all[rapid.IntRange(0, len(all)-1).Draw(r, "old")]; !old.replaced {
				record["replaces"], old.replaced = old.reference, true
			}
		}
		records, all = append(records, record), append(all, u)
	}
	d.send(t, records...)
	return all
}

// daily adds up records by day and key, as lines.
func daily(r *rapid.T, list []used, zone string) []string {
	location, err := time.LoadLocation(zone)
	if err != nil {
		r.Fatal(err)
	}
	sums, counts := map[string]decimal.Decimal{}, map[string]int{}
	for _, u := range list {
		row := u.at.In(location).Format(time.DateOnly) + " " + u.key + " " + u.product
		sums[row] = sums[row].Add(u.cost)
		counts[row]++
	}
	lines := []string{}
	for row, n := range counts {
		lines = append(lines, fmt.Sprintf("%s: %d, %s", row, n, sums[row]))
	}
	slices.Sort(lines)
	return lines
}

// report is the same as the API adds it up.
func (d downloads) report(t *testing.T, c client, zone string) []string {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	report := c.ask(t, `query($in: UsageReportInput!) { account { usageReport(input: $in) { truncated totals { records cost { amount } } rows { periodStart key { name } product totals { records cost { amount } } } } } }`,
		map[string]any{"in": map[string]any{"from": d.from, "to": d.to, "groupBy": []string{"DAY", "KEY", "PRODUCT"}, "timeZone": zone}}, "account.usageReport").(map[string]any)
	lines, records, cost := []string{}, 0.0, decimal.Decimal{}
	for _, row := range report["rows"].([]any) {
		row := row.(map[string]any)
		sums := row["totals"].(map[string]any)
		amount := decimal.RequireFromString(sums["cost"].(map[string]any)["amount"].(string))
		lines = append(lines, fmt.Sprintf("%s %s %s: %v, %s", instant(t, row["periodStart"]).In(location).Format(time.DateOnly), text(row["key"].(map[string]any), "name"),
			row["product"], sums["records"], amount))
		records, cost = records+sums["records"].(float64), cost.Add(amount)
	}
	total := report["totals"].(map[string]any)
	if total["records"] != records || total["cost"].(map[string]any)["amount"] != cost.String() || report["truncated"] != false {
		t.Errorf("the rows add up to %v records and %s, the report says %v", records, cost, total)
	}
	slices.Sort(lines)
	return lines
}

// pages walks through the records, page by page.
func (d downloads) pages(t *testing.T, c client) []used {
	t.Helper()
	var list []used
	var after any
	for {
		page := c.ask(t, `query($a: String, $f: UsageFilter!) { account { usage(first: 7, after: $a, filter: $f) { pageInfo { hasNextPage endCursor } nodes { key { name } reference product occurredAt cost { amount } } } } }`,
			map[string]any{"a": after, "f": map[string]any{"from": d.from, "to": d.to}}, "account.usage").(map[string]any)
		for _, n := range page["nodes"].([]any) {
			n := n.(map[string]any)
			list = append(list, used{key: text(n["key"].(map[string]any), "name"), reference: text(n, "reference"), product: text(n, "product"), at: instant(t, n["occurredAt"]),
				cost: decimal.RequireFromString(n["cost"].(map[string]any)["amount"].(string))})
		}
		info := page["pageInfo"].(map[string]any)
		if info["hasNextPage"] == false {
			return list
		}
		after = info["endCursor"]
	}
}

// file downloads the records.
func (d downloads) file(t *testing.T, c client) []used {
	t.Helper()
	address, records := d.address(t, c, graph.CSV, graph.Uncompressed)
	_, body := fetch(t, address, http.StatusOK)
	rows, err := csv.NewReader(strings.NewReader(string(body))).ReadAll()
	if err != nil || len(rows) != records+1 {
		t.Fatalf("%v: %d rows, %d announced", err, len(rows), records)
	}
	var list []used
	for _, row := range rows[1:] {
		list = append(list, used{key: row[1], reference: row[12], product: row[6], at: instant(t, row[4]), cost: decimal.RequireFromString(row[10])})
	}
	return list
}
