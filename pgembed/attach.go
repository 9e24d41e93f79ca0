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
		s, err := attach(dir, data)
		if err == nil {
			return s, nil
		}
		starting := errors.Is(err, ErrNotRunning) && held(filepath.Join(dir, lockFile))
		if !starting || time.Now().After(deadline) {
			return nil, fmt.Errorf("look for the server in %s: %w", dir, err)
		}
	}
}

// attach is one attempt of Attach. The error is ErrNotRunning when there is no server yet, or none that is ready.
func attach(dir, data string) (*Server, error) {
	pm, err := readPostmaster(data)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !pm.ready {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, err
	}
	user, err := accountFor(dir, data)
	if err != nil {
		return nil, err
	}
	pids, err := user.processesIn(data)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(pids, pm.pid) {
		return nil, ErrNotRunning
	}
	major, err := majorOf(data)
	if err != nil {
		return nil, err
	}
	return &Server{socketDir: pm.socketDir, major: major}, nil
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
