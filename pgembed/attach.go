package pgembed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// attachPatience is how long Attach waits for a server that another process is starting.
const attachPatience = time.Minute

// Attach returns the server that another process of ours runs in a directory ("" means DefaultDir()), for a
// second program that needs the database meanwhile. It waits while that process is starting it. The error is
// ErrNotRunning when nobody runs one.
func Attach(dataDir string) (*Server, error) {
	dir, err := absolute(dataDir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, clusterDir)
	for deadline := time.Now().Add(attachPatience); ; time.Sleep(5 * time.Millisecond) {
		pm, err := readPostmaster(data)
		if err == nil && pm.ready && slices.Contains(processesIn(data), pm.pid) {
			major, err := majorOf(data)
			if err != nil {
				return nil, err
			}
			return &Server{socketDir: pm.socketDir, major: major}, nil
		}
		if errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("look for the server in %s: %w", dir, err)
		}
		if !held(filepath.Join(dir, lockFile)) || time.Now().After(deadline) {
			return nil, fmt.Errorf("%w in %s", ErrNotRunning, dir)
		}
	}
}

// held tells whether the process that has signed a lock lives. Trying to take the lock would answer better, and
// could make the owner's own attempt fail.
func held(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return alive(readPID(f))
}
