package main

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestFamilyCPU: the time of a child counts while it runs and when it has ended.
func TestFamilyCPU(t *testing.T) {
	t.Parallel()
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
