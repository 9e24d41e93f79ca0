package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"strings"

	"grantwood/db"
	"grantwood/mail"
	"grantwood/server"
)

// smtpSettings say how mail is sent. Without a host none is, and people get links from whoever invites them.
type smtpSettings struct {
	SMTPHost     string `name:"smtp-host" help:"SMTP server that takes our mail; no mail is sent when empty." env:"GRANTWOOD_SMTP_HOST"`
	SMTPPort     int    `name:"smtp-port" help:"Its port; 587 for starttls, 465 for tls, 25 for none when 0." default:"0" env:"GRANTWOOD_SMTP_PORT"`
	SMTPTLS      string `name:"smtp-tls" help:"Encryption: starttls, tls (from the beginning) or none." default:"starttls" env:"GRANTWOOD_SMTP_TLS"`
	SMTPUser     string `name:"smtp-user" help:"User to sign in as; without signing in when empty." env:"GRANTWOOD_SMTP_USER"`
	SMTPPassword secret `name:"smtp-password" help:"Password of the user; better given by its variable, which other people on the machine do not see." env:"GRANTWOOD_SMTP_PASSWORD"`
	SMTPFrom     string `name:"smtp-from" help:"Sender of our mail, such as \"Accounts <accounts@example.com>\"." env:"GRANTWOOD_SMTP_FROM"`
}

// secret is text that no way of printing shows.
type secret string

// String gives no secret.
func (secret) String() string { return "(hidden)" }

// GoString gives no secret.
func (secret) GoString() string { return "(hidden)" }

// LogValue gives no secret.
func (secret) LogValue() slog.Value { return slog.StringValue("(hidden)") }

// check refuses settings that cannot work, with what to do.
func (s smtpSettings) check() error {
	if s.SMTPHost == "" {
		if s.SMTPUser != "" || s.SMTPPassword != "" || s.SMTPFrom != "" || s.SMTPPort != 0 {
			return errors.New("--smtp-host (GRANTWOOD_SMTP_HOST) is missing while other SMTP settings are there: set it, or none of them")
		}
		return nil
	}
	return errors.Join(s.checkServer(), s.checkUser(), s.checkFrom())
}

func (s smtpSettings) checkServer() error {
	if strings.ContainsAny(s.SMTPHost, ":/ ") && !strings.Contains(s.SMTPHost, "::") {
		return fmt.Errorf("--smtp-host (GRANTWOOD_SMTP_HOST) is %q: give the name or address of a server, the port apart", s.SMTPHost)
	}
	if s.SMTPPort < 0 || s.SMTPPort > 65535 {
		return fmt.Errorf("--smtp-port (GRANTWOOD_SMTP_PORT) is %d: give a port from 1 to 65535", s.SMTPPort)
	}
	if mail.TLSMode(s.SMTPTLS).Port() == 0 {
		return fmt.Errorf("--smtp-tls (GRANTWOOD_SMTP_TLS) is %q: choose starttls, tls or none", s.SMTPTLS)
	}
	return nil
}

func (s smtpSettings) checkUser() error {
	switch {
	case s.SMTPUser == "" && s.SMTPPassword != "":
		return errors.New("--smtp-user (GRANTWOOD_SMTP_USER) is missing while there is a password: set both or none")
	case s.SMTPUser != "" && s.SMTPPassword == "":
		return errors.New("--smtp-password (GRANTWOOD_SMTP_PASSWORD) is missing while there is a user: set both or none")
	case s.SMTPUser != "" && s.SMTPTLS == string(mail.TLSNone):
		return errors.New("--smtp-tls (GRANTWOOD_SMTP_TLS) is none, which would send the password readable: choose starttls or tls")
	}
	return nil
}

func (s smtpSettings) checkFrom() error {
	if s.SMTPFrom == "" {
		return errors.New("--smtp-from (GRANTWOOD_SMTP_FROM) is missing: give the address that mail comes from")
	}
	if _, err := netmail.ParseAddress(s.SMTPFrom); err != nil {
		return fmt.Errorf("--smtp-from (GRANTWOOD_SMTP_FROM) is %q: give an address such as \"Accounts <accounts@example.com>\"", s.SMTPFrom)
	}
	return nil
}

// on reports whether mail is sent.
func (s smtpSettings) on() bool { return s.SMTPHost != "" }

// transport gives the way to the SMTP server. The settings are checked.
func (s smtpSettings) transport() mail.SMTP {
	t := mail.SMTP{Host: s.SMTPHost, Port: s.SMTPPort, TLS: mail.TLSMode(s.SMTPTLS), User: s.SMTPUser, Password: string(s.SMTPPassword)}
	if t.Port == 0 {
		t.Port = t.TLS.Port()
	}
	if from, err := netmail.ParseAddress(s.SMTPFrom); err == nil {
		t.From = *from
	}
	return t
}

// sendMail is a job that sends what is in the queue.
func sendMail(d *db.DB, t mail.Transport, m *server.Metrics, log *slog.Logger) job {
	return func(ctx context.Context) {
		mail.Worker{DB: d, Transport: t, Log: log, Tried: func(o mail.Outcome) { m.Mail(string(o)) }}.Run(ctx)
	}
}
