package server_test

import (
	"fmt"
	"testing"
	"time"

	"grantwood/graph"
)

const toReport = `query($in: UsageReportInput!) { account { usageReport(input: $in) { open truncated totals { records succeeded quantity cost { amount currency } }
	rows { periodStart periodEnd open unit { name } key { name } product country tag totals { records } } } } }`

// TestUsageReport adds up what the caller sees.
func TestUsageReport(t *testing.T) {
	t.Parallel()
	d := newDownloads(t)
	in := map[string]any{"from": d.from, "to": d.to}
	for name, c := range map[string]struct {
		by   client
		more input
		rows string
		n    int
	}{
		"owner by key": {d.owner.client, input{"groupBy": []string{"KEY"}},
			`{"periodStart":null,"periodEnd":null,"open":false,"unit":null,"key":{"name":"=Shop"},"product":null,"country":null,"tag":null,"totals":{"records":20}},
			{"periodStart":null,"periodEnd":null,"open":false,"unit":null,"key":{"name":"Hidden"},"product":null,"country":null,"tag":null,"totals":{"records":20}}`, 40},
		"reader by key": {d.reader.client, input{"groupBy": []string{"KEY"}},
			`{"periodStart":null,"periodEnd":null,"open":false,"unit":null,"key":{"name":"=Shop"},"product":null,"country":null,"tag":null,"totals":{"records":20}}`, 20},
		"reader by unit and product": {d.reader.client, input{"groupBy": []string{"UNIT", "PRODUCT"}},
			`{"periodStart":null,"periodEnd":null,"open":false,"unit":{"name":"Europe"},"key":null,"product":"SMS","country":null,"tag":null,"totals":{"records":20}}`, 20},
		"owner by unit, cut off": {d.owner.client, input{"groupBy": []string{"UNIT"}, "limit": 1},
			`{"periodStart":null,"periodEnd":null,"open":false,"unit":null,"key":null,"product":null,"country":null,"tag":null,"totals":{"records":20}}`, 40},
		"by tag": {d.reader.client, input{"groupBy": []string{"TAG"}, "tag": "city", "countries": []string{"DE"}},
			`{"periodStart":null,"periodEnd":null,"open":false,"unit":null,"key":null,"product":null,"country":null,"tag":null,"totals":{"records":19}},
			{"periodStart":null,"periodEnd":null,"open":false,"unit":null,"key":null,"product":null,"country":null,"tag":"Köln \"Süd\"","totals":{"records":1}}`, 20},
		"a hidden key":   {d.reader.client, input{"keyIds": []string{d.hidden}}, "", 0},
		"an hour":        {d.reader.client, input{"to": d.from.Add(time.Hour), "groupBy": []string{"HOUR"}}, fmt.Sprintf(`{"periodStart":%q,"periodEnd":%q,"open":false,"unit":null,"key":null,"product":null,"country":null,"tag":null,"totals":{"records":1}}`, d.from.Format(time.RFC3339), d.from.Add(time.Hour).Format(time.RFC3339)), 1},
		"only failures":  {d.reader.client, input{"status": "FAILED"}, "", 0},
		"whole, no rows": {d.owner.client, input{"products": []string{"NOTHING"}}, "", 0},
	} {
		zero := "0"
		if c.n > 0 {
			zero = fmt.Sprint(float64(c.n) * 0.0125)
		}
		c.by.expect(t, toReport, map[string]any{"in": with(in, pairs(c.more)...)}, fmt.Sprintf(`{"data":{"account":{"usageReport":{"open":false,"truncated":%t,
			"totals":{"records":%d,"succeeded":%[2]d,"quantity":%d,"cost":{"amount":%q,"currency":"EUR"}},"rows":[%s]}}}}`, name == "owner by unit, cut off", c.n, 2*c.n, zero, c.rows))
	}
}

func pairs(in input) []any {
	var list []any
	for name, value := range in {
		list = append(list, name, value)
	}
	return list
}

// TestUsageReportIsOpen: the last period says that more is still to happen in it.
func TestUsageReportIsOpen(t *testing.T) {
	t.Parallel()
	d := newDownloads(t)
	now := time.Now().UTC()
	d.send(t, d.record(t, d.key, "today", now.Add(-time.Second)))
	from := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	a := d.reader.post(t, toReport, map[string]any{"in": input{"from": from.AddDate(0, 0, -3), "to": from.AddDate(0, 0, 1), "groupBy": []string{"DAY"}}})
	rows := a.at(t, "account.usageReport.rows").([]any)
	for i, row := range rows {
		if got, want := row.(map[string]any)["open"], i == len(rows)-1; got != want {
			t.Errorf("row %d of %d: open %v", i, len(rows), got)
		}
	}
	if len(rows) < 2 || a.at(t, "account.usageReport.open") != true {
		t.Errorf("%s", a.Body)
	}
}

// TestUsageReportRefuses what cannot be added up, before any work, and whoever may not.
func TestUsageReportRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now().UTC().Truncate(time.Hour)
	good := input{"from": now.Add(-time.Hour), "to": now}
	refusal := func(path string) string {
		return fmt.Sprintf(`{"data":{"account":{"usageReport":null}},"errors":[{"path":["account","usageReport"],"extensions":{"code":"BAD_USER_INPUT","argument":%s}}]}`, pathJSON(path))
	}
	for _, c := range []struct {
		path string
		more input
	}{
		{"input.timeZone", input{"timeZone": "Mars/Olympus"}}, {"input.timeZone", input{"timeZone": ""}}, {"input.timeZone", input{"timeZone": "Local"}},
		{"input.timeZone", input{"timeZone": "../../etc/passwd"}},
		{"input.to", input{"to": now.Add(-time.Hour)}}, {"input.to", input{"to": now.AddDate(0, 0, 401)}},
		{"input.to", input{"to": now.AddDate(0, 0, 32), "groupBy": []string{"HOUR"}}},
		{"input.groupBy", input{"groupBy": []string{"DAY", "HOUR"}}}, {"input.groupBy", input{"groupBy": []string{"KEY", "KEY"}}},
		{"input.groupBy", input{"groupBy": []string{"DAY", "UNIT", "KEY", "PRODUCT", "COUNTRY"}}},
		{"input.tag", input{"groupBy": []string{"TAG"}}}, {"input.tag", input{"tag": "city"}},
		{"input.limit", input{"limit": 0}}, {"input.limit", input{"limit": 10001}},
	} {
		w.owner.expect(t, toReport, map[string]any{"in": with(good, pairs(c.more)...)}, refusal(c.path))
	}
	blind := w.user(t, invitee{capabilities: allBut(graph.ViewUsage)})
	blind.expect(t, toReport, map[string]any{"in": good}, `{"data":{"account":{"usageReport":null}},"errors":[{"path":["account","usageReport"],"extensions":{"code":"FORBIDDEN"}}]}`)
	blind.expect(t, `query($in: UsageReportInput!) { account { masterKey { usageReport(input: $in) { totals { records } } } } }`, map[string]any{"in": good},
		`{"data":{"account":{"masterKey":{"usageReport":null}}}}`)
}

// TestNestedReports: reports below many keys and units, asked for twice with different arguments, are each their own.
func TestNestedReports(t *testing.T) {
	t.Parallel()
	d := newDownloads(t)
	d.owner.expect(t, `query($all: UsageReportInput!, $first: UsageReportInput!) { account { apiKeys { nodes { name
			all: usageReport(input: $all) { totals { records } } first: usageReport(input: $first) { totals { records } rows { key { name } } } } }
		units { nodes { name usageReport(input: $all) { totals { records } rows { product totals { records } } } } } } }`,
		map[string]any{"all": input{"from": d.from, "to": d.to, "groupBy": []string{"PRODUCT"}}, "first": input{"from": d.from, "to": d.from.Add(3 * time.Hour), "groupBy": []string{"KEY"}}},
		`{"data":{"account":{"apiKeys":{"nodes":[
			{"name":"=Shop","all":{"totals":{"records":20}},"first":{"totals":{"records":2},"rows":[{"key":{"name":"=Shop"}}]}},
			{"name":"Hidden","all":{"totals":{"records":20}},"first":{"totals":{"records":1},"rows":[{"key":{"name":"Hidden"}}]}},
			{"name":"Master key","all":{"totals":{"records":0}},"first":{"totals":{"records":0},"rows":[]}}]},
		"units":{"nodes":[{"name":"Europe","usageReport":{"totals":{"records":20},"rows":[{"product":"SMS","totals":{"records":20}}]}}]}}}}`)
}
