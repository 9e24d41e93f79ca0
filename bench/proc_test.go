package main

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
)

func TestParseUsed(t *testing.T) {
	t.Parallel()
	line := `4242 (a (strange) name) S 17 4242 4242 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 1 0 100 1000 10 18446744073709551615`
	got, err := parseUsed(line)
	want := used{parent: 17, own: 2 * time.Second, children: 500 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "1 (x) S 1", "1 x S 17 4242 4242 0 -1 4194560 1 2 3 4 150 50 30 20 20", "1 (x) S 17 1 1 0 -1 4 1 2 3 4 many 50 30 20 20"} {
		if _, err := parseUsed(bad); err == nil {
			t.Errorf("%q is taken for a process", bad)
		}
	}
}

func TestParseResident(t *testing.T) {
	t.Parallel()
	got, err := parseResident("Name:\tx\nVmHWM:\t  900 kB\nVmRSS:\t  512 kB\nThreads:\t1\n")
	if err != nil || got != 512<<10 {
		t.Errorf("%d, %v", got, err)
	}
	if _, err := parseResident("Name:\tx\n"); err == nil {
		t.Error("a process without memory")
	}
}

// TestFamilyCPU: the time of a child counts while it runs and when it has ended.
func TestFamilyCPU(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	// The shell stays: it has one child that ends, and one that works until it is killed.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	busy := `i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done`
	cmd := exec.CommandContext(ctx, "sh", "-c", `sh -c '`+busy+`'; echo ended; sh -c 'trap "exit 0" TERM; while :; do :; done' & worker=$!; trap "kill $worker; exit" TERM; wait`)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	after, err := familyCPU(cmd.Process.Pid)
	own, err2 := processCPU(cmd.Process.Pid)
	if err != nil || err2 != nil || after-own < 2*tick {
		t.Errorf("the family used %v, %v, of which the shell %v, %v: a child that has ended is missing", after, err, own, err2)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if now, err := familyCPU(cmd.Process.Pid); err == nil && now > after+5*tick {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a child that runs is missing")
		}
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
}
