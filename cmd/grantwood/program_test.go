package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// These tests run the program as people do: built, started, asked over HTTP, killed.

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "grantwood-program")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "grantwood")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("build: %v: %s", err, out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// dataDir is a directory for a private server that its user may enter, with a blank in its path.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "grantwood data ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "server")
}

// environment is that of somebody who has set nothing.
func environment(more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir()}, more...)
}

// program is a running grantwood.
type program struct {
	cmd  *exec.Cmd
	url  string
	out  *output
	done chan error
}

type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to the output.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String gives the output so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

var listening = regexp.MustCompile(`https?://127\.0\.0\.1:\d+`)

// start runs the program on a free port and waits until it says where it listens.
func start(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	if !slices.Contains(args, "--admin-addr") {
		args = append(args, "--admin-addr", "127.0.0.1:0")
	}
	p := &program{cmd: exec.Command(binary, append(args, "--addr", "127.0.0.1:0")...), out: &output{}, done: make(chan error, 1)}
	p.cmd.Env = env
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	eventually(t, "the program listens", func() bool {
		select {
		case err := <-p.done:
			t.Fatalf("the program ended: %v\n%s", err, p.out)
		default:
		}
		p.url = listening.FindString(p.out.String())
		return p.url != ""
	})
	return p
}

// eventually waits until something holds, and fails the test when it does not come to hold.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// stop ends the program as an operator would, and expects that it ends well.
func (p *program) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.ended(t, true)
}

func (p *program) ended(t *testing.T, well bool) {
	t.Helper()
	select {
	case err := <-p.done:
		if (err == nil) != well {
			t.Fatalf("the program ended with %v\n%s", err, p.out)
		}
	case <-time.After(60 * time.Second):
		t.Fatalf("the program does not end\n%s", p.out)
	}
}

// run runs the program to its end and gives what it prints.
func run(t *testing.T, env []string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// ask posts an operation and gives the data of the answer; an error when there is no whole answer without errors.
func (p *program) ask(token, query string, variables map[string]any) (map[string]any, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodPost, p.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data   map[string]any
		Errors []any
	}
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Errors) > 0 || strings.Contains(string(text), `"userErrors":[{`) {
		return nil, fmt.Errorf("%w %s", err, text)
	}
	return answer.Data, nil
}

func (p *program) mustAsk(t *testing.T, token, query string, variables map[string]any) map[string]any {
	t.Helper()
	data, err := p.ask(token, query, variables)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return data
}

func at(data any, way ...string) string {
	for _, step := range way {
		data, _ = data.(map[string]any)[step]
	}
	s, _ := data.(string)
	return s
}

// newOwner makes an operator beside the running server, an account, and signs its owner in.
func newOwner(t *testing.T, p *program, env []string, args ...string) (session string) {
	t.Helper()
	token, err := run(t, env, append([]string{"operator", "create", "--label", "Test", "--scopes", "admin"}, args...)...)
	if err != nil {
		t.Fatalf("operator create: %v: %s", err, token)
	}
	made := p.mustAsk(t, strings.TrimSpace(token), `mutation { createAccount(input: {name: "Test", currency: "EUR", primaryEmail: "owner@test.example"}) {
		userErrors { message } link } }`, nil)
	_, invitation, _ := strings.Cut(at(made, "createAccount", "link"), "#")
	joined := p.mustAsk(t, "", `mutation($t: String!) { acceptInvitation(input: {token: $t, password: "correct horse battery"}) {
		userErrors { message } sessionToken } }`, map[string]any{"t": invitation})
	return at(joined, "acceptInvitation", "sessionToken")
}

// processesIn lists the processes that work in a directory below dir.
func processesIn(t *testing.T, dir string) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if cwd, err := os.Readlink(filepath.Join("/proc", e.Name(), "cwd")); err == nil && strings.HasPrefix(cwd, dir) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// postmaster gives the process of the private server in dir.
func postmaster(t *testing.T, dir string) int {
	t.Helper()
	var file string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Name() == "postmaster.pid" {
			file = path
		}
		return nil
	})
	if err != nil || file == "" {
		t.Fatalf("no postmaster.pid below %s: %v", dir, err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	line, err := bufio.NewReader(f).ReadString('\n')
	pid, err2 := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || err2 != nil {
		t.Fatalf("read %s: %v %v", file, err, err2)
	}
	return pid
}
