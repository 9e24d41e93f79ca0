// Package mailtest gives tests a real SMTP server on loopback, which keeps what it receives.
package mailtest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Options say how a server behaves. The zero value takes everything from everybody, without encryption.
type Options struct {
	Addr     string // to listen on; a free port when empty
	TLS      bool   // encrypted from the beginning
	STARTTLS bool   // offers encryption
	User     string // who has to sign in, with Password; nobody when empty
	Password string
	// Answer gives what is answered to a recipient: nil takes it, a *smtp.SMTPError refuses.
	Answer func(to string) error
	// Content gives what is answered to the content of a mail, likewise.
	Content func() error
}

// Received is a mail as it arrived.
type Received struct {
	From, To string
	Data     []byte
}

// Server is a running server.
type Server struct {
	Addr string
	Host string
	Port int

	server *smtp.Server
	mu     sync.Mutex
	all    []Received
	next   chan Received
}

// certificate is one for 127.0.0.1, and who vouches for it.
var certificate = sync.OnceValues(func() (tls.Certificate, *x509.Certificate) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return s.TLS.Certificates[0], s.Certificate()
})

// Authority gives who vouches for the servers, as a pool and in the form of a file.
func Authority() (pool *x509.CertPool, file []byte) {
	_, c := certificate()
	pool = x509.NewCertPool()
	pool.AddCert(c)
	return pool, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// Start runs a server until the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", o.Addr)
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr)
	s := &Server{Addr: at.String(), Host: at.IP.String(), Port: at.Port, next: make(chan Received, 1000)}
	s.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{server: s, options: o}, nil
	}))
	s.server.Domain = "mail.test.example"
	s.server.ErrorLog = log.New(io.Discard, "", 0)
	cert, _ := certificate()
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	if o.STARTTLS {
		s.server.TLSConfig = config
	}
	if o.TLS {
		l = tls.NewListener(l, config)
	}
	go func() { _ = s.server.Serve(l) }()
	t.Cleanup(s.Stop)
	return s
}

// Unused gives an address where nothing listens.
func Unused(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// Stop ends the server.
func (s *Server) Stop() { _ = s.server.Close() }

// All gives the mails that have arrived.
func (s *Server) All() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Received{}, s.all...)
}

// Next waits for a mail, and gives each once.
func (s *Server) Next(t testing.TB) Received {
	t.Helper()
	select {
	case r := <-s.next:
		return r
	case <-time.After(time.Minute):
		t.Fatal("no mail arrives")
		return Received{}
	}
}

type session struct {
	server  *Server
	options Options
	signed  bool
	mail    Received
}

// AuthMechanisms lists how to sign in.
func (s *session) AuthMechanisms() []string {
	if s.options.User == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth checks the password.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != s.options.User || password != s.options.Password {
			return errors.New("wrong user or password")
		}
		s.signed = true
		return nil
	}), nil
}

// Mail begins a mail.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.options.User != "" && !s.signed {
		return smtp.ErrAuthRequired
	}
	s.mail = Received{From: from}
	return nil
}

// Rcpt takes a recipient, or not.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.options.Answer != nil {
		if err := s.options.Answer(to); err != nil {
			return err
		}
	}
	if s.mail.To != "" {
		to = s.mail.To + "," + to
	}
	s.mail.To = to
	return nil
}

// Data takes the mail itself.
func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.options.Content != nil {
		if err := s.options.Content(); err != nil {
			return err
		}
	}
	s.mail.Data = data
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.all = append(s.server.all, s.mail)
	s.server.next <- s.mail
	return nil
}

// Reset forgets a mail that was begun.
func (s *session) Reset() { s.mail = Received{} }

// Logout ends the session.
func (s *session) Logout() error { return nil }
