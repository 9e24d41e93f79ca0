package pgembed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Start starts the server of a directory and returns when it answers; it makes the database files first where
// there are none. It waits for recovery as long as ctx allows, and cleans up when ctx ends first; afterwards ctx
// has no meaning for the server. Start refuses data of another major version without changing anything.
// The error is a *LockedError when another process owns the directory.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := absolute(o.DataDir)
	if err != nil {
		return nil, err
	}
	programs, err := programsFor(filepath.Join(dir, clusterDir))
	if err != nil {
		return nil, err
	}
	h, err := openHome(dir)
	if err != nil {
		return nil, err
	}
	s := &Server{
		major: programs.Major, home: h, log: o.Logger, patience: patience,
		ended: make(chan struct{}), died: make(chan error, 1),
	}
	if err := s.start(ctx, programs, o); err != nil {
		return nil, fmt.Errorf("start PostgreSQL in %s: %w", dir, err)
	}
	return s, nil
}

// programsFor finds the programs that can read the cluster in data.
func programsFor(data string) (Programs, error) {
	major, err := majorOf(data)
	if err != nil {
		return Programs{}, err
	}
	programs, err := finder{getenv: os.Getenv}.find(major)
	if err != nil {
		return Programs{}, err
	}
	if major != 0 && major != programs.Major {
		return Programs{}, mismatch(data, major, programs)
	}
	return programs, nil
}

// start does the work of Start in a home of our own, and gives the home back when it fails.
func (s *Server) start(ctx context.Context, p Programs, o Options) error {
	began := time.Now()
	if err := s.prepare(ctx, p, o); err != nil {
		s.home.sweepSocket()
		s.home.close()
		return err
	}
	if err := s.launch(p, o); err != nil {
		s.home.sweepSocket()
		s.home.close()
		return err
	}
	go s.watch()
	if err := s.awaitReady(ctx); err != nil {
		return errors.Join(err, s.Stop())
	}
	s.log.Info("PostgreSQL is ready", "dir", s.home.dir, "version", p.Version, "user", s.home.user.String(),
		"took", time.Since(began).Round(time.Millisecond))
	return nil
}

// prepare leaves a whole cluster in which nobody works.
func (s *Server) prepare(ctx context.Context, p Programs, o Options) error {
	if err := s.home.settle(ctx, s.log); err != nil {
		return err
	}
	if err := s.home.ensureCluster(ctx, p, o.Volatile); err != nil {
		return err
	}
	var err error
	s.socketDir, err = s.home.prepareSocket()
	return err
}

func (s *Server) launch(p Programs, o Options) error {
	data := s.home.path(clusterDir)
	args, err := arguments(data, s.socketDir, p.Major, o)
	if err != nil {
		return err
	}
	journal, writer, err := newJournal(s.home)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	cmd := exec.Command(p.path("postgres"), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = data, writer, writer
	child, err := launch(cmd, s.home.user)
	writer.Close()
	if err != nil {
		journal.close()
		return err
	}
	s.child, s.journal = child, journal
	return nil
}

// awaitReady returns when the server takes connections. What the file says counts only once it is from our
// child: before that, it may be what a killed server has left.
func (s *Server) awaitReady(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		pm, err := readPostmaster(s.home.path(clusterDir))
		if err == nil && pm.ready && pm.pid == s.child.process.Pid {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.ended:
			return s.epitaph()
		case <-tick.C:
		}
	}
}
