package pgembed

import (
	"os"
	"path/filepath"
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

// processesIn lists the PostgreSQL processes whose working directory is dir: every process of a server works in
// its data directory. This tells them from a stranger to whom the system gave the number of a dead one, and the
// name tells them from a person's shell.
func processesIn(dir string) []int {
	want, err := os.Stat(dir)
	if err != nil {
		return nil
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && worksIn(pid, want) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func worksIn(pid int, want os.FileInfo) bool {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	comm, err := os.ReadFile(filepath.Join(proc, "comm"))
	if err != nil || !isProgram(strings.TrimSpace(string(comm))) {
		return false
	}
	// Stat follows the link inside the kernel, so it also holds for directories that were renamed.
	cwd, err := os.Stat(filepath.Join(proc, "cwd"))
	return err == nil && os.SameFile(cwd, want)
}
