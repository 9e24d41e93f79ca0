package mail_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
	"grantwood/mail"
	"grantwood/mail/mailtest"
)

// TestEncryptionAndSigningIn: with encryption and the right password mail arrives; without either it waits, because
// somebody has to change a setting, and nothing says the password.
func TestEncryptionAndSigningIn(t *testing.T) {
	t.Parallel()
	const right = "pass phrase 7Q"
	authority, _ := mailtest.Authority()
	for _, c := range []struct {
		name     string
		server   mailtest.Options
		mode     mail.TLSMode
		password string
		stranger bool // nobody vouches for the server
		arrives  bool
	}{
		{name: "STARTTLS", server: mailtest.Options{STARTTLS: true}, mode: mail.STARTTLS, password: right, arrives: true},
		{name: "TLS", server: mailtest.Options{TLS: true}, mode: mail.TLS, password: right, arrives: true},
		{name: "STARTTLS is not offered", server: mailtest.Options{}, mode: mail.STARTTLS, password: right},
		{name: "STARTTLS is not offered to anybody", server: mailtest.Options{}, mode: mail.STARTTLS},
		{name: "wrong password", server: mailtest.Options{STARTTLS: true}, mode: mail.STARTTLS, password: "wrong 7Q"},
		{name: "stranger", server: mailtest.Options{STARTTLS: true}, mode: mail.STARTTLS, password: right, stranger: true},
		{name: "stranger from the beginning", server: mailtest.Options{TLS: true}, mode: mail.TLS, password: right, stranger: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPost(t)
			if c.password != "" {
				c.server.User, c.server.Password = "grantwood", right
			}
			s := mailtest.Start(t, c.server)
			over := to(s)
			over.TLS, over.User, over.Password = c.mode, c.server.User, c.password
			if !c.stranger {
				over.RootCAs = authority
			}
			p.invite(t, "owner@test.example")
			p.round(t, over, 1)
			if n := len(s.All()); (n == 1) != c.arrives || (p.waiting(t) == 0) != c.arrives {
				t.Errorf("%d mails arrived, %d wait\n%s", n, p.waiting(t), &p.log)
			}
			if text := p.log.String() + fmt.Sprintf("%v %+v %#v %s", over, over, over, over); strings.Contains(text, "7Q") {
				t.Errorf("the password is printed:\n%s", text)
			}
			p.secretive(t)
		})
	}
}

// TestNamesMakeNoHeaders sends what somebody with bad intentions would enter.
func TestNamesMakeNoHeaders(t *testing.T) {
	t.Parallel()
	s := mailtest.Start(t, mailtest.Options{})
	var names []string
	for _, name := range []string{
		"Globex\r\nBcc: victim@test.example", "Globex\nBcc: victim@test.example\n\nHello", "Globex\rBcc: victim@test.example",
		"Globex\u2028Bcc: victim@test.example", "Globex\u0085Bcc: victim@test.example", "Globex\x00\x0bBcc: x", "=?utf-8?q?Globex=0D=0ABcc:_victim@test.example?=",
		strings.Repeat("Globex Ä ", 40) + "\r\n.\r\nMAIL FROM:<x@test.example>", "<script>alert(1)</script>", "\u202egnp.exe",
	} {
		message, err := mail.Compose(&graph.Mail{Kind: graph.MailInvitation, Recipient: "owner@test.example",
			Content: graph.MailContent{Account: name, By: name, Link: "https://x.example/#a", ExpiresAt: &noon}})
		if err != nil {
			t.Fatal(err)
		}
		if err := to(s).Deliver(t.Context(), message); err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		got := s.Next(t)
		m := got.Read(t)
		names = names[:0]
		for header := range m.Header {
			names = append(names, header)
		}
		want := []string{"Auto-Submitted", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To"}
		if diff := cmp.Diff(want, sorted(names)); diff != "" || got.To != "owner@test.example" || m.Header.Get("To") != "<owner@test.example>" {
			t.Errorf("%q: to %s, headers (-want +got):\n%s", name, got.To, diff)
		}
		if strings.Contains(m.HTML, "<script>") || strings.ContainsAny(m.Subject, "\r\n\u2028\u202e") {
			t.Errorf("%q comes through:\n%s\n%s", name, m.Subject, m.HTML)
		}
		if lines := strings.Split(m.Text, "\n"); len(lines) != 10 {
			t.Errorf("%q makes %d lines:\n%s", name, len(lines), m.Text)
		}
	}
	if n := len(s.All()); n != 10 {
		t.Errorf("%d mails arrived, want 10", n)
	}
}

// TestWhatIsNoAddressGetsNothing: and is not tried again.
func TestWhatIsNoAddressGetsNothing(t *testing.T) {
	t.Parallel()
	s := mailtest.Start(t, mailtest.Options{})
	for _, address := range []string{"", "owner", "owner@test.example\r\nBcc: victim@test.example", "a@test.example, b@test.example",
		"a@test.example,b@test.example", "Owner <owner@test.example>", "owner@test.example>\r\nRCPT TO:<victim@test.example", "\"a\r\n\"@test.example"} {
		err := to(s).Deliver(t.Context(), mail.Message{ID: "1", To: address, Subject: "S", Text: "T", HTML: "H"})
		if _, refused := errors.AsType[*mail.RefusedError](err); !refused {
			t.Errorf("%q: %v", address, err)
		}
	}
	if n := len(s.All()); n != 0 {
		t.Errorf("%d mails arrived", n)
	}
}
