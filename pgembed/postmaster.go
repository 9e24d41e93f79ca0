package pgembed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pidFile is written by the postmaster, the first process of a server. Its lines: 1 process number, 2 data
// directory, 3 start, 4 port, 5 socket directory, 6 address, 7 shared memory, 8 state. (PostgreSQL's source:
// src/include/utils/pidfile.h.)
const pidFile = "postmaster.pid"

// postmaster is what pidFile says; fields that it does not hold yet are zero.
type postmaster struct {
	pid       int
	socketDir string
	ready     bool
}

// readPostmaster reads the pidFile of the cluster in data. The error is fs.ErrNotExist when there is none.
func readPostmaster(data string) (postmaster, error) {
	content, err := os.ReadFile(filepath.Join(data, pidFile))
	if err != nil {
		return postmaster{}, err
	}
	lines := strings.Split(string(content), "\n")
	lines = append(lines, make([]string, 8)...)
	pid, _ := strconv.Atoi(strings.TrimSpace(lines[0]))
	return postmaster{pid: pid, socketDir: lines[4], ready: strings.TrimSpace(lines[7]) == "ready"}, nil
}

// step is one attempt to end a process.
type step struct {
	signal syscall.Signal
	wait   time.Duration
}

// patience ends a server: SIGINT shuts down in order, which writes everything to the data files; SIGQUIT drops
// everything and leaves recovery to the next start; SIGKILL helps against a process that hangs.
var patience = []step{{syscall.SIGINT, 20 * time.Second}, {syscall.SIGQUIT, 5 * time.Second}, {syscall.SIGKILL, 5 * time.Second}}

// end takes steps until gone reports true, and returns the last signal sent. The error is that of ctx, or tells
// that the last step did not help.
func end(ctx context.Context, steps []step, send func(syscall.Signal), gone func() bool) (last syscall.Signal, err error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, s := range steps {
		if gone() {
			return last, nil
		}
		last = s.signal
		send(s.signal)
		for deadline := time.Now().Add(s.wait); time.Now().Before(deadline); {
			if gone() {
				return last, nil
			}
			select {
			case <-ctx.Done():
				return last, context.Cause(ctx)
			case <-tick.C:
			}
		}
	}
	return last, errors.New("it does not end, not even by SIGKILL")
}

// settle leaves no process of an earlier server in the cluster, so that a new one may start. Such a process is
// there when our program was killed and its server is still shutting down, or when the postmaster was killed and
// a statement still runs.
func (h *home) settle(ctx context.Context, log *slog.Logger) error {
	data := h.path(clusterDir)
	pm, err := readPostmaster(data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", pidFile, err)
	}
	pids, err := h.user.processesIn(data)
	if err != nil {
		return fmt.Errorf("look for an earlier PostgreSQL: %w", err)
	}
	if len(pids) > 0 {
		log.Warn("ending what is left of an earlier PostgreSQL", "dir", h.dir, "processes", pids)
		if err := h.user.endProcesses(ctx, data, pm.pid); err != nil {
			return fmt.Errorf("end an earlier PostgreSQL: %w", err)
		}
	}
	// A dead number is no obstacle to PostgreSQL. One that is in use again is, and so is an empty file: only we
	// know that nobody works here.
	if pm.pid <= 0 || alive(pm.pid) {
		err := h.root.Remove(filepath.Join(clusterDir, pidFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove stale %s: %w", pidFile, err)
		}
	}
	return nil
}

// withoutLeader is the patience with processes that have lost their postmaster: to them, SIGINT means something else.
var withoutLeader = []step{{syscall.SIGQUIT, time.Second}, {syscall.SIGKILL, 5 * time.Second}}

// endProcesses ends every server process in dir. Where the process leader is among them, it does so in order;
// without it the others have to go at once, and lose nothing that was acknowledged.
func (a account) endProcesses(ctx context.Context, dir string, leader int) error {
	pids, err := a.processesIn(dir)
	if err != nil {
		return err
	}
	steps := withoutLeader
	if slices.Contains(pids, leader) {
		steps = patience
	}
	send := func(sig syscall.Signal) {
		if sig != syscall.SIGKILL && slices.Contains(pids, leader) {
			_ = syscall.Kill(leader, sig)
			return
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, sig)
		}
	}
	gone := func() bool {
		pids, err = a.processesIn(dir)
		return err == nil && len(pids) == 0
	}
	_, endErr := end(ctx, steps, send, gone)
	return errors.Join(endErr, err)
}
