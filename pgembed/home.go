package pgembed

import (
	"fmt"
	"os"
	"path/filepath"
)

// What is in a home.
const (
	clusterDir  = "data"         // what initdb makes
	newPrefix   = "data.new-"    // an initdb that has not finished
	runDir      = "run"          // the socket
	socketFile  = "socket"       // where the socket is, when not in run
	lockFile    = "lock"         // held by the process that owns the server
	journalFile = "postgres.log" // what the server says; postgres.log.1 is older
)

// home is the directory of one server, locked for this process.
type home struct {
	dir  string
	user account
	lock *lock

	// root is dir once more, for everything written: it does not follow a link that leads out of dir, and where
	// root runs the server, dir belongs to a user who could place one.
	root *os.Root
}

// openHome creates dir when missing and locks it. The error is a *LockedError when another process has it.
func openHome(dir string) (*home, error) {
	user, err := accountFor(dir, filepath.Join(dir, clusterDir))
	if err != nil {
		return nil, err
	}
	if err := makeDir(dir, user); err != nil {
		return nil, fmt.Errorf("create data directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	h := &home{dir: dir, user: user, root: root}
	if h.lock, err = acquire(h); err != nil {
		root.Close()
		return nil, err
	}
	return h, nil
}

// makeDir creates dir for the account, and its parents for everybody to pass. What exists stays as it is.
func makeDir(dir string, user account) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	err := os.Mkdir(dir, 0o700)
	if os.IsExist(err) {
		return nil
	}
	if err == nil && user.drop {
		err = os.Chown(dir, user.uid, user.gid)
	}
	return err
}

// path is where name is.
func (h *home) path(name string) string { return filepath.Join(h.dir, name) }

// mkdir makes a directory that only the account may enter.
func (h *home) mkdir(name string) error {
	if err := h.root.Mkdir(name, 0o700); err != nil {
		return err
	}
	return h.user.own(h.root, name)
}

// open opens a file that belongs to the account.
func (h *home) open(name string, flag int) (*os.File, error) {
	f, err := h.root.OpenFile(name, flag|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if h.user.drop {
		if err := f.Chown(h.user.uid, h.user.gid); err != nil {
			f.Close()
			return nil, err
		}
	}
	return f, nil
}

// close gives the directory back.
func (h *home) close() {
	h.lock.release()
	h.root.Close()
}
