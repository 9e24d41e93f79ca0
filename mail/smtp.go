package mail

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Transport hands a message on.
type Transport interface {
	// Deliver returns when the message is in the hands of somebody who will bring it to its reader. An error that is a
	// RefusedError is final; after any other one it is worth while to try again later.
	Deliver(ctx context.Context, m Message) error
}

// RefusedError says that a message will never be taken.
type RefusedError struct{ cause error }

// Error gives what the other side said.
func (e *RefusedError) Error() string { return "refused: " + e.cause.Error() }

// Unwrap gives the cause.
func (e *RefusedError) Unwrap() error { return e.cause }

// TLSMode says how a connection to an SMTP server is encrypted.
type TLSMode string

// The modes.
const (
	TLSNone  TLSMode = "none"
	STARTTLS TLSMode = "starttls" // the connection becomes encrypted, or nothing is sent
	TLS      TLSMode = "tls"      // it is encrypted from the beginning
)

// Port is where servers usually listen for the mode.
func (m TLSMode) Port() int {
	return map[TLSMode]int{TLSNone: 25, STARTTLS: 587, TLS: 465}[m]
}

// patience is how long a server may take when nothing is set.
const patience = 30 * time.Second

// SMTP hands messages to an SMTP server.
type SMTP struct {
	Host     string
	Port     int
	TLS      TLSMode
	User     string // empty: without signing in
	Password string
	From     netmail.Address
	RootCAs  *x509.CertPool // who may vouch for the server; those of the system when nil
	Patience time.Duration  // how long the server may take for a connection, and again for a message; 30 s when zero
}

// String gives the server, and nothing secret.
func (s SMTP) String() string { return fmt.Sprintf("%s:%d (%s)", s.Host, s.Port, s.TLS) }

// GoString is String, so that no way of printing shows the password.
func (s SMTP) GoString() string { return s.String() }

// Deliver sends one message over a connection of its own.
func (s SMTP) Deliver(ctx context.Context, m Message) error {
	msg, err := s.message(m)
	if err != nil {
		return &RefusedError{err}
	}
	c, err := gomail.NewClient(s.Host, s.options()...)
	if err != nil {
		return fmt.Errorf("prepare SMTP: %w", err)
	}
	if err := c.DialAndSendWithContext(ctx, msg); err != nil {
		return s.judge(msg, err)
	}
	return nil
}

func (s SMTP) options() []gomail.Option {
	options := []gomail.Option{
		gomail.WithPort(s.Port),
		gomail.WithTimeout(cmp.Or(s.Patience, patience)),
		gomail.WithTLSConfig(&tls.Config{ServerName: s.Host, RootCAs: s.RootCAs, MinVersion: tls.VersionTLS12}),
	}
	switch s.TLS {
	case TLS:
		options = append(options, gomail.WithSSL())
	case STARTTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if s.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.User),
			gomail.WithPassword(s.Password))
	}
	return options
}

// message makes what is sent. Headers are encoded by the library; addresses that are none fail.
func (s SMTP) message(m Message) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(&s.From)
	to, err := netmail.ParseAddress(m.To)
	if err != nil || to.Address != m.To {
		return nil, errors.New("the recipient is no address")
	}
	msg.ToMailAddress(to)
	msg.Subject(oneLine(m.Subject))
	msg.SetDate()
	_, domain, _ := strings.Cut(s.From.Address, "@")
	msg.SetMessageIDWithValue(m.ID + "@" + domain)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return msg, nil
}

// judge tells a server that refuses this message from everything that may pass: a server that is down, busy, or does not
// let us in, for which somebody has to change a setting.
func (s SMTP) judge(msg *gomail.Msg, err error) error {
	if msg.IsDelivered() {
		return nil // what failed is the farewell
	}
	refused, ok := errors.AsType[*gomail.SendError](err)
	about := []gomail.SendErrReason{gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose}
	if ok && refused.ErrorCode() >= 500 && slices.Contains(about, refused.Reason) {
		return &RefusedError{err}
	}
	return fmt.Errorf("send by SMTP: %w", err)
}
