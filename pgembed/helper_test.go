package pgembed

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// helper is the program: it runs a server, inserts numbers one after the other and prints each when it is
// committed. SIGINT stops it; it exits with 3 when its server dies.
func helper(dir string) {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT)
	s, err := Start(context.Background(), Options{DataDir: dir, Settings: map[string]string{
		"client_connection_check_interval": "0", // a statement that computes does not notice that we are gone
	}})
	fatal(err)
	fmt.Println("postmaster", s.child.process.Pid)
	go insert(s)
	select {
	case <-interrupted:
		fatal(s.Stop())
		fmt.Println("stopped")
		os.Exit(0)
	case err := <-s.Died():
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

func insert(s *Server) {
	db, err := sql.Open("postgres", s.DSN("postgres"))
	fatal(err)
	_, err = db.Exec(`CREATE TABLE IF NOT EXISTS acknowledged (n bigint PRIMARY KEY)`)
	fatal(err)
	var n int
	fatal(db.QueryRow(`SELECT coalesce(max(n), 0) FROM acknowledged`).Scan(&n))
	for {
		n++
		if _, err := db.Exec(`INSERT INTO acknowledged VALUES ($1)`, n); err != nil {
			select {} // the server is gone; what follows is for the others to decide
		}
		fmt.Println(n)
	}
}

// program is a running helper.
type program struct {
	cmd        *exec.Cmd
	out        *bufio.Scanner
	stderr     bytes.Buffer
	postmaster int
	last       int // the last number that it has printed, so far as read
}

// startProgram starts a helper in a process group of its own, as the user of credential when that is not nil.
func startProgram(t *testing.T, dir string, credential *syscall.Credential) *program {
	t.Helper()
	binary, err := helperBinary()
	must(t, err)
	p := &program{cmd: exec.Command(binary)}
	p.cmd.Env = append(os.Environ(), helperVariable+"="+dir)
	p.cmd.Dir = "/"
	p.cmd.Stderr = &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: credential}
	stdout, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	p.out = bufio.NewScanner(stdout)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	return p
}

// helperBinary is the test binary, where every user may run it.
var helperBinary = sync.OnceValues(func() (string, error) {
	dir, err := template()
	if err != nil {
		return "", err
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "helper")
	out, err := exec.Command("cp", self, path).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("copy the test binary: %w: %s", err, out)
	}
	return path, os.Chmod(path, 0o755)
})

// next reads a line of output; "" at its end.
func (p *program) next() string {
	if !p.out.Scan() {
		return ""
	}
	line := p.out.Text()
	if n, err := strconv.Atoi(line); err == nil {
		p.last = n
	}
	return line
}

// insertSome waits until the program has inserted n more numbers.
func (p *program) insertSome(t *testing.T, n int) {
	t.Helper()
	if p.postmaster == 0 {
		line := p.next()
		pid, err := strconv.Atoi(strings.TrimPrefix(line, "postmaster "))
		if err != nil {
			_ = p.cmd.Wait()
			t.Fatalf("the program printed %q and failed: %s", line, p.stderr.String())
		}
		p.postmaster = pid
	}
	for range n {
		if p.next() == "" {
			_ = p.cmd.Wait()
			t.Fatalf("the program ended: %s", p.stderr.String())
		}
	}
}

// exit reads the rest of the output and returns the exit code; -1 when the program was killed.
func (p *program) exit() int {
	for p.next() != "" {
	}
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}
