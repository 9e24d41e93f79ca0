package server

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// scrapeTimeout is how long the database may take to answer what metrics are read from.
const scrapeTimeout = 2 * time.Second

// sourced makes metrics out of what is counted elsewhere.
type sourced struct {
	descriptions map[string]*prometheus.Desc
	collect      func(send func(name string, value float64, labels ...string))
}

// Describe names the metrics.
func (c *sourced) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descriptions {
		ch <- d
	}
}

// Collect reads the metrics. Names that end in _total are counters.
func (c *sourced) Collect(ch chan<- prometheus.Metric) {
	c.collect(func(name string, value float64, labels ...string) {
		kind := prometheus.GaugeValue
		if len(name) > 6 && name[len(name)-6:] == "_total" {
			kind = prometheus.CounterValue
		}
		ch <- prometheus.MustNewConstMetric(c.descriptions[name], kind, value, labels...)
	})
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(metricPrefix+"_"+name, help, labels, nil)
}

// watch lets the metrics read what the server and its database count.
func (s *Server) watch() {
	s.Metrics.registry.MustRegister(s.databaseMetrics(), s.usageMetrics(), s.flowMetrics(), s.askedMetrics())
}

// databaseMetrics tell of the pool, which every request needs.
func (s *Server) databaseMetrics() prometheus.Collector {
	return &sourced{map[string]*prometheus.Desc{
		"db_connections":        describe("db_connections", "Connections to the database that are in use or idle.", "state"),
		"db_connections_max":    describe("db_connections_max", "Most connections at a time."),
		"db_waits_total":        describe("db_waits_total", "How often somebody had to wait for a connection."),
		"db_wait_seconds_total": describe("db_wait_seconds_total", "How long all of them waited together."),
	}, func(send func(string, float64, ...string)) {
		stats := s.DB.Stats()
		send("db_connections", float64(stats.InUse), "in_use")
		send("db_connections", float64(stats.Idle), "idle")
		send("db_connections_max", float64(stats.MaxOpenConnections))
		send("db_waits_total", float64(stats.WaitCount))
		send("db_wait_seconds_total", stats.WaitDuration.Seconds())
	}}
}

// usageMetrics tell of what came in, what goes out, and of the promise.
func (s *Server) usageMetrics() prometheus.Collector {
	return &sourced{map[string]*prometheus.Desc{
		"visible_hits_total":        describe("visible_hits_total", "Hidden objects that @visible caught: each is a filter that a statement forgot. Must stay 0."),
		"downloads_running":         describe("downloads_running", "Downloads of usage that are being written."),
		"downloads_max":             describe("downloads_max", "Most downloads at a time."),
		"usage_records_total":       describe("usage_records_total", "Usage records that were sent in: accepted, repeated (there already) or refused.", "outcome"),
		"usage_batches_total":       describe("usage_batches_total", "Batches in which they were added."),
		"usage_batch_seconds_total": describe("usage_batch_seconds_total", "How long adding all batches took together."),
	}, func(send func(string, float64, ...string)) {
		send("visible_hits_total", float64(s.Hits()))
		send("downloads_running", float64(len(s.downloads)))
		send("downloads_max", float64(cap(s.downloads)))
		t := s.DB.UsageTally()
		send("usage_records_total", float64(t.Accepted), "accepted")
		send("usage_records_total", float64(t.Repeated), "repeated")
		send("usage_records_total", float64(t.Refused+s.unread.Load()), "refused")
		send("usage_batches_total", float64(t.Batches))
		send("usage_batch_seconds_total", t.Took.Seconds())
	}}
}

// flowMetrics tell what waits, runs and stays open.
func (s *Server) flowMetrics() prometheus.Collector {
	return &sourced{map[string]*prometheus.Desc{
		"gate_waiting":          describe("gate_waiting", "Operations that wait to be let in."),
		"gate_running":          describe("gate_running", "Operations that were let in and run."),
		"gate_refused_total":    describe("gate_refused_total", "Operations that were refused because too many waited, or waited too long."),
		"subscriptions":         describe("subscriptions", "Subscriptions that are open."),
		"outbox_lag_seconds":    describe("outbox_lag_seconds", "How long after its change the newest event was put before subscriptions."),
		"sockets":               describe("sockets", "WebSockets that are open."),
		"sockets_refused_total": describe("sockets_refused_total", "WebSockets that were not opened, because there were too many or the server stops."),
		"sockets_closed_total":  describe("sockets_closed_total", "WebSockets that were closed, by the code of the close; 1006 without one.", "code"),
	}, func(send func(string, float64, ...string)) {
		send("gate_waiting", float64(s.gate.waiting.Load()))
		send("gate_running", float64(s.gate.running.Load()))
		send("gate_refused_total", float64(s.gate.refused.Load()))
		send("subscriptions", float64(s.DB.Subscribers()))
		send("outbox_lag_seconds", s.DB.Lag().Seconds())
		sockets := s.Sockets()
		send("sockets", float64(sockets.Open))
		send("sockets_refused_total", float64(sockets.Refused))
		for code, n := range sockets.Closed {
			send("sockets_closed_total", float64(n), strconv.Itoa(code))
		}
	}}
}

// askedMetrics are those for which the database is asked. They are absent when it does not answer, which grantwood_ready tells.
// Readers at the same time wait for one another, so that they hold one connection.
func (s *Server) askedMetrics() prometheus.Collector {
	var one sync.Mutex
	return &sourced{map[string]*prometheus.Desc{
		"ready":                describe("ready", "1 when requests can be answered, 0 when the database does not answer or the server stops."),
		"mails_waiting":        describe("mails_waiting", "Mails in the queue, those that are to be tried again included."),
		"mails_oldest_seconds": describe("mails_oldest_seconds", "How long the oldest of them has been there; 0 when there is none."),
	}, func(send func(string, float64, ...string)) {
		one.Lock()
		defer one.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
		defer cancel()
		waiting, oldest, err := s.DB.MailQueue(ctx)
		if err != nil || s.retired.Load() {
			send("ready", 0)
		} else {
			send("ready", 1)
		}
		if err != nil {
			return
		}
		send("mails_waiting", float64(waiting))
		age := 0.0
		if oldest != nil {
			age = max(0, time.Since(*oldest).Seconds())
		}
		send("mails_oldest_seconds", age)
	}}
}
