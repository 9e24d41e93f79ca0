package main

import (
	"fmt"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestKill kills the program, the postmaster, or both while changes are acknowledged. Nothing that was acknowledged is
// lost, nothing is left running, and the next start works.
func TestKill(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(t *testing.T, p *program, dir string){
		"program": func(t *testing.T, p *program, _ string) { sigkill(t, p.cmd.Process.Pid) },
		"postmaster": func(t *testing.T, _ *program, dir string) {
			sigkill(t, postmaster(t, dir))
		},
		"both": func(t *testing.T, p *program, dir string) {
			pid := postmaster(t, dir)
			sigkill(t, p.cmd.Process.Pid)
			sigkill(t, pid)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := dataDir(t)
			p := start(t, environment(), "serve", "--data-dir", dir)
			owner := newOwner(t, p, environment(), "--data-dir", dir)
			acknowledged := changeUntilItEnds(t, p, owner, func() { kill(t, p, dir) })
			p.ended(t, false)
			eventually(t, "nothing is left running", func() bool { return len(processesIn(t, dir)) == 0 })
			p = start(t, environment(), "serve", "--data-dir", dir)
			kept := names(t, p, owner)
			for _, name := range acknowledged {
				if !slices.Contains(kept, name) {
					t.Errorf("%s was acknowledged and is lost", name)
				}
			}
			t.Logf("%d changes were acknowledged, %d are there", len(acknowledged), len(kept)-1)
			p.stop(t)
			if left := processesIn(t, dir); len(left) > 0 {
				t.Errorf("left running: %v", left)
			}
		})
	}
}

func sigkill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

// changeUntilItEnds makes keys, several at a time, until they fail, and strikes after the twentieth. It gives the names of
// those that were acknowledged.
func changeUntilItEnds(t *testing.T, p *program, owner string, strike func()) []string {
	t.Helper()
	var mu sync.Mutex
	var acknowledged []string
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d", worker, i)
				_, err := p.ask(owner, `mutation($n: String!) { createApiKey(input: {name: $n, kind: OTHER}) { userErrors { message } key { id } } }`,
					map[string]any{"n": name})
				if err != nil {
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, name)
				if len(acknowledged) == 20 {
					strike()
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(acknowledged) < 20 {
		t.Fatalf("only %d changes were acknowledged\n%s", len(acknowledged), p.out)
	}
	return acknowledged
}

func names(t *testing.T, p *program, owner string) []string {
	t.Helper()
	data := p.mustAsk(t, owner, `{ account { apiKeys(first: 100) { nodes { name } } } }`, nil)
	var list []string
	for _, k := range data["account"].(map[string]any)["apiKeys"].(map[string]any)["nodes"].([]any) {
		list = append(list, at(k, "name"))
	}
	return list
}

// TestStopFinishesRunningRequests stops the program while twenty people sign in, which takes a while: each gets an answer.
func TestStopFinishesRunningRequests(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := start(t, environment(), "serve", "--data-dir", dir, "--patience", "5m") // they wait for one another
	newOwner(t, p, environment(), "--data-dir", dir)
	var running, answered sync.WaitGroup
	for range 20 {
		running.Add(1)
		answered.Go(func() {
			const body = `{"query": "mutation { signIn(input: {email: \"owner@test.example\", password: \"correct horse battery\"}) { sessionToken userErrors { code } } }"}`
			req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				Got100Continue: running.Done, // the server has begun to read the body
			}), http.MethodPost, p.url+"/graphql", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Expect", "100-continue")
			res, err := (&http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}).Do(req)
			if err != nil {
				t.Errorf("a running request was cut: %v", err)
				return
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("status %d", res.StatusCode)
			}
		})
	}
	running.Wait()
	p.stop(t)
	answered.Wait()
}
