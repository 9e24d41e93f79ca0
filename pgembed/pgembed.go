// Package pgembed starts and owns a private PostgreSQL server.
//
// It needs two programs of an installed PostgreSQL, initdb and postgres, and keeps everything of one server in
// one directory. The server lives exactly as long as the process that started it: it stops with Stop, it shuts
// down when that process is killed, and an unexpected end is reported on Died. Clients reach it over a Unix
// socket in a directory that only its owner may enter; it opens no TCP port.
//
// PostgreSQL refuses to run as root, so a process that runs as root starts it as an ordinary user: the owner of
// the directory, else "postgres", else "nobody".
package pgembed

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// superuser is the first role of a new server, and the one that EnsureDatabase and EnsureRole work as. Who may enter the socket's directory may be this role.
const superuser = "grantwood"

// Options say where a server lives and how it runs. The zero value is a durable server in DefaultDir.
type Options struct {
	// DataDir is the directory that holds everything of the server: data, socket, lock and log. It is created
	// when missing. Empty means DefaultDir().
	DataDir string

	// Volatile trades durability for speed: fsync, synchronous_commit, full_page_writes and checksums are off.
	// A crash of the machine may then destroy the data. For tests only.
	Volatile bool

	// Settings are further server settings, by name. Those on which the safety of the data or of the socket
	// rests (fsync, listen_addresses and the like) are refused.
	Settings map[string]string

	// Logger is told of starts, stops and repairs. Nil discards them. The server's own log is in DataDir.
	Logger *slog.Logger
}

// ErrNotRunning is what Attach returns when no server runs in the directory.
var ErrNotRunning = errors.New("no server is running")

// LockedError is what Start returns when another process, or another server of this one, owns the directory.
type LockedError struct {
	Dir string // the data directory
	PID int    // the process that owns it; 0 when it could not be told
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return e.Dir + " is in use by another process"
	}
	return fmt.Sprintf("%s is in use by process %d", e.Dir, e.PID)
}

// DefaultDir is where a server lives when nothing else is said: /var/lib/grantwood for root, otherwise
// $XDG_DATA_HOME/grantwood or ~/.local/share/grantwood. It fails when the user has no home directory.
func DefaultDir() (string, error) {
	return defaultDir(os.Geteuid(), os.Getenv)
}

func defaultDir(uid int, getenv func(string) string) (string, error) {
	if uid == 0 {
		return "/var/lib/grantwood", nil
	}
	// The XDG rules say that a relative path is to be ignored.
	if dir := getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "grantwood"), nil
	}
	if dir := getenv("HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, ".local", "share", "grantwood"), nil
	}
	return "", errors.New("no directory for the database: neither XDG_DATA_HOME nor HOME names one")
}

// absolute turns the DataDir of Options into the path that everything else works with.
func absolute(dir string) (string, error) {
	if dir == "" {
		return DefaultDir()
	}
	// postmaster.pid holds the paths line by line.
	if strings.ContainsAny(dir, "\n\r") {
		return "", fmt.Errorf("data directory %q: a line break in its name is not supported", dir)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find data directory: %w", err)
	}
	return abs, nil
}
