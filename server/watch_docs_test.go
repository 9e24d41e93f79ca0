package server_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/goccy/go-yaml"

	"grantwood/server"
)

// exposed are the labels of all metrics that a server has which does everything; the sums, counts and buckets of histograms included.
func exposed(t *testing.T) map[string][]string {
	t.Helper()
	w, m := newWorld(t), server.NewMetrics("test")
	a := watched(t, func(c *server.Config) { c.Metrics, c.SlowOperation = m, time.Nanosecond })
	client{a.api, w.owner.token}.post(t, `query Named { account { name } }`, nil)
	client{api: a.api}.post(t, `{ account { name } }`, nil)
	raw(t, a.api, http.MethodGet, "/healthz", "")
	m.Task(server.Task{Name: "audit_retention", Every: time.Hour}, nil)
	labels := map[string][]string{}
	series := regexp.MustCompile(`^(\w+)(?:\{(.*)\})?$`)
	name := regexp.MustCompile(`(\w+)="`)
	for line := range a.metrics(t) {
		parts := series.FindStringSubmatch(line)
		if parts == nil {
			t.Fatalf("no series: %s", line)
		}
		labels[parts[1]] = []string{"instance", "job"} // which Prometheus adds
		for _, l := range name.FindAllStringSubmatch(parts[2], -1) {
			labels[parts[1]] = append(labels[parts[1]], l[1])
		}
	}
	return labels
}

// check expects that a query asks for what there is, and takes rates of counters only.
func check(t *testing.T, exposed map[string][]string, query string) {
	t.Helper()
	query = strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(query)
	e, err := metricsql.Parse(query)
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return
	}
	asked := 0
	metricsql.VisitAll(e, func(e metricsql.Expr) {
		switch e := e.(type) {
		case *metricsql.MetricExpr:
			asked++
			for _, f := range e.LabelFilterss[0] {
				name := e.LabelFilterss[0][0].Value
				labels, there := exposed[name]
				if name == "up" { // Prometheus' own
					labels, there = []string{"job", "instance"}, true
				}
				if !there || f.Label != "__name__" && !slices.Contains(labels, f.Label) {
					t.Errorf("%s: there is no %s with %s", query, name, f.Label)
				}
			}
		case *metricsql.FuncExpr:
			if e.Name == "rate" || e.Name == "increase" {
				over := string(e.Args[0].AppendString(nil))
				if metric, _, _ := strings.Cut(over, "{"); !regexp.MustCompile(`_(total|bucket|sum|count)(\[.*)?$`).MatchString(metric) {
					t.Errorf("%s: a rate of %s, which is no counter", query, over)
				}
			}
		case *metricsql.AggrFuncExpr:
			for _, label := range e.Modifier.Args {
				if label != "instance" && !slices.ContainsFunc(slices.Collect(maps.Values(exposed)), func(l []string) bool { return slices.Contains(l, label) }) {
					t.Errorf("%s: no metric has the label %s", query, label)
				}
			}
		}
	})
	if asked == 0 {
		t.Errorf("%s asks for no metric", query)
	}
}

func manualFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestDashboardAsksForWhatIsThere: every query of the dashboard names metrics and labels that the server exposes, and every metric of the
// server's own is on it.
func TestDashboardAsksForWhatIsThere(t *testing.T) {
	t.Parallel()
	there := exposed(t)
	var dashboard struct {
		Panels []struct {
			Title, Description, Type string
			Targets                  []struct{ Expr string }
		}
	}
	text := manualFile(t, "grafana/grantwood.json")
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	queries := 0
	for _, panel := range dashboard.Panels {
		if panel.Type != "row" && (panel.Title == "" || panel.Description == "" || len(panel.Targets) == 0) {
			t.Errorf("the panel %q lacks something", panel.Title)
		}
		for _, target := range panel.Targets {
			check(t, there, target.Expr)
			queries++
		}
	}
	if queries < 40 {
		t.Errorf("only %d queries", queries)
	}
	for name := range there {
		name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "grantwood_") && name != "grantwood_task_interval_seconds" && !strings.Contains(string(text), name) {
			t.Errorf("%s is on no panel", name)
		}
	}
}

// TestAlertsAskForWhatIsThere: every rule names metrics and labels that the server exposes, and is explained.
func TestAlertsAskForWhatIsThere(t *testing.T) {
	t.Parallel()
	there, manual := exposed(t), string(manualFile(t, "operations.md"))
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(manualFile(t, "prometheus/alerts.yml"), &rules); err != nil {
		t.Fatal(err)
	}
	if len(rules.Groups) != 1 || len(rules.Groups[0].Rules) < 15 {
		t.Fatalf("rules %v", rules)
	}
	for _, r := range rules.Groups[0].Rules {
		check(t, there, r.Expr)
		if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || !strings.Contains(manual, "`"+r.Alert+"`") {
			t.Errorf("%s lacks something", r.Alert)
		}
	}
}

// TestMetricsAreDescribed: the manual names all metrics of the server's own with their labels, and no others.
func TestMetricsAreDescribed(t *testing.T) {
	t.Parallel()
	there, manual := exposed(t), string(manualFile(t, "operations.md"))
	described := map[string]bool{}
	for line := range strings.Lines(manual) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.Contains(cells[1], "grantwood_") {
			continue
		}
		for _, name := range regexp.MustCompile(`grantwood_\w+`).FindAllString(cells[1], -1) {
			described[name] = true
			labels := slices.Concat(there[name], there[name+"_count"])
			if len(labels) == 0 {
				t.Errorf("there is no metric %s", name)
			}
			for _, label := range labels {
				if label != "instance" && label != "job" && !strings.Contains(cells[2], "`"+label+"`") {
					t.Errorf("%s has the label %s", name, label)
				}
			}
		}
	}
	for name := range there {
		name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "grantwood_") && !described[name] {
			t.Errorf("%s is not described", name)
		}
	}
}
