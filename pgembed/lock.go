package pgembed

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// lock says that this process owns a directory. The kernel drops it when the process dies, however it dies.
type lock struct{ file *os.File }

// lockPatience is how long a lock may be held by nobody alive: a killed process lets go a moment after it is
// gone, and a new owner writes its number a moment after it has the lock.
const lockPatience = time.Second

// acquire takes the lock of h, or returns a *LockedError that names who has it.
func acquire(h *home) (*lock, error) {
	f, err := h.open(lockFile, os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(5 * time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		pid := readPID(f)
		if errors.Is(err, syscall.EWOULDBLOCK) && !alive(pid) && time.Now().Before(deadline) {
			continue
		}
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &LockedError{Dir: h.dir, PID: pid}
		}
		return nil, fmt.Errorf("lock %s: %w", h.path(lockFile), err)
	}
	l := &lock{file: f}
	if err := l.sign(strconv.Itoa(os.Getpid()) + "\n"); err != nil {
		l.release()
		return nil, fmt.Errorf("write %s: %w", h.path(lockFile), err)
	}
	return l, nil
}

// sign writes who holds the lock.
func (l *lock) sign(text string) error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(text), 0)
	return err
}

// release unlocks before it closes: a program that is being started at this moment still has a copy of the file,
// and with it the lock.
func (l *lock) release() {
	_ = l.sign("")
	_ = syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN)
	l.file.Close()
}

// readPID is the process number that f holds, or 0.
func readPID(f io.ReaderAt) int {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0) // io.EOF is usual
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

// alive tells whether there is a process pid, whoever it belongs to.
func alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
