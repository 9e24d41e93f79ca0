package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"grantwood/db"
	"grantwood/server"
	"grantwood/web"
)

// drainTimeout is how long running requests may take to finish when the server stops.
const drainTimeout = 30 * time.Second

type serveCommand struct {
	databaseSettings
	httpSettings
	smtpSettings
	retentionSettings
	logSettings
	Playground bool `help:"Serve a page for people who explore, at /playground." env:"GRANTWOOD_PLAYGROUND"`
}

// Validate refuses settings that cannot work.
func (c serveCommand) Validate() error {
	return errors.Join(c.databaseSettings.check(), c.httpSettings.check(), c.smtpSettings.check(), c.retentionSettings.check())
}

// Run serves until it is told to stop. The database is brought to the newest version first.
func (c serveCommand) Run(ctx context.Context) (err error) {
	log := c.logger()
	w, err := watch(ctx, log)
	if err != nil {
		return err
	}
	defer w.end()
	d, err := c.open(ctx, log, false, db.Config{SendMail: c.smtpSettings.on(), UsageMonths: c.UsageRetention, Tracing: w.tracing})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := migrate(ctx, d, log); err != nil {
		return err
	}
	l, err := c.listenBoth()
	if err != nil {
		return err
	}
	var page http.Handler
	if c.Playground {
		if page, err = web.Playground(web.Settings{Version: version}); err != nil {
			return err
		}
	}
	log.Info("listening", "address", c.publicURL(l.main.Addr()), "version", version)
	return serve(ctx, l, d, c.httpSettings, w, page, log, c.jobs(ctx, d, w.metrics, log)...)
}

// jobs are what the server does beside answering requests.
func (c serveCommand) jobs(ctx context.Context, d *database, m *server.Metrics, log *slog.Logger) []job {
	if can, err := d.CanRewriteTrail(ctx); err == nil && can {
		log.Warn(openTrail)
	}
	list := []job{forget(d.DB, c.retentionSettings, m, log), keepUsage(d.DB, m, log), forgetLive(d.DB, m, log)}
	if c.smtpSettings.on() {
		log.Info("sending mail", "server", c.transport().String())
		list = append(list, sendMail(d.DB, c.transport(), m, log))
	}
	return list
}

// job is something that goes on beside the requests, until ctx ends.
type job func(ctx context.Context)

// runJobs starts jobs and gives what ends them and waits for them, as long as for requests.
func runJobs(ctx context.Context, jobs []job) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, j := range jobs {
		running.Go(func() { j(ctx) })
	}
	ended := make(chan struct{})
	go func() {
		running.Wait()
		close(ended)
	}()
	return func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(drainTimeout):
		}
	}
}

func migrate(ctx context.Context, d *database, log *slog.Logger) error {
	applied, err := d.Migrate(ctx)
	if err != nil {
		return fmt.Errorf("bring the database to the newest version: %w", err)
	}
	if applied > 0 {
		log.Info("database migrated", "migrations", applied)
	}
	return nil
}

// serve answers requests until ctx ends, then finishes those that are running, and the jobs. An end of the private database
// server is an error. The playground may be nil.
func serve(ctx context.Context, l listeners, d *database, s httpSettings, w watching, playground http.Handler, log *slog.Logger, jobs ...job) error {
	defer l.close()
	srv, err := s.server(d, l.main.Addr(), w, playground, log)
	if err != nil {
		return err
	}
	h := newHTTPServer(srv, log)
	start := func() error { return h.Serve(l.main) }
	if s.tls() {
		certificate, err := server.LoadCertificate(s.TLSCert, s.TLSKey, w.metrics, log)
		if err != nil {
			return fmt.Errorf("--tls-cert and --tls-key: %w", err)
		}
		h.TLSConfig = certificate.Config()
		start = func() error { return h.ServeTLS(l.main, "", "") }
		jobs = append(jobs, certificate.Watch)
	}
	defer runJobs(ctx, jobs)()
	watched, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	defer unwatch()
	go serveAdmin(watched, l.admin, srv, log)
	h.RegisterOnShutdown(srv.Drain)
	ended := make(chan error, 1)
	go func() { ended <- start() }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case err := <-d.died():
		_ = h.Close() // nothing can be answered any more
		return fmt.Errorf("the private database ended: %w", err)
	case <-ctx.Done():
	}
	return stopServing(ctx, h, srv, s.DrainDelay, log)
}
