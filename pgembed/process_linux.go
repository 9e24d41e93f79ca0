package pgembed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// attributes make a program of the server die with us. SIGINT makes PostgreSQL shut down in order and initdb
// remove what it has begun. In a process group of its own, it does not get the Ctrl-C that is meant for us: we
// decide when it stops.
func attributes(c *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: c, Setpgid: true, Pdeathsig: syscall.SIGINT}
}

// processesIn lists the PostgreSQL processes of the account whose working directory is dir: every process of a
// server works in its data directory. This tells them from a stranger to whom the system gave the number of a dead
// one, and the name tells them from a person's shell. It fails rather than miss one: two servers would destroy data.
func (a account) processesIn(dir string) (pids []int, err error) {
	want, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names, err := numbers("/proc")
	if err != nil {
		return nil, err
	}
	a.look(func() {
		for _, pid := range names {
			var works bool
			if works, err = a.worksIn(pid, want); err != nil {
				return
			}
			if works {
				pids = append(pids, pid)
			}
		}
	})
	return pids, err
}

// numbers are the process numbers in proc.
func numbers(proc string) ([]int, error) {
	d, err := os.Open(proc)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, err
}

// look calls f with the account's rights on files. The kernel shows the working directory of another user's process
// to root only with the capability SYS_PTRACE, which containers lack, but to that user always.
func (a account) look(f func()) {
	if !a.drop {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // these calls change the thread alone; it ends with the goroutine
		_ = syscall.Setfsgid(a.gid)
		_ = syscall.Setfsuid(a.uid) // where one of them fails, f looks as root
		f()
	}()
	<-done
}

func (a account) worksIn(pid int, want fs.FileInfo) (bool, error) {
	proc := "/proc/" + strconv.Itoa(pid)
	comm, err := os.ReadFile(proc + "/comm")
	if err != nil || !isProgram(strings.TrimSpace(string(comm))) {
		return false, nil // it has ended, or it is hidden because it is another user's
	}
	// Stat follows the link inside the kernel, so it also holds for directories that were renamed.
	cwd, err := os.Stat(proc + "/cwd")
	if errors.Is(err, fs.ErrPermission) && a.runs(proc) {
		return false, fmt.Errorf("cannot tell whether process %d works in the data directory: %w", pid, err)
	}
	return err == nil && os.SameFile(cwd, want), nil
}

// runs tells whether the process is the account's: no other is ours. Its status may be read by everybody.
func (a account) runs(proc string) bool {
	status, err := os.ReadFile(proc + "/status")
	return err == nil && strings.Contains(string(status), "\nUid:\t"+strconv.Itoa(a.uid)+"\t")
}
