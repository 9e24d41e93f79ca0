package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"grantwood/db"
)

// drainTimeout is how long running requests may take to finish when the server stops.
const drainTimeout = 30 * time.Second

type serveCommand struct {
	databaseSettings
	httpSettings
	smtpSettings
	retentionSettings
	logSettings
}

// Validate refuses settings that cannot work.
func (c serveCommand) Validate() error {
	return errors.Join(c.databaseSettings.check(), c.httpSettings.check(), c.smtpSettings.check(), c.retentionSettings.check())
}

// Run serves until it is told to stop. The database is brought to the newest version first.
func (c serveCommand) Run(ctx context.Context) (err error) {
	log := c.logger()
	d, err := c.open(ctx, log, false, db.Config{SendMail: c.smtpSettings.on(), UsageMonths: c.UsageRetention})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := migrate(ctx, d, log); err != nil {
		return err
	}
	l, err := listen(c.Addr)
	if err != nil {
		return err
	}
	log.Info("listening", "address", c.publicURL(l.Addr()), "version", version)
	return serve(ctx, l, d, c.httpSettings, log, c.jobs(ctx, d, log)...)
}

// jobs are what the server does beside answering requests.
func (c serveCommand) jobs(ctx context.Context, d *database, log *slog.Logger) []job {
	if can, err := d.CanRewriteTrail(ctx); err == nil && can {
		log.Warn(openTrail)
	}
	list := []job{forget(d.DB, c.retentionSettings, log), keepUsage(d.DB, log)}
	if c.smtpSettings.on() {
		log.Info("sending mail", "server", c.transport().String())
		list = append(list, sendMail(d.DB, c.transport(), log))
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

func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s (%w): choose another address with --addr or GRANTWOOD_ADDR", addr, err)
	}
	return l, nil
}

// serve answers requests until ctx ends, then finishes those that are running, and the jobs. An end of the private database
// server is an error.
func serve(ctx context.Context, l net.Listener, d *database, s httpSettings, log *slog.Logger, jobs ...job) error {
	srv, err := s.server(d, l.Addr(), log)
	if err != nil {
		return err
	}
	defer runJobs(ctx, jobs)()
	h := &http.Server{
		Handler: srv,
		// Times against slow callers; none for writing, which would cut long answers.
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	h.RegisterOnShutdown(srv.Drain)
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case err := <-d.died():
		_ = h.Close() // nothing can be answered any more
		return fmt.Errorf("the private database ended: %w", err)
	case <-ctx.Done():
	}
	log.Info("stopping: running requests finish first")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := h.Shutdown(drain); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	srv.WaitForSockets(drain) // Shutdown knows nothing of them
	return nil
}
