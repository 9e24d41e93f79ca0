package pgembed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
)

// Server is a running PostgreSQL server.
type Server struct {
	socketDir string
	major     int

	// The rest is empty in a server that belongs to another process.

	home     *home
	log      *slog.Logger
	patience []step
	child    *child
	journal  *journal
	ended    chan struct{} // closed when the child has ended and nothing of it is left
	died     chan error
	stopping atomic.Bool
	stopOnce sync.Once
	stopErr  error
}

// watch cleans up after the end of the server, and reports it when nobody has asked for it.
func (s *Server) watch() {
	<-s.child.done
	unexpected := !s.stopping.Load()
	if s.child.err != nil {
		// A postmaster that ends in order has waited for its children; this one may have left some.
		if err := s.home.user.endProcesses(context.Background(), s.home.path(clusterDir), 0); err != nil {
			s.log.Error("a process of PostgreSQL is left", "dir", s.home.dir, "error", err)
		}
	}
	s.journal.drain()
	if unexpected {
		s.died <- s.epitaph()
	}
	close(s.ended)
}

// epitaph tells how the server ended and what it said last.
func (s *Server) epitaph() error {
	err := s.child.err
	if err == nil {
		err = errors.New("it shut down in order")
	}
	return fmt.Errorf("PostgreSQL has ended: %w; its log %s ends with:\n%s",
		err, s.home.path(journalFile), s.journal.lastLines())
}

// Died receives once, when the server ends without Stop. The error holds the end of the server's log. By then
// nothing of the server runs any more; Stop still gives the directory back. It never receives in a server that
// Attach has returned.
func (s *Server) Died() <-chan error { return s.died }

// Version is the major version of PostgreSQL, such as 15.
func (s *Server) Version() int { return s.major }

// Stop shuts the server down and gives its directory back. It takes as long as writing the changed pages takes;
// after 20 seconds the server is ended without that. The error tells when it did not shut down in order: nothing
// acknowledged is lost by that, but the next start takes longer. Further calls return the same. A server that
// Attach has returned is not ours to stop, and goes on.
func (s *Server) Stop() error {
	if s.child == nil {
		return nil
	}
	s.stopOnce.Do(func() { s.stopErr = s.stop() })
	return s.stopErr
}

func (s *Server) stop() error {
	s.stopping.Store(true)
	alreadyGone := s.child.ended()
	last, err := end(context.Background(), s.patience, s.child.signal, s.child.ended)
	switch {
	case err != nil:
		// The lock stays ours: the files are still in use.
		return fmt.Errorf("stop PostgreSQL in %s: %w", s.home.dir, err)
	case alreadyGone:
	case last != syscall.SIGINT:
		err = fmt.Errorf("stop PostgreSQL in %s: it did not shut down in time, and was ended by signal %d", s.home.dir, last)
	case s.child.err != nil:
		err = fmt.Errorf("stop PostgreSQL in %s: %w", s.home.dir, s.child.err)
	}
	<-s.ended
	s.journal.close()
	s.home.sweepSocket()
	s.home.close()
	s.log.Info("PostgreSQL has stopped", "dir", s.home.dir)
	return err
}
