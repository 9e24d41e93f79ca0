package server_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"grantwood/db/dbtest"
	"grantwood/graph"
	"grantwood/server"
)

// watchedAPI is a server of the test's own, with the listener for those who watch.
type watchedAPI struct {
	api
	admin string // address of the second listener
}

// watched serves the shared database with other settings than the other tests.
func watched(t testing.TB, change func(*server.Config)) watchedAPI {
	t.Helper()
	c := server.Config{DB: dbtest.Open(t), PublicURL: "http://grantwood.example", Version: "test", Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	srv, err := server.New(c)
	if err != nil {
		t.Fatal(err)
	}
	h, admin := httptest.NewServer(srv), httptest.NewServer(srv.Admin())
	t.Cleanup(h.Close)
	t.Cleanup(admin.Close)
	return watchedAPI{api{url: h.URL, srv: srv, db: c.DB}, admin.URL}
}

// page gets a page of the second listener.
func (a watchedAPI) page(t testing.TB, path string, status int) string {
	t.Helper()
	got := raw(t, api{url: a.admin}, http.MethodGet, path, "")
	if got.Status != status {
		t.Fatalf("%s: %d %s", path, got.Status, got.Body)
	}
	return string(got.Body)
}

// metrics reads all metrics: values by name with labels, as they are written.
func (a watchedAPI) metrics(t testing.TB) map[string]float64 {
	t.Helper()
	values := map[string]float64{}
	for lines := bufio.NewScanner(strings.NewReader(a.page(t, "/metrics", http.StatusOK))); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		blank := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[blank+1:], 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		values[line[:blank]] = value
	}
	return values
}

// counts compares some metrics with what they must be.
func (a watchedAPI) counts(t testing.TB, want map[string]float64) {
	t.Helper()
	got := a.metrics(t)
	for name, value := range want {
		if v, there := got[name]; !there || v != value {
			t.Errorf("%s is %v (there: %v), want %v", name, v, there, value)
		}
	}
}

// TestMetricsOfOperations: what ran well has its name; what failed or was refused has its code, and a name only if one like it ran well.
func TestMetricsOfOperations(t *testing.T) {
	t.Parallel()
	w, a := newWorld(t), watched(t, nil)
	owner := client{a.api, w.owner.token}
	for range 3 {
		owner.post(t, `query Good { account { name } }`, nil)
	}
	owner.post(t, `query Good { account { name } serverInfo { version } again: account { nothing } }`, nil)
	owner.post(t, `query Good { account { name } x: apiKeyOf: nothing }`, nil)
	owner.post(t, `query Failing { account { apiKeys(first: 101) { totalCount } } }`, nil)
	owner.post(t, `{ viewer { kind } }`, nil)
	owner.post(t, `mutation Denied { createAccount(input: {name: "A", currency: "EUR", primaryEmail: "a@b.example"}) { userErrors { code } } }`, nil)
	client{api: a.api}.post(t, `query Good { viewer { kind } }`, nil)
	a.counts(t, map[string]float64{
		`grantwood_operations_total{code="",operation="Good",outcome="ok",type="query"}`:                                3,
		`grantwood_operations_total{code="UNAUTHENTICATED",operation="Good",outcome="error",type="query"}`:              1,
		`grantwood_operations_total{code="GRAPHQL_VALIDATION_FAILED",operation="other",outcome="refused",type="other"}`: 1,
		`grantwood_operations_total{code="GRAPHQL_PARSE_FAILED",operation="other",outcome="refused",type="other"}`:      1,
		`grantwood_operations_total{code="BAD_USER_INPUT",operation="other",outcome="error",type="query"}`:              1,
		`grantwood_operations_total{code="",operation="anonymous",outcome="ok",type="query"}`:                           1,
		`grantwood_operations_total{code="FORBIDDEN",operation="other",outcome="error",type="mutation"}`:                1,
		`grantwood_operation_errors_total{code="FORBIDDEN"}`:                                                            1,
		`grantwood_operation_errors_total{code="UNAUTHENTICATED"}`:                                                      1,
		`grantwood_operation_duration_seconds_count{operation="Good",type="query"}`:                                     4,
		`grantwood_operation_cost_points_count`:                                                                         7,
		`grantwood_http_requests_total{code="200",method="POST",route="/graphql"}`:                                      9,
		`grantwood_http_request_duration_seconds_count{route="/graphql"}`:                                               9,
		`grantwood_http_requests_in_flight`:                                                                             0,
		`grantwood_ready`:                                                                                               1,
		`grantwood_visible_hits_total`:                                                                                  0,
		`grantwood_slow_operations_total`:                                                                               0,
		`grantwood_db_connections_max`:                                                                                  16,
		`grantwood_build_info{go_version="` + goVersion() + `",version="test"}`:                                         1,
	})
}

// TestNamesAreBounded: callers bring as many names as there is room for and no more, those without credentials only a part of them, and
// never one of an operation that fails.
func TestNamesAreBounded(t *testing.T) {
	t.Parallel()
	w, a := newWorld(t), watched(t, nil)
	named := func(c client, name string) { c.post(t, `query `+name+` { serverInfo { version } }`, nil) }
	distinct := func(prefix string) (n int) {
		for name := range a.metrics(t) {
			if strings.HasPrefix(name, `grantwood_operations_total{code="",operation="`+prefix) {
				n++
			}
		}
		return n
	}
	for i := range 70 {
		named(client{api: a.api}, fmt.Sprint("Nobody", i))
		client{api: a.api}.post(t, fmt.Sprint(`query Broken`, i, ` { viewer { kind } }`), nil)
	}
	if n := distinct("Nobody"); n != 50 {
		t.Errorf("nobody brought %d names", n)
	}
	owner := client{a.api, w.owner.token}
	named(owner, strings.Repeat("L", 81))
	for i := range 170 {
		named(owner, fmt.Sprint("Owner", i))
	}
	if n := distinct("Owner"); n != 150 {
		t.Errorf("the owner brought %d names", n)
	}
	if all, broken := distinct(""), distinct("Broken"); all != 201 || broken != 0 {
		t.Errorf("%d names in all, with the others; %d of what failed", all, broken)
	}
	named(owner, "Owner3")
	a.counts(t, map[string]float64{`grantwood_operations_total{code="",operation="Owner3",outcome="ok",type="query"}`: 2,
		`grantwood_operations_total{code="",operation="other",outcome="ok",type="query"}`: 20 + 20 + 1})
}

// TestMetricsOfUsage counts records by what became of them, lines that were none included, and what left by downloads.
func TestMetricsOfUsage(t *testing.T) {
	t.Parallel()
	d, a := newDownloads(t), watched(t, nil)
	meter := client{a.api, operator(t, graph.ScopeIngest).token}
	key := d.publicKey(t, d.key)
	before := a.metrics(t)
	for range 2 {
		meter.upload(t, "", "application/x-ndjson", strings.NewReader(usageLine(key, "m1")+usageLine(key, "m2")+"no record\n"+usageLine("nonsense", "m3")))
	}
	address, records := d.address(t, client{a.api, d.reader.token}, graph.CSV, graph.Uncompressed)
	fetch(t, address, http.StatusOK)
	parquet, more := d.address(t, client{a.api, d.reader.token}, graph.Parquet, graph.Uncompressed)
	fetch(t, parquet, http.StatusOK)
	after := a.metrics(t)
	// The database is shared with other tests, which add usage too.
	for outcome, least := range map[string]float64{"accepted": 2, "repeated": 2, "refused": 4} {
		name := fmt.Sprintf(`grantwood_usage_records_total{outcome=%q}`, outcome)
		if got := after[name] - before[name]; got < least {
			t.Errorf("%v records %s, want %v at least", got, outcome, least)
		}
	}
	if after["grantwood_usage_batches_total"] < before["grantwood_usage_batches_total"]+2 || after["grantwood_usage_batch_seconds_total"] <= before["grantwood_usage_batch_seconds_total"] {
		t.Errorf("batches: %v, seconds: %v", after["grantwood_usage_batches_total"], after["grantwood_usage_batch_seconds_total"])
	}
	a.counts(t, map[string]float64{`grantwood_downloads_total{outcome="done"}`: 2, `grantwood_downloads_total{outcome="broken"}`: 0,
		`grantwood_download_rows_total`: float64(records + more), `grantwood_downloads_running`: 0, `grantwood_downloads_max`: 3})
}

// TestMetricsOfOthers: what other parts count is read when somebody asks; what is not there has no metric.
func TestMetricsOfOthers(t *testing.T) {
	t.Parallel()
	m := server.NewMetrics("test")
	a := watched(t, func(c *server.Config) {
		c.Metrics = m
	})
	m.Task(server.Task{Name: "audit_retention", Every: time.Hour}, nil)
	m.Task(server.Task{Name: "usage_partitions", Every: time.Hour}, context.Canceled)
	m.Mail("sent")
	a.counts(t, map[string]float64{`grantwood_gate_waiting`: 0, `grantwood_gate_running`: 0, `grantwood_gate_refused_total`: 0,
		`grantwood_sockets`: 0, `grantwood_sockets_refused_total`: 0, `grantwood_task_interval_seconds{task="audit_retention"}`: 3600,
		`grantwood_task_failures_total{task="audit_retention"}`: 0, `grantwood_task_failures_total{task="usage_partitions"}`: 1,
		`grantwood_task_last_success_timestamp_seconds{task="usage_partitions"}`: 0, `grantwood_mails_total{outcome="sent"}`: 1})
	if at := a.metrics(t)[`grantwood_task_last_success_timestamp_seconds{task="audit_retention"}`]; time.Since(time.Unix(int64(at), 0)) > time.Minute {
		t.Errorf("the task went well at %v", at)
	}
	if values := watched(t, nil).metrics(t); len(values) == 0 || values["grantwood_sockets"] != 0 {
		t.Errorf("a server without sockets has some: %v", values)
	}
}

// TestAdminIsApart: metrics and profiles are on the second listener only, health on both, the API on the first only.
func TestAdminIsApart(t *testing.T) {
	t.Parallel()
	a := watched(t, nil)
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile", "/debug/vars"} {
		if got := raw(t, a.api, http.MethodGet, path, ""); got.Status != http.StatusNotFound {
			t.Errorf("%s is answered to callers: %d", path, got.Status)
		}
	}
	for _, path := range []string{"/", "/healthz", "/readyz", "/debug/pprof/", "/debug/pprof/heap?debug=1", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=1"} {
		a.page(t, path, http.StatusOK)
	}
	a.page(t, "/graphql", http.StatusNotFound)
	a.srv.Retire()
	for _, url := range []string{a.url, a.admin} {
		if got := raw(t, api{url: url}, http.MethodGet, "/readyz", ""); got.Status != http.StatusServiceUnavailable {
			t.Errorf("%s: a server that stops is ready: %d", url, got.Status)
		}
		if got := raw(t, api{url: url}, http.MethodGet, "/healthz", ""); got.Status != http.StatusOK {
			t.Errorf("%s: a server that stops is not alive: %d", url, got.Status)
		}
	}
	a.counts(t, map[string]float64{"grantwood_ready": 0})
	res, err := http.Get(a.url + "/healthz")
	if err != nil || !res.Close {
		t.Errorf("an answer of a server that stops leaves its connection open: %v", err)
	}
	_ = res.Body.Close()
}

// TestMetricsHoldNoSecret: nothing of people, accounts and their credentials is in a label, whatever they ask.
func TestMetricsHoldNoSecret(t *testing.T) {
	t.Parallel()
	w, a := newWorld(t), watched(t, nil)
	owner := client{a.api, w.owner.token}
	owner.post(t, `query($k: ID!) { node(id: $k) { id } }`, map[string]any{"k": w.master})
	client{api: a.api}.post(t, `mutation($e: String!, $p: String!) { signIn(input: {email: $e, password: $p}) { sessionToken } }`, map[string]any{"e": w.owner.email, "p": password})
	for _, path := range []string{"/" + w.owner.token, "/usage/download?token=" + w.owner.token, "/grants.csv?account=" + w.account} {
		raw(t, a.api, http.MethodGet, path, "", "Authorization", "Bearer "+w.owner.token)
	}
	raw(t, a.api, strings.ToUpper(w.owner.token[:20]), "/graphql", "")
	text := a.page(t, "/metrics", http.StatusOK)
	for _, secret := range []string{w.owner.token, w.owner.token[4:30], strings.ToUpper(w.owner.token[:20]), w.account, w.owner.id, w.master, w.owner.email, password, "127.0.0.1"} {
		if strings.Contains(text, secret) {
			t.Errorf("metrics hold %q", secret)
		}
	}
	a.counts(t, map[string]float64{`grantwood_http_requests_total{code="405",method="other",route="/graphql"}`: 1,
		`grantwood_http_requests_total{code="404",method="GET",route="other"}`: 1})
}

// TestSlowOperations: a slow operation is in the log by name and hash, without anything that is in it; a fast one is not.
func TestSlowOperations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var log logText
	a := watched(t, func(c *server.Config) {
		c.SlowOperation = time.Nanosecond
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	const document = `query Slow($k: ID!) { node(id: $k) { id } }`
	answer := client{a.api, w.owner.token}.post(t, document, map[string]any{"k": w.master})
	a.counts(t, map[string]float64{"grantwood_slow_operations_total": 1})
	line := log.line(t, "slow operation")
	for _, part := range []string{"level=WARN", "operation=Slow", "type=query", "sha256=" + sha256Of(document), " ms=", " cost=", "request=" + answer.Header.Get("X-Request-Id")} {
		if !strings.Contains(line, part) {
			t.Errorf("no %s in %q", part, line)
		}
	}
	if strings.Contains(log.String(), w.master) || strings.Contains(log.String(), "node(") || strings.Contains(log.String(), w.owner.token) {
		t.Errorf("the log holds what was asked: %s", log.String())
	}
}

// TestMetricsOfTheGate: an operation that is turned away is counted as refused, one that waited by how long.
func TestMetricsOfTheGate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := watched(t, func(c *server.Config) { c.Patience = 300 * time.Millisecond })
	owner := client{a.api, w.owner.token}
	leave := a.srv.FillGate()
	if got := owner.post(t, `query Away { account { name } }`, nil); !onlyErrors(t, got, "UNAVAILABLE") {
		t.Errorf("%s", got.Body)
	}
	time.AfterFunc(100*time.Millisecond, leave)
	owner.ask(t, `query Late { account { name } }`, nil, "account.name")
	a.counts(t, map[string]float64{`grantwood_gate_refused_total`: 1, `grantwood_gate_running`: 0, `grantwood_gate_waiting`: 0,
		`grantwood_operations_total{code="UNAVAILABLE",operation="other",outcome="refused",type="query"}`: 1,
		`grantwood_operations_total{code="",operation="Late",outcome="ok",type="query"}`:                  1,
		`grantwood_operation_wait_seconds_count`:                                                          1, `grantwood_operation_wait_seconds_bucket{le="0.05"}`: 0})
}
