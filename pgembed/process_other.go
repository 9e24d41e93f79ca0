//go:build unix && !linux

package pgembed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// attributes give a program of the server a process group of its own, so that it does not get the Ctrl-C that is
// meant for us. There is no death signal here: a server that outlives us is ended by the next start.
func attributes(c *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: c, Setpgid: true}
}

// processesIn lists the PostgreSQL processes whose working directory is dir: every process of a server works in
// its data directory. This tells them from a stranger to whom the system gave the number of a dead one. It fails
// rather than miss one: two servers would destroy data.
func (a account) processesIn(dir string) ([]int, error) {
	want, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// A line p<pid>, c<command> or n<directory> for each fact.
	out, err := exec.Command("lsof", "-a", "-d", "cwd", "-F", "pcn").Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) { // it exits with 1 when there is one process that it may not see
		return nil, fmt.Errorf("look for PostgreSQL processes: %w", err)
	}
	var pids []int
	var pid int
	var ours bool
	for line := range strings.Lines(string(out)) {
		value := strings.TrimSuffix(line[1:], "\n")
		switch line[0] {
		case 'p':
			pid, _ = strconv.Atoi(value)
		case 'c':
			ours = isProgram(value)
		case 'n':
			if cwd, err := os.Stat(value); err == nil && ours && os.SameFile(cwd, want) {
				pids = append(pids, pid)
			}
		}
	}
	return pids, nil
}
