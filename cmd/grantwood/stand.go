package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"

	"grantwood/server"
)

// watching is what is noted of the program while it runs.
type watching struct {
	metrics *server.Metrics
	tracing trace.TracerProvider // nil when nothing is traced
	end     func()               // sends off the last spans
}

func watch(ctx context.Context, log *slog.Logger) (watching, error) {
	tracing, end, err := startTracing(ctx, log)
	return watching{server.NewMetrics(version), tracing, end}, err
}

// listeners are where the program listens: for callers, and for those who watch it, who may be left out.
type listeners struct{ main, admin net.Listener }

func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s (%w): choose another address with --addr or GRANTWOOD_ADDR", addr, err)
	}
	return l, nil
}

// listenAdmin listens for those who watch; nil when that is off.
func listenAdmin(addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s for metrics and health (%w): choose another address with --admin-addr or GRANTWOOD_ADMIN_ADDR, or an empty one", addr, err)
	}
	return l, nil
}

// listenBoth listens for callers, and for those who watch.
func (s httpSettings) listenBoth() (l listeners, err error) {
	if l.main, err = listen(s.Addr); err != nil {
		return l, err
	}
	if l.admin, err = listenAdmin(s.AdminAddr); err != nil {
		return l, errors.Join(err, l.main.Close())
	}
	return l, nil
}

// close ends listening; what serves a listener has closed it already.
func (l listeners) close() {
	_ = l.main.Close()
	if l.admin != nil {
		_ = l.admin.Close()
	}
}

// newHTTPServer gives a server that no slow caller holds up. There is no time for writing, which would cut long answers, and none for
// reading: each body has its own (server.Server), which ends with it.
func newHTTPServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// serveAdmin serves those who watch until ctx ends. It goes on while requests finish: that the server is not ready is told here, too.
func serveAdmin(ctx context.Context, l net.Listener, srv *server.Server, log *slog.Logger) {
	if l == nil {
		return
	}
	log.Info("metrics, health and profiles", "address", l.Addr().String())
	h := newHTTPServer(srv.Admin(), log)
	defer context.AfterFunc(ctx, func() { _ = h.Close() })()
	if err := h.Serve(l); ctx.Err() == nil {
		log.Error("metrics and health are not served any more", "error", err)
	}
}

// settle is how long the server answers on after it has said that it stops, at least: who is in the middle of a series of requests hears
// with the next answer that the connection ends, instead of losing a request that is on the way.
const settle = 250 * time.Millisecond

// stopServing finishes running requests and ends. It is ready no more at once, and stops to listen when load balancers had their time to
// notice.
func stopServing(ctx context.Context, h *http.Server, srv *server.Server, delay time.Duration, log *slog.Logger) error {
	log.Info("stopping: running requests finish first", "delay", delay.String())
	srv.Retire()
	time.Sleep(max(delay, settle))
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := h.Shutdown(drain); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	srv.WaitForSockets(drain) // Shutdown knows nothing of them
	return nil
}
