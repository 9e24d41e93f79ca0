package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var (
	watchedAt    = regexp.MustCompile(`profiles" address=(\S+)`)
	answeredLine = regexp.MustCompile(`path=/graphql status=\d+ ms=\S+ request=(\w+)`)
)

// admin gives the address of the second listener.
func (p *program) admin(t *testing.T) string {
	t.Helper()
	eventually(t, "the second listener is told", func() bool { return watchedAt.MatchString(p.out.String()) })
	return "http://" + watchedAt.FindStringSubmatch(p.out.String())[1]
}

// statusOf asks for a page; 0 when there is no answer.
func statusOf(url string) int {
	res, err := http.Get(url)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// load is people who ask one request after the other.
type load struct {
	away     atomic.Bool // they are to send no more
	mu       sync.Mutex
	answered []string // IDs of requests
	lost     []error  // on connections that had served requests, or that the server had accepted
	refused  int      // connections that it did not accept
	people   sync.WaitGroup
}

// begin lets some people begin.
func (l *load) begin(t *testing.T, p *program, owner string, people int) {
	for range people {
		l.people.Go(func() {
			c := &http.Client{Transport: &http.Transport{}}
			defer c.CloseIdleConnections()
			for !l.away.Load() && l.ask(t, c, p.url, owner) {
			}
		})
	}
	eventually(t, "they are at work", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.answered) > 20*people
	})
}

// ask sends a request that reads and one body's worth, and reports whether it was answered.
func (l *load) ask(t *testing.T, c *http.Client, url, owner string) bool {
	reused := false
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/graphql", strings.NewReader(`{"query":"{ account { name apiKeys { totalCount nodes { name } } users { totalCount } } }"}`))
	if err != nil {
		t.Error(err)
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+owner)
	res, err := c.Do(req)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil && res.StatusCode == http.StatusOK && strings.HasPrefix(string(body), `{"data":{"account":{"name":"Test"`) && strings.HasSuffix(string(body), "}"):
		l.answered = append(l.answered, res.Header.Get("X-Request-Id"))
		return true
	case err != nil && !reused && (errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)):
		l.refused++ // whether it was accepted after all is seen in the log
	default:
		l.lost = append(l.lost, errors.Join(err, errors.New(string(body))))
	}
	return false
}

// allAnswered expects that each request of which the log tells was answered, and no answer was lost.
func (l *load) allAnswered(t *testing.T, p *program, before []string) {
	t.Helper()
	for _, err := range l.lost {
		t.Errorf("a request was lost: %v", err)
	}
	accepted := 0
	for _, m := range answeredLine.FindAllStringSubmatch(p.out.String(), -1) {
		if slices.Contains(before, m[1]) {
			continue
		}
		if accepted++; !slices.Contains(l.answered, m[1]) {
			t.Errorf("the request %s was accepted, and nobody got the answer", m[1])
		}
	}
	if accepted != len(l.answered) {
		t.Errorf("%d requests were accepted, %d answered", accepted, len(l.answered))
	}
	t.Logf("%d requests answered, %d connections not accepted", len(l.answered), l.refused)
}

// requestsOfOwner are the two that newOwner made. The log tells of a request after its answer.
func requestsOfOwner(t *testing.T, p *program) (list []string) {
	t.Helper()
	eventually(t, "the log tells of the owner's requests", func() bool { return len(answeredLine.FindAllString(p.out.String(), -1)) == 2 })
	for _, m := range answeredLine.FindAllStringSubmatch(p.out.String(), -1) {
		list = append(list, m[1])
	}
	return list
}

// TestDrainUnderLoad stops the program while people ask without a pause and know nothing of it: what was accepted is answered, and nobody
// is cut off on a connection that worked.
func TestDrainUnderLoad(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := start(t, environment(), "serve", "--data-dir", dir)
	owner := newOwner(t, p, environment(), "--data-dir", dir)
	before := requestsOfOwner(t, p)
	var l load
	l.begin(t, p, owner, 8)
	p.stop(t)
	l.people.Wait()
	l.allAnswered(t, p, before)
	if l.refused == 0 {
		t.Error("nobody was there when it stopped")
	}
}

// TestDrainBehindABalancer stops the program behind somebody who asks whether it is ready, as a load balancer does, and sends nobody there
// when it is not: it is not ready first, answers on, and nobody notices anything.
func TestDrainBehindABalancer(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := start(t, environment(), "serve", "--data-dir", dir, "--drain-delay", "2s")
	admin := p.admin(t)
	owner := newOwner(t, p, environment(), "--data-dir", dir)
	before := requestsOfOwner(t, p)
	if got := statusOf(admin + "/readyz"); got != http.StatusOK {
		t.Errorf("it is not ready: %d", got)
	}
	var l load
	l.begin(t, p, owner, 4)
	stopped := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is not ready", func() bool { return statusOf(admin+"/readyz") == http.StatusServiceUnavailable })
	if main, alive := statusOf(p.url+"/readyz"), statusOf(p.url+"/healthz"); main != http.StatusServiceUnavailable || alive != http.StatusOK {
		t.Errorf("while it is about to stop it answers readiness with %d and health with %d", main, alive)
	}
	l.away.Store(true)
	p.ended(t, true)
	l.people.Wait()
	l.allAnswered(t, p, before)
	if l.refused > 0 {
		t.Errorf("%d connections were not accepted", l.refused)
	}
	if took := time.Since(stopped); took < 2*time.Second {
		t.Errorf("it ended after %v", took)
	}
}
