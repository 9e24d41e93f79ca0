package server

import (
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metricPrefix is what the names of all metrics of the program's own begin with.
const metricPrefix = "grantwood"

// Buckets of histograms: seconds from a read of one row to the longest that an operation may take, and points of cost up to what is
// refused when nothing is set.
var (
	secondBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	costBuckets   = []float64{1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, DefaultMaxCost}
)

// Metrics counts what a server does, in the form of Prometheus. No label ever holds a token, an ID, an address or anything else of a
// person or an account; the only text of callers in them is the name of an operation, and names bounds these.
type Metrics struct {
	registry *prometheus.Registry

	requests        *prometheus.CounterVec
	requestSeconds  *prometheus.HistogramVec
	requestsRunning prometheus.Gauge

	names            names
	operations       *prometheus.CounterVec
	operationSeconds *prometheus.HistogramVec
	operationCost    prometheus.Histogram
	operationWait    prometheus.Histogram
	operationErrors  *prometheus.CounterVec
	slowOperations   prometheus.Counter
	events           prometheus.Counter

	downloads    *prometheus.CounterVec
	downloadRows prometheus.Counter
	mails        *prometheus.CounterVec

	taskSuccess  *prometheus.GaugeVec
	taskInterval *prometheus.GaugeVec
	taskFailures *prometheus.CounterVec

	certificateEnd      prometheus.Gauge
	certificateFailures prometheus.Counter
}

// NewMetrics makes the metrics of one server. The version is that of the program.
func NewMetrics(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(),
		requests:        counters("http_requests_total", "HTTP requests by route, method and status.", "route", "method", "code"),
		requestSeconds:  histograms("http_request_duration_seconds", "Time from the head of a request to the end of its answer, streams included.", secondBuckets, "route"),
		requestsRunning: gauge("http_requests_in_flight", "HTTP requests that are being answered, open streams included."),
		operations: counters("operations_total", "GraphQL operations by name, type and outcome: ok, error (an error is in the answer) or refused (not run); "+
			"the code is that of the gravest error.", "operation", "type", "outcome", "code"),
		operationSeconds: histograms("operation_duration_seconds", "Time that queries and mutations run, without reading and validating.", secondBuckets, "operation", "type"),
		operationCost:    histogram("operation_cost_points", "Cost of operations that ran, as @cost declares it.", costBuckets),
		operationWait:    histogram("operation_wait_seconds", "Time that operations waited at the gate.", secondBuckets),
		operationErrors:  counters("operation_errors_total", "Errors in the answers of operations by code: several of one answer count each.", "code"),
		slowOperations:   counter("slow_operations_total", "Operations that ran longer than --slow-operation; the log names them."),
		events:           counter("subscription_events_total", "Answers that subscriptions sent."),
		downloads:        counters("downloads_total", "Downloads of usage by outcome: done, refused or broken.", "outcome"),
		downloadRows:     counter("download_rows_total", "Usage records written to downloads."),
		mails:            counters("mails_total", "Tries to send mail by outcome: sent, put_off or given_up.", "outcome"),
		taskSuccess:      gauges("task_last_success_timestamp_seconds", "When something that is done regularly last went well, in seconds since 1970.", "task"),
		taskInterval:     gauges("task_interval_seconds", "How often it is done.", "task"),
		taskFailures:     counters("task_failures_total", "How often it failed.", "task"),
		certificateEnd:   gauge("certificate_expiry_timestamp_seconds", "When the TLS certificate in use expires, in seconds since 1970; 0 without TLS."),
		certificateFailures: counter("certificate_reload_failures_total",
			"New certificates that could not be used; the one before stays in use."),
	}
	m.registry.MustRegister(m.requests, m.requestSeconds, m.requestsRunning, m.operations, m.operationSeconds, m.operationCost, m.operationWait,
		m.operationErrors, m.slowOperations, m.events, m.downloads, m.downloadRows, m.mails, m.taskSuccess, m.taskInterval, m.taskFailures,
		m.certificateEnd, m.certificateFailures, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	build := gauges("build_info", "1, with the version of the program and of Go as labels.", "version", "go_version")
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(build)
	for _, outcome := range []string{downloadDone, downloadRefused, downloadBroken} {
		m.downloads.WithLabelValues(outcome)
	}
	for _, outcome := range mailOutcomes {
		m.mails.WithLabelValues(outcome)
	}
	return m
}

// handler answers with all metrics. One that cannot be read does not hide the others.
func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, Registry: m.registry})
}

// Outcomes of downloads.
const (
	downloadDone    = "done"
	downloadRefused = "refused"
	downloadBroken  = "broken"
)

// mailOutcomes are what package mail says of a try.
var mailOutcomes = []string{"sent", "put_off", "given_up"}

// Mail counts a try to send a mail, by its outcome: one of those that package mail names.
func (m *Metrics) Mail(outcome string) { m.mails.WithLabelValues(outcome).Inc() }

// Task names something that is done regularly. Its name becomes a label.
type Task struct {
	Name  string
	Every time.Duration
}

// Task counts that something that is done regularly went well, or not when there is an error.
func (m *Metrics) Task(t Task, err error) {
	m.taskInterval.WithLabelValues(t.Name).Set(t.Every.Seconds())
	failures, success := m.taskFailures.WithLabelValues(t.Name), m.taskSuccess.WithLabelValues(t.Name)
	if err != nil {
		failures.Inc()
		return
	}
	success.SetToCurrentTime()
}

// request counts an answered HTTP request. The route is a pattern of the server's, empty when none fits; methods that no route has
// count as one.
func (m *Metrics) request(route, method string, status int, took time.Duration) {
	if route == "" {
		route = otherLabel
	}
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodOptions:
	default:
		method = otherLabel
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.requestSeconds.WithLabelValues(route).Observe(took.Seconds())
}

// certificate notes when the certificate in use expires.
func (m *Metrics) certificate(end time.Time) { m.certificateEnd.Set(float64(end.Unix())) }

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: metricPrefix, Name: name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: metricPrefix, Name: name, Help: help}, labels)
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: metricPrefix, Name: name, Help: help})
}

func gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: metricPrefix, Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: metricPrefix, Name: name, Help: help, Buckets: buckets})
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: metricPrefix, Name: name, Help: help, Buckets: buckets}, labels)
}
