package mail_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
	"grantwood/mail"
	"grantwood/mail/mailtest"
)

// TestInvitationArrives: with both parts, and a link with which its reader accepts.
func TestInvitationArrives(t *testing.T) {
	t.Parallel()
	p, s := newPost(t), mailtest.Start(t, mailtest.Options{})
	made := p.invite(t, "owner@test.example")
	p.round(t, to(s), 1)
	got := s.Next(t)
	if got.From != "accounts@provider.example" || got.To != "owner@test.example" {
		t.Errorf("from %s to %s", got.From, got.To)
	}
	m := got.Read(t)
	for name, want := range map[string]string{"From": `"Accounts" <accounts@provider.example>`, "To": "<owner@test.example>", "Auto-Submitted": "auto-generated"} {
		if m.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, m.Header.Get(name), want)
		}
	}
	if m.Subject != "Your account Globex" {
		t.Errorf("subject %q", m.Subject)
	}
	_, rest, _ := strings.Cut(m.Text, "https://accounts.test.example/invitation#")
	token, _, _ := strings.Cut(rest, "\n")
	if link := "https://accounts.test.example/invitation#" + token; !strings.Contains(m.HTML, `<a href="`+link+`">`) || link != made.Invitation.Link {
		t.Errorf("the link %s is not that of the answer or of the HTML part:\n%s", link, m.HTML)
	}
	session, err := p.db.AcceptInvitation(t.Context(), &graph.Viewer{Request: p.request()},
		graph.AcceptInvitationInput{Token: token, Password: "correct horse battery"})
	if err != nil || !session.Viewer.IsPrimary() || session.Viewer.User.Email != "owner@test.example" {
		t.Errorf("accepting gives %v, %v", session, err)
	}
	p.round(t, to(s), 0)
	if p.waiting(t) != 0 {
		t.Error("the mail, with its link, is still in the database")
	}
	p.secretive(t)
}

// TestInvitationOfAUser names who invites.
func TestInvitationOfAUser(t *testing.T) {
	t.Parallel()
	p, s := newPost(t), mailtest.Start(t, mailtest.Options{})
	name := "Olivia Owner"
	owner, err := p.db.AcceptInvitation(t.Context(), &graph.Viewer{Request: p.request()},
		graph.AcceptInvitationInput{Token: p.invite(t, "owner@test.example").Invitation.Token, DisplayName: &name, Password: "correct horse battery"})
	if err != nil {
		t.Fatal(err)
	}
	role := graph.RoleReporting
	_, err = p.db.InviteUser(t.Context(), owner.Viewer, graph.InviteUserInput{Email: "you@test.example", Access: graph.AccessInput{Role: &role}, ValidDays: 7})
	if err != nil {
		t.Fatal(err)
	}
	p.round(t, to(s), 2)
	for range 2 {
		if m := s.Next(t); m.To == "you@test.example" {
			if r := m.Read(t); r.Subject != "Olivia Owner invites you to Globex" || !strings.Contains(r.Text, "Olivia Owner invites you to the account Globex.") {
				t.Errorf("%s\n%s", r.Subject, r.Text)
			}
		}
	}
}

// TestNothingIsQueuedInVain: a change that fails sends nothing, nor does a server without a way to send.
func TestNothingIsQueuedInVain(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	made := p.invite(t, "owner@test.example")
	if n := p.waiting(t); n != 1 {
		t.Fatalf("%d mails wait, want 1", n)
	}
	owner, err := p.db.AcceptInvitation(t.Context(), &graph.Viewer{Request: p.request()},
		graph.AcceptInvitationInput{Token: made.Invitation.Token, Password: "correct horse battery"})
	if err != nil {
		t.Fatal(err)
	}
	role := graph.RoleReporting
	_, err = p.db.InviteUser(t.Context(), owner.Viewer, graph.InviteUserInput{Email: "owner@test.example", Access: graph.AccessInput{Role: &role}, ValidDays: 7})
	if graph.ErrorCode(err) != graph.Conflict {
		t.Fatalf("inviting oneself: %v", err)
	}
	p.db = dbtest.OpenNamed(t, p.name) // without SendMail
	if p.invite(t, "other@test.example").Invitation.Link == "" {
		t.Error("there is no link")
	}
	if n := p.waiting(t); n != 1 {
		t.Errorf("%d mails wait, want 1", n)
	}
}

func TestServerThatIsDownForAWhile(t *testing.T) {
	t.Parallel()
	p, addr := newPost(t), mailtest.Unused(t)
	p.invite(t, "owner@test.example")
	down := to(&mailtest.Server{Host: "127.0.0.1"})
	_, _ = fmt.Sscanf(addr, "127.0.0.1:%d", &down.Port)
	p.round(t, down, 1)
	p.round(t, down, 0) // not before the pause is over
	p.wait(mail.Pause(1))
	p.round(t, down, 1)
	s := mailtest.Start(t, mailtest.Options{Addr: addr})
	p.wait(mail.Pause(1))
	p.round(t, to(s), 0) // the second pause is longer
	p.wait(mail.Pause(2) - mail.Pause(1))
	p.round(t, to(s), 1)
	if got := s.Next(t); got.To != "owner@test.example" || p.waiting(t) != 0 {
		t.Errorf("%s got it, %d mails wait", got.To, p.waiting(t))
	}
	p.secretive(t)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		code   int
		given  int // how often it is answered
		rounds int // that try the mail
		arrive bool
	}{
		{"busy, then not", 451, 2, 3, true},
		{"mailbox is full, then not", 452, 1, 2, true},
		{"no such mailbox", 550, 1, 1, false},
		{"not allowed", 554, 1, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPost(t)
			var answered atomic.Int32
			s := mailtest.Start(t, mailtest.Options{Answer: func(string) error {
				if int(answered.Add(1)) > c.given {
					return nil
				}
				return &smtp.SMTPError{Code: c.code, Message: c.name}
			}})
			p.invite(t, "owner@test.example")
			for i := range c.rounds {
				p.round(t, to(s), 1)
				p.wait(mail.Pause(i + 1))
			}
			p.round(t, to(s), 0)
			if n := len(s.All()); (n == 1) != c.arrive || p.waiting(t) != 0 {
				t.Errorf("%d mails arrived, %d wait\n%s", n, p.waiting(t), &p.log)
			}
			if given := strings.Contains(p.log.String(), `level=ERROR msg="mail given up"`); given == c.arrive {
				t.Errorf("the log does not say what happened:\n%s", &p.log)
			}
			p.secretive(t)
		})
	}
}

// TestRefusedContent is a refusal like that of the recipient.
func TestRefusedContent(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	var code atomic.Int32
	code.Store(451)
	s := mailtest.Start(t, mailtest.Options{Content: func() error { return &smtp.SMTPError{Code: int(code.Load()), Message: "no"} }})
	p.invite(t, "owner@test.example")
	p.round(t, to(s), 1)
	if n := p.waiting(t); n != 1 {
		t.Errorf("after 451 %d mails wait, want 1", n)
	}
	code.Store(554)
	p.wait(mail.Pause(1))
	p.round(t, to(s), 1)
	if n := p.waiting(t); n != 0 || len(s.All()) != 0 {
		t.Errorf("after 554 %d mails wait, want none", n)
	}
}

// TestServerThatHangs before the greeting, or before it takes the mail, is a server that is down.
func TestServerThatHangs(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }() // takes connections and says nothing
	release := make(chan struct{})
	hanging := mailtest.Start(t, mailtest.Options{Content: func() error { <-release; return nil }})
	defer close(release)
	for name, addr := range map[string]*net.TCPAddr{"silent": silent.Addr().(*net.TCPAddr), "hanging": {IP: net.IPv4(127, 0, 0, 1), Port: hanging.Port}} {
		p := newPost(t)
		p.invite(t, "owner@test.example")
		over := to(&mailtest.Server{Host: addr.IP.String(), Port: addr.Port})
		over.Patience = 100 * time.Millisecond
		p.round(t, over, 1)
		if n := p.waiting(t); n != 1 || !strings.Contains(p.log.String(), "will be tried again") {
			t.Errorf("%s: %d mails wait, want 1\n%s", name, n, &p.log)
		}
	}
}

// TestGivesUpAfterADay tries often at first and seldom later, and leaves nothing behind.
func TestGivesUpAfterADay(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	begin := *p.now.Load()
	p.invite(t, "owner@test.example")
	tries := 0
	for ; p.waiting(t) > 0 && tries < 100; tries++ {
		p.round(t, broken{}, 1)
		p.wait(mail.Pause(tries + 1))
	}
	if took := p.now.Load().Sub(begin); took < 23*time.Hour || took > 27*time.Hour || tries < 10 || tries > 30 {
		t.Errorf("gave up after %v and %d tries", took, tries)
	}
	p.secretive(t)
}

// broken delivers nothing.
type broken struct{}

// Deliver fails.
func (broken) Deliver(context.Context, mail.Message) error { return fmt.Errorf("broken") }

func TestLinkThatHasExpiredIsNotSent(t *testing.T) {
	t.Parallel()
	p, s := newPost(t), mailtest.Start(t, mailtest.Options{})
	p.invite(t, "owner@test.example")
	p.wait(db.DefaultValidDays * 24 * time.Hour)
	p.round(t, to(s), 1)
	if len(s.All()) != 0 || p.waiting(t) != 0 {
		t.Errorf("%d mails arrived, %d wait", len(s.All()), p.waiting(t))
	}
}

// TestManyWorkersSendOnce lets four processes work on one queue.
func TestManyWorkersSendOnce(t *testing.T) {
	t.Parallel()
	const mails = 50
	p, s := newPost(t), mailtest.Start(t, mailtest.Options{})
	for i := range mails {
		p.invite(t, fmt.Sprintf("owner%d@test.example", i))
	}
	var workers [4]mail.Worker
	for i := range workers {
		workers[i] = p.worker(to(s))
		workers[i].DB = p.open(t)
	}
	var all sync.WaitGroup
	for _, w := range workers {
		all.Go(func() {
			for {
				tried, err := w.Round(t.Context())
				if err != nil {
					t.Error(err)
				}
				if tried == 0 || err != nil {
					return
				}
			}
		})
	}
	all.Wait()
	times := map[string]int{}
	for _, m := range s.All() {
		times[m.To]++
	}
	if len(times) != mails || len(s.All()) != mails || p.waiting(t) != 0 {
		t.Errorf("%d mails to %d people, %d wait, want %d each once", len(s.All()), len(times), p.waiting(t), mails)
	}
}

// TestWorkerThatDies claims a mail and never sends it: another one does, when the claim has ended.
func TestWorkerThatDies(t *testing.T) {
	t.Parallel()
	p, s := newPost(t), mailtest.Start(t, mailtest.Options{})
	p.invite(t, "owner@test.example")
	due, err := p.db.DueMails(t.Context(), *p.now.Load(), 1)
	if err != nil || len(due) != 1 {
		t.Fatalf("%v, %v", due, err)
	}
	until := p.now.Load().UTC().Truncate(time.Microsecond).Add(5 * time.Minute)
	for i, want := range []bool{true, false} { // of two that claim the same, one gets it
		if m, err := p.db.ClaimMail(t.Context(), due[0], until); err != nil || (m != nil) != want {
			t.Fatalf("claim %d gives %v, %v", i+1, m, err)
		}
	}
	p.wait(5*time.Minute - time.Second)
	p.round(t, to(s), 0)
	p.wait(2 * time.Second)
	p.round(t, to(s), 1)
	if got := s.Next(t); got.To != "owner@test.example" || p.waiting(t) != 0 {
		t.Errorf("%s got it, %d mails wait", got.To, p.waiting(t))
	}
}

// TestRun sends what comes, until it is told to stop.
func TestRun(t *testing.T) {
	t.Parallel()
	p, s := newPost(t), mailtest.Start(t, mailtest.Options{})
	w := p.worker(to(s))
	w.Every = time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	for i := range 3 {
		email := fmt.Sprintf("owner%d@test.example", i)
		p.invite(t, email)
		if got := s.Next(t).To; got != email {
			t.Errorf("%s got mail, want %s", got, email)
		}
	}
	stop()
	running.Wait()
}
