package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"grantwood/bench/limit"
	"grantwood/bench/tutorial"
)

// startTimeout is how long a server may take until it answers.
const startTimeout = time.Minute

// peer is a server in a process of its own.
type peer struct {
	name  string
	addr  string
	admin string // of the product: where profiles are
	cmd   *exec.Cmd
	ended chan error
}

// start runs a program that listens on the address that is put into its arguments, and waits until it answers.
func start(ctx context.Context, name, program string, arguments func(addr string) []string, env ...string) (*peer, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := &peer{name: name, addr: addr, ended: make(chan error, 1)}
	p.cmd = exec.CommandContext(ctx, program, arguments(addr)...)
	p.cmd.Stderr, p.cmd.Env = os.Stderr, append(bare(os.Environ()), env...)
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-p.ended:
			return nil, fmt.Errorf("%s has ended: %w", name, err)
		default:
		}
		if res, err := http.Get("http://" + addr + "/healthz"); err == nil {
			_ = res.Body.Close()
			return p, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("%s does not answer", name), p.stop())
}

// bare is an environment without settings of the product, which would change what is measured.
func bare(env []string) []string {
	var list []string
	for _, e := range env {
		if !strings.HasPrefix(e, "GRANTWOOD_") && !strings.HasPrefix(e, "DATABASE_") && !strings.HasPrefix(e, "OTEL_") {
			list = append(list, e)
		}
	}
	return list
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (p *peer) pid() int { return p.cmd.Process.Pid }

// stop ends the process in order.
func (p *peer) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
		return nil
	case <-time.After(10 * time.Second):
		return errors.Join(fmt.Errorf("%s did not end by itself", p.name), p.cmd.Process.Kill())
	}
}

// startProduct runs the program as users do, with settings that let the benchmark ask what it asks: pages of 1,000 records, no
// limit of rates, and patience with a busy machine.
func startProduct(ctx context.Context, program, dsn, adminDSN string, more []string) (*peer, error) {
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p, err := start(ctx, "product", program, func(addr string) []string {
		return append([]string{"serve", "--addr", addr, "--admin-addr", admin, "--log-level", "warn", "--database-direct", "--max-page", fmt.Sprint(records),
			"--rate-limit", "0", "--anonymous-rate-limit", "0", "--patience", "1m", "--slow-operation", "1m", "--max-connections", fmt.Sprint(limit.Connections)}, more...)
	}, "DATABASE_URL="+dsn, "DATABASE_ADMIN_URL="+adminDSN)
	if err != nil {
		return nil, err
	}
	p.admin = admin
	return p, nil
}

// startRole runs this program as one of its servers.
func startRole(ctx context.Context, role, dsn string) (*peer, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(ctx, role, program, func(addr string) []string { return []string{role, addr} }, "BENCH_DATABASE_URL="+dsn)
}

// serveRole is what such a process does, until it is told to end.
func serveRole(ctx context.Context, role, addr string) error {
	make, ok := roles[role]
	if !ok {
		return fmt.Errorf("there is no server %q", role)
	}
	handler, err := make(ctx, os.Getenv("BENCH_DATABASE_URL"))
	if err != nil {
		return err
	}
	server := &http.Server{Addr: addr, Handler: handler}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// roles are the servers that the product is measured against.
var roles = map[string]func(ctx context.Context, dsn string) (http.Handler, error){
	"gqlgen": tutorial.New,
	"limit":  func(ctx context.Context, dsn string) (http.Handler, error) { return limit.New(ctx, dsn) },
}
