package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"grantwood/mail/mailtest"
)

// TestMail runs the program with an SMTP server: the owner of a new account accepts with the link in their mail, and nothing
// in the log lets anybody in.
func TestMail(t *testing.T) {
	t.Parallel()
	const password = "pass phrase, never shown"
	s := mailtest.Start(t, mailtest.Options{STARTTLS: true, User: "grantwood", Password: password})
	_, authority := mailtest.Authority()
	file := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(file, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	env := environment("GRANTWOOD_DATA_DIR="+dataDir(t), "GRANTWOOD_LOG_LEVEL=debug",
		"GRANTWOOD_SMTP_HOST="+s.Host, "GRANTWOOD_SMTP_PORT="+strconv.Itoa(s.Port), "GRANTWOOD_SMTP_USER=grantwood",
		"GRANTWOOD_SMTP_PASSWORD="+password, "GRANTWOOD_SMTP_FROM=Accounts <accounts@provider.example>", "SSL_CERT_FILE="+file)
	p := start(t, env, "serve")
	token, err := run(t, env, "operator", "create", "--label", "Test", "--scopes", "admin")
	if err != nil {
		t.Fatal(err)
	}
	link := at(p.mustAsk(t, strings.TrimSpace(token), `mutation { createAccount(input: {name: "Test", currency: "EUR", primaryEmail: "owner@test.example"}) {
		userErrors { message } link } }`, nil), "createAccount", "link")
	m := s.Next(t).Read(t)
	if !strings.HasPrefix(link, p.url+"/invitation#gwi_") || !strings.Contains(m.Text, "\n"+link+"\n") {
		t.Errorf("the link of the answer is %q, the mail says\n%s", link, m.Text)
	}
	_, invitation, _ := strings.Cut(link, "#")
	p.mustAsk(t, "", `mutation($t: String!) { acceptInvitation(input: {token: $t, password: "correct horse battery"}) {
		userErrors { message } sessionToken } }`, map[string]any{"t": invitation})
	if out, err := run(t, env, "doctor"); err != nil || !strings.Contains(out, "mail goes to "+s.Addr+" (starttls)") || strings.Contains(out, password) {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	p.stop(t)
	if text := p.out.String(); strings.Contains(text, password) || strings.Contains(text, "gwi_") || strings.Contains(text, "gws_") {
		t.Errorf("the log holds a secret:\n%s", text)
	}
	if help, err := run(t, env, "serve", "--help"); err != nil || strings.Contains(help, password) || !strings.Contains(help, "GRANTWOOD_SMTP_PASSWORD") {
		t.Errorf("help: %v\n%s", err, help)
	}
}

// TestDemoShowsMail: the demo sends nothing, and shows what it would send.
func TestDemoShowsMail(t *testing.T) {
	t.Parallel()
	p := start(t, environment("GRANTWOOD_DEMO_DIR="+dataDir(t)), "demo", "--usage", "0")
	link := at(p.mustAsk(t, signedIn(t, p, "owner@globex.example"), `mutation { inviteUser(input: {email: "you@globex.example", access: {role: REPORTING}}) {
		userErrors { message } link } }`, nil), "inviteUser", "link")
	eventually(t, "the mail is in the log", func() bool {
		out := p.out.String()
		return strings.Contains(out, "to=you@globex.example") && strings.Contains(out, `subject="Olivia Owner invites you to Globex"`) && strings.Contains(out, link)
	})
	if n := strings.Count(p.out.String(), "msg=mail "); n != 1 {
		t.Errorf("the log shows %d mails, want 1", n)
	}
	p.stop(t)
}

func TestWrongMailSettings(t *testing.T) {
	t.Parallel()
	good := []string{"GRANTWOOD_SMTP_HOST=mail.example.com", "GRANTWOOD_SMTP_FROM=accounts@example.com"}
	for _, c := range []struct {
		name string
		env  []string
		want string
	}{
		{"no host", []string{"GRANTWOOD_SMTP_HOST=", "GRANTWOOD_SMTP_USER=7Q"}, "GRANTWOOD_SMTP_HOST"},
		{"host with a port", []string{"GRANTWOOD_SMTP_HOST=mail.example.com:25"}, "GRANTWOOD_SMTP_HOST"},
		{"port", []string{"GRANTWOOD_SMTP_PORT=70000"}, "GRANTWOOD_SMTP_PORT"},
		{"port that is no number", []string{"GRANTWOOD_SMTP_PORT=smtp"}, "smtp-port"},
		{"encryption", []string{"GRANTWOOD_SMTP_TLS=ssl"}, "GRANTWOOD_SMTP_TLS"},
		{"readable password", []string{"GRANTWOOD_SMTP_TLS=none", "GRANTWOOD_SMTP_USER=x", "GRANTWOOD_SMTP_PASSWORD=secret7Q"}, "GRANTWOOD_SMTP_TLS"},
		{"password without a user", []string{"GRANTWOOD_SMTP_PASSWORD=secret7Q"}, "GRANTWOOD_SMTP_USER"},
		{"user without a password", []string{"GRANTWOOD_SMTP_USER=x"}, "GRANTWOOD_SMTP_PASSWORD"},
		{"no sender", []string{"GRANTWOOD_SMTP_FROM="}, "GRANTWOOD_SMTP_FROM"},
		{"sender that is no address", []string{"GRANTWOOD_SMTP_FROM=Accounts"}, "GRANTWOOD_SMTP_FROM"},
		{"retention", []string{"GRANTWOOD_AUDIT_RETENTION=-1"}, "GRANTWOOD_AUDIT_RETENTION"},
		{"retention that is no number", []string{"GRANTWOOD_AUDIT_RETENTION=year"}, "audit-retention"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, command := range []string{"serve", "doctor"} {
				out, err := run(t, environment(append(append([]string{}, good...), c.env...)...), command, "--data-dir", "/nowhere")
				lines := strings.Split(strings.TrimSpace(out), "\n")
				if last := lines[len(lines)-1]; err == nil || !strings.Contains(last, c.want) || strings.Contains(out, "7Q") {
					t.Errorf("%s ended with %v, want a failure that names %s:\n%s", command, err, c.want, out)
				}
			}
		})
	}
}
