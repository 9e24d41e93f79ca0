package pgembed

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// child is a program that was started by this process.
type child struct {
	process *os.Process
	done    chan struct{} // closed when it has ended
	err     error         // how it ended, as of exec.Cmd.Wait; to be read after done
}

// launch starts cmd as user. One goroutine starts it, waits for it and keeps its thread for all that time: the
// kernel sends the death signal when the *thread* ends that has started the program.
func launch(cmd *exec.Cmd, user account) (*child, error) {
	cmd.SysProcAttr = attributes(user.credential())
	cmd.Env = environment(os.Environ())
	c := &child{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := cmd.Start()
		c.process = cmd.Process
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, user.explain(err, cmd.Dir, cmd.Path)
	}
	return c, nil
}

// signal sends sig; a child that has ended does not mind.
func (c *child) signal(sig syscall.Signal) { _ = c.process.Signal(sig) }

// signalGroup sends sig to the child and the programs that it has started in its process group.
func (c *child) signalGroup(sig syscall.Signal) { _ = syscall.Kill(-c.process.Pid, sig) }

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// environment is what the server's programs get of ours: the rest may hold secrets, which every process of the
// server's user could read, or PGPORT and its like, which would change what the server does.
func environment(ours []string) []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, entry := range ours {
		switch name, _, _ := strings.Cut(entry, "="); name {
		case "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH":
			env = append(env, entry)
		}
	}
	return env
}

// isProgram tells whether a process of that name may be part of a server, or of an initdb that makes one.
func isProgram(name string) bool {
	return strings.Contains(name, "postgres") || strings.Contains(name, "postmaster") || name == "initdb"
}
