package mail_test

import (
	"bytes"
	"log/slog"
	netmail "net/mail"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
	"grantwood/mail"
	"grantwood/mail/mailtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// post is a queue of a test's own, a clock that the test moves, and what is logged.
type post struct {
	db   *db.DB
	name string // of the database
	now  atomic.Pointer[time.Time]
	log  output
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

func newPost(t *testing.T) *post {
	t.Helper()
	p := &post{name: dbtest.Copy(t, "")}
	p.db = p.open(t)
	p.set(time.Now())
	return p
}

// open gives a pool of its own to the queue, as another process would have.
func (p *post) open(t *testing.T) *db.DB {
	t.Helper()
	c := dbtest.Config(t, p.name)
	c.SendMail = true
	d, err := db.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func (p *post) set(at time.Time)     { p.now.Store(&at) }
func (p *post) wait(d time.Duration) { p.set(p.now.Load().Add(d)) }

func (p *post) worker(to mail.Transport) mail.Worker {
	return mail.Worker{DB: p.db, Transport: to, Now: func() time.Time { return *p.now.Load() },
		Log: slog.New(slog.NewTextHandler(&p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
}

// round lets a worker try what is due, and expects how many that is.
func (p *post) round(t *testing.T, to mail.Transport, want int) {
	t.Helper()
	tried, err := p.worker(to).Round(t.Context())
	if err != nil || tried != want {
		t.Fatalf("tried %d mails, %v, want %d\n%s", tried, err, want, &p.log)
	}
}

// invite makes an account, for which its owner is invited.
func (p *post) invite(t *testing.T, email string) db.NewAccount {
	t.Helper()
	o, _, err := p.db.CreateOperator(t.Context(), "Test", graph.ScopeList{graph.ScopeAdmin})
	if err != nil {
		t.Fatal(err)
	}
	v := &graph.Viewer{Kind: graph.KindOperator, Operator: o, Request: p.request()}
	made, err := p.db.CreateAccount(t.Context(), v, graph.CreateAccountInput{Name: "Globex", Currency: "EUR", PrimaryEmail: email})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (p *post) request() graph.Request {
	return graph.Request{ID: "test", At: p.now.Load().UTC().Truncate(time.Microsecond), Links: "https://accounts.test.example"}
}

// waiting is how many mails are in the queue at all.
func (p *post) waiting(t *testing.T) int {
	t.Helper()
	due, err := p.db.DueMails(t.Context(), p.now.Load().AddDate(1, 0, 0), 1000)
	if err != nil {
		t.Fatal(err)
	}
	return len(due)
}

// secretive fails the test when the log holds a link, which lets somebody in.
func (p *post) secretive(t *testing.T) {
	t.Helper()
	if text := p.log.String(); strings.Contains(text, "gwi_") || strings.Contains(text, "https://") {
		t.Errorf("the log holds a link:\n%s", text)
	}
}

func to(s *mailtest.Server) mail.SMTP {
	return mail.SMTP{Host: s.Host, Port: s.Port, TLS: mail.TLSNone, From: netmail.Address{Name: "Accounts", Address: "accounts@provider.example"}}
}
