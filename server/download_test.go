package server_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"grantwood/graph"
)

// downloads is a world with two keys, one of them hidden from a reader, and usage of both.
type downloads struct {
	*world
	key, hidden string
	reader      member
	from, to    time.Time
}

func newDownloads(t *testing.T) downloads {
	t.Helper()
	w := newWorld(t)
	d := downloads{world: w, key: w.keyIn(t, "=Shop", w.unit(t, "Europe", "")), hidden: w.key(t, "Hidden")}
	d.reader = w.user(t, invitee{role: graph.RoleReporting, keys: []string{d.key}, withoutMaster: true})
	d.to = time.Now().UTC().Truncate(time.Hour)
	d.from = d.to.Add(-48 * time.Hour)
	var records []map[string]any
	for i := range 40 {
		k := []string{d.key, d.hidden}[i%2]
		records = append(records, d.record(t, k, fmt.Sprint("r", i), d.from.Add(time.Duration(i)*time.Hour)))
	}
	records[0]["reference"] = `=1+"2",3`
	records[0]["tags"] = []map[string]any{{"name": "city", "value": `Köln "Süd"`}}
	d.send(t, records...)
	return d
}

func (d downloads) record(t testing.TB, key, reference string, at time.Time) map[string]any {
	t.Helper()
	public := d.owner.text(t, `query($k: ID!) { node(id: $k) { ... on ApiKey { key } } }`, map[string]any{"k": key}, "node.key")
	return map[string]any{"key": public, "reference": reference, "product": "SMS", "country": "DE", "quantity": 2, "cost": "0.0125",
		"direction": "OUTBOUND", "occurredAt": at.Format(time.RFC3339Nano)}
}

func (d downloads) send(t testing.TB, records ...map[string]any) {
	t.Helper()
	a := operator(t, graph.ScopeIngest).post(t, `mutation($in: IngestUsageInput!) { ingestUsage(input: $in) { userErrors { message } accepted refused { code field message } } }`,
		map[string]any{"in": map[string]any{"records": records}})
	if got := a.at(t, "ingestUsage.accepted"); got != float64(len(records)) {
		t.Fatalf("sent %d records: %s", len(records), a.Body)
	}
}

const toDownload = `query($f: ExportFormat!, $c: Compression!, $in: UsageFilter!) { account { usageDownload(format: $f, compression: $c, filter: $in) { url records } } }`

// address asks for a file and gives the way to it on the test's server, and the number of records.
func (d downloads) address(t testing.TB, c client, format graph.ExportFormat, compression graph.Compression) (string, int) {
	t.Helper()
	a := c.post(t, toDownload, map[string]any{"f": format, "c": compression, "in": map[string]any{"from": d.from, "to": d.to}})
	text, ok := a.at(t, "account.usageDownload.url").(string)
	if !ok {
		t.Fatalf("no address: %s", a.Body)
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c.url + u.RequestURI(), int(a.at(t, "account.usageDownload.records").(float64))
}

// fetch gets a file. The status must be the wanted one.
func fetch(t testing.TB, address string, status int) (http.Header, []byte) {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		t.Fatalf("%s: %d %v %s", address, response.StatusCode, err, body)
	}
	return response.Header, body
}

// TestDownload: whoever asks gets the records of the keys that they see, and the number beside the address is theirs.
func TestDownload(t *testing.T) {
	t.Parallel()
	d := newDownloads(t)
	token := d.reader.token // a reporting user makes no tokens: the owner does
	partner := client{d.reader.api, d.owner.text(t, `mutation($k: ID!, $e: DateTime!) { createAccessToken(input: {name: "Partner", keyIds: [$k], expiresAt: $e}) { userErrors { code } token } }`,
		map[string]any{"k": d.hidden, "e": time.Now().Add(time.Hour).Format(time.RFC3339)}, "createAccessToken.token")}
	for name, c := range map[string]struct {
		by   client
		keys string
		want int
	}{"owner": {d.owner.client, "=Shop Hidden", 40}, "reader": {client{d.reader.api, token}, "=Shop", 20}, "token": {partner, "Hidden", 20}} {
		address, records := d.address(t, c.by, graph.JSONLines, graph.Uncompressed)
		_, body := fetch(t, address, http.StatusOK)
		seen := map[string]bool{}
		n := 0
		for line := range strings.Lines(string(body)) {
			var row struct{ KeyName, Cost string }
			if err := json.Unmarshal([]byte(line), &row); err != nil || row.Cost != "0.0125" {
				t.Fatalf("%s: %v: %s", name, err, line)
			}
			seen[row.KeyName] = true
			n++
		}
		names := strings.Join(slices.Sorted(func(yield func(string) bool) {
			for k := range seen {
				if !yield(k) {
					return
				}
			}
		}), " ")
		if records != c.want || n != c.want || names != c.keys {
			t.Errorf("%s: %d announced, %d came, of %s", name, records, n, names)
		}
	}
}

// TestDownloadCSV: a spreadsheet reads it, and finds no formula.
func TestDownloadCSV(t *testing.T) {
	t.Parallel()
	d := newDownloads(t)
	address, _ := d.address(t, d.reader.client, graph.CSV, graph.Uncompressed)
	header, body := fetch(t, address, http.StatusOK)
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || len(rows) != 21 {
		t.Fatalf("%v: %d rows", err, len(rows))
	}
	public := d.record(t, d.key, "x", d.from)["key"].(string)
	at := d.from.Format("2006-01-02T15:04:05-07:00")
	recorded := rows[1][5]
	want := [][]string{
		{"key", "key_name", "unit", "currency", "occurred_at", "recorded_at", "product", "direction", "country", "quantity", "cost", "status", "reference", "replaces", "tags"},
		{public, "'=Shop", "Europe", "EUR", strings.Replace(at, "Z", "+00:00", 1), recorded, "SMS", "OUTBOUND", "DE", "2", "0.0125", "SUCCEEDED", `'=1+"2",3`, "", `{"city": "Köln \"Süd\""}`},
	}
	if diff := cmp.Diff(want, rows[:2]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := header.Get("Content-Disposition"); got != fmt.Sprintf(`attachment; filename="usage-%s-%s.csv"`, d.from.Format(time.DateOnly), d.to.Format(time.DateOnly)) {
		t.Error(got)
	}
}

// TestDownloadFormats: the same records come compressed, and as Parquet.
func TestDownloadFormats(t *testing.T) {
	t.Parallel()
	d := newDownloads(t)
	plain, _ := d.address(t, d.reader.client, graph.CSV, graph.Uncompressed)
	_, want := fetch(t, plain, http.StatusOK)
	zipped, _ := d.address(t, d.reader.client, graph.CSV, graph.Gzip)
	_, body := fetch(t, zipped, http.StatusOK)
	unzip, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(unzip); err != nil || !bytes.Equal(got, want) {
		t.Errorf("gzip: %v: %s", err, got)
	}
	standard, _ := d.address(t, d.reader.client, graph.CSV, graph.Zstandard)
	_, body = fetch(t, standard, http.StatusOK)
	unzstd, err := zstd.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(unzstd); err != nil || !bytes.Equal(got, want) {
		t.Errorf("zstd: %v: %s", err, got)
	}
	file, _ := d.address(t, d.reader.client, graph.Parquet, graph.Uncompressed)
	_, body = fetch(t, file, http.StatusOK)
	rows, err := parquet.Read[struct {
		Key        string            `parquet:"key"`
		OccurredAt time.Time         `parquet:"occurred_at"`
		Cost       int64             `parquet:"cost"`
		Reference  string            `parquet:"reference"`
		Tags       map[string]string `parquet:"tags"`
	}](bytes.NewReader(body), int64(len(body)))
	if err != nil || len(rows) != 20 {
		t.Fatalf("parquet: %v: %d rows", err, len(rows))
	}
	if r := rows[0]; r.Reference != `=1+"2",3` || r.Cost != 1_250_000 || !r.OccurredAt.Equal(d.from) || r.Tags["city"] != `Köln "Süd"` {
		t.Errorf("parquet: %+v", r)
	}
}

// TestDownloadIsOfNow: what decides is the moment at which the file is fetched, and whose address it is.
func TestDownloadIsOfNow(t *testing.T) {
	t.Parallel()
	d := newDownloads(t)
	address, _ := d.address(t, d.reader.client, graph.JSONLines, graph.Uncompressed)
	d.grant(t, d.reader.id, d.key, graph.GrantDisabled)
	if _, body := fetch(t, address, http.StatusOK); len(body) != 0 {
		t.Errorf("after the grant was revoked: %s", body)
	}
	d.grant(t, d.reader.id, d.hidden, graph.GrantEnabled)
	if _, body := fetch(t, address, http.StatusOK); bytes.Count(body, []byte("\n")) != 20 || !bytes.Contains(body, []byte("Hidden")) {
		t.Errorf("after another was given: %s", body)
	}
	fetch(t, flip(address, len(address)-10), http.StatusNotFound)
	fetch(t, d.owner.url+"/usage/download", http.StatusNotFound)
	d.edit(t, `UPDATE users SET granted = '{}' WHERE account_id = $1 AND user_id = $2`, rowOf(d.reader.id))
	fetch(t, address, http.StatusNotFound)
	d.edit(t, `UPDATE users SET granted = '{VIEW_USAGE}' WHERE account_id = $1 AND user_id = $2`, rowOf(d.reader.id))
	fetch(t, address, http.StatusOK)
	d.disable(t, d.reader.id)
	fetch(t, address, http.StatusNotFound)
	d.edit(t, `UPDATE users SET status = 'ACTIVE' WHERE account_id = $1 AND user_id = $2`, rowOf(d.reader.id))
	d.edit(t, `UPDATE downloads SET expires_at = now() WHERE account_id = $1`)
	fetch(t, address, http.StatusNotFound)
	again, _ := d.address(t, d.reader.client, graph.JSONLines, graph.Uncompressed)
	d.reader.ask(t, `mutation { signOut { endedSessions } }`, nil, "signOut")
	fetch(t, again, http.StatusNotFound)
}

// TestDownloadGoesOn: after an interruption the rest comes, as of the moment of the beginning, whatever was sent or corrected since.
func TestDownloadGoesOn(t *testing.T) {
	t.Parallel()
	d := newDownloads(t)
	address, _ := d.address(t, d.owner.client, graph.CSV, graph.Uncompressed)
	header, whole := fetch(t, address, http.StatusOK)
	lines := slices.Collect(strings.Lines(string(whole)))
	correction := d.record(t, d.key, "corrected", d.from.Add(30*time.Hour))
	correction["replaces"] = "r30"
	d.send(t, d.record(t, d.key, "late", d.from.Add(35*time.Hour)), correction)
	for _, have := range []int{2, 21, 40, 41} {
		last, err := csv.NewReader(strings.NewReader(lines[have-1])).Read()
		if err != nil {
			t.Fatal(err)
		}
		rest := url.Values{"after": {last[4]}, "reference": {strings.TrimPrefix(last[12], "'")}, "moment": {header.Get("X-Grantwood-Moment")}}
		if _, body := fetch(t, address+"&"+rest.Encode(), http.StatusOK); string(body) != strings.Join(lines[have:], "") {
			t.Errorf("after %d lines came\n%s\nwant\n%s", have, body, strings.Join(lines[have:], ""))
		}
	}
	if _, body := fetch(t, address, http.StatusOK); !bytes.Contains(body, []byte("late")) || bytes.Contains(body, []byte(`"r30"`+",,")) {
		t.Errorf("from the beginning: %s", body)
	}
	fetch(t, address+"&after=yesterday", http.StatusBadRequest)
	fetch(t, address+"&after="+url.QueryEscape(d.from.Format(time.RFC3339)), http.StatusBadRequest)
	for _, moment := range []time.Time{time.Now().Add(time.Minute), time.Now().Add(-61 * time.Minute)} {
		fetch(t, address+"&"+url.Values{"after": {d.from.Format(time.RFC3339)}, "moment": {moment.Format(time.RFC3339)}}.Encode(), http.StatusBadRequest)
	}
}

// TestDownloadIsAudited once for each file, not for each part, without a word about keys; also when somebody asks for a part only.
func TestDownloadIsAudited(t *testing.T) {
	t.Parallel()
	d := newDownloads(t)
	address, _ := d.address(t, d.reader.client, graph.CSV, graph.Uncompressed)
	header, body := fetch(t, address, http.StatusOK)
	last, err := csv.NewReader(strings.NewReader(slices.Collect(strings.Lines(string(body)))[5])).Read()
	if err != nil {
		t.Fatal(err)
	}
	fetch(t, address+"&"+url.Values{"after": {last[4]}, "reference": {last[12]}, "moment": {header.Get("X-Grantwood-Moment")}}.Encode(), http.StatusOK)
	d.owner.expect(t, `{ account { auditEvents(filter: {actions: [USAGE_DOWNLOADED]}) { nodes { actorLabel summary key { id } changes { field after } } } } }`, nil,
		fmt.Sprintf(`{"data":{"account":{"auditEvents":{"nodes":[{"actorLabel":%q,"summary":"Downloaded usage.","key":null,"changes":[
			{"field":"from","after":%q},{"field":"to","after":%q},{"field":"format","after":"CSV"}]}]}}}}`, d.reader.display(), d.from.Format(time.RFC3339), d.to.Format(time.RFC3339)))
	another, _ := d.address(t, d.reader.client, graph.CSV, graph.Uncompressed)
	fetch(t, another+"&"+url.Values{"after": {"2000-01-01T00:00:00Z"}, "moment": {header.Get("X-Grantwood-Moment")}}.Encode(), http.StatusOK)
	events := d.owner.ask(t, `{ account { auditEvents(filter: {actions: [USAGE_DOWNLOADED]}) { nodes { id } } } }`, nil, "account.auditEvents.nodes").([]any)
	if len(events) != 2 {
		t.Errorf("two files are %d events", len(events))
	}
}

// TestUsageDownloadRefuses what cannot be, before any work.
func TestUsageDownloadRefuses(t *testing.T) {
	t.Parallel()
	d := newDownloads(t)
	for path, in := range map[string]map[string]any{
		"filter.from": {"to": d.to}, "filter.to": {"from": d.from, "to": d.from},
	} {
		d.reader.expect(t, toDownload, map[string]any{"f": "CSV", "c": "NONE", "in": in}, fmt.Sprintf(
			`{"data":{"account":{"usageDownload":null}},"errors":[{"path":["account","usageDownload"],"extensions":{"code":"BAD_USER_INPUT","argument":%s}}]}`, pathJSON(path)))
	}
	operator(t, graph.ScopeSupport).expect(t, `query($id: ID!, $in: UsageFilter!) { account(id: $id) { usageDownload(filter: $in) { url } } }`,
		map[string]any{"id": d.account, "in": map[string]any{"from": d.from, "to": d.to}},
		`{"data":{"account":{"usageDownload":null}},"errors":[{"path":["account","usageDownload"],"extensions":{"code":"FORBIDDEN"}}]}`)
}
