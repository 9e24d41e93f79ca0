package mail_test

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
	"grantwood/mail"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

const link = "https://accounts.example.com/x#gwi_0"

// occasions are what mail is written for, and what it says then.
var occasions = []struct {
	kind          graph.MailKind
	content       graph.MailContent
	subject, text string
}{
	{graph.MailInvitation, graph.MailContent{Account: "Globex", By: "Olivia & Co", Link: link, ExpiresAt: &noon},
		"Olivia & Co invites you to Globex", `Olivia & Co invites you to the account Globex.

Open this address to accept:

https://accounts.example.com/x#gwi_0

It works once, until 1 March 2026, 12:00 UTC. Whoever has it can accept in your place: do not pass it on.

If you do not know what this is about, do nothing: without you nothing happens.
`},
	{graph.MailInvitation, graph.MailContent{Account: "Globex", Link: link, ExpiresAt: &noon},
		"You are invited to Globex", `You are invited to the account Globex.

Open this address to accept:

https://accounts.example.com/x#gwi_0

It works once, until 1 March 2026, 12:00 UTC. Whoever has it can accept in your place: do not pass it on.

If you do not know what this is about, do nothing: without you nothing happens.
`},
	{graph.MailInvitation, graph.MailContent{Account: "Globex", ForPrimary: true, Link: link, ExpiresAt: &noon},
		"Your account Globex", `The account Globex was made for you. You will own it: its keys, and who may use which.

Open this address to accept:

https://accounts.example.com/x#gwi_0

It works once, until 1 March 2026, 12:00 UTC. Whoever has it can accept in your place: do not pass it on.

If you do not know what this is about, do nothing: without you nothing happens.
`},
	{graph.MailPasswordReset, graph.MailContent{Link: link, ExpiresAt: &noon},
		"Choose a new password", `Somebody, most likely you, wants to choose a new password for this address.

Open this address to choose it:

https://accounts.example.com/x#gwi_0

It works once, until 1 March 2026, 12:00 UTC. Whoever has it can choose your password: do not pass it on.

If it was not you, do nothing: your password stays as it is.
`},
	{graph.MailHandedOver, graph.MailContent{Account: "Globex", By: "Olivia", To: "Adam", At: &noon},
		"Globex has a new owner", `Olivia handed the account Globex over to Adam, on 1 March 2026, 12:00 UTC.

Adam now owns it: its keys, and who may use which.

If nobody meant to do this, write to the provider of the account now.
`},
	{graph.MailHandedOver, graph.MailContent{Account: "Globex", To: "Adam", At: &noon},
		"Globex has a new owner", `The provider handed the account Globex over to Adam, on 1 March 2026, 12:00 UTC.

Adam now owns it: its keys, and who may use which.

If nobody meant to do this, write to the provider of the account now.
`},
	{graph.MailThresholdCrossed, graph.MailContent{Account: "Globex", Threshold: graph.MailThreshold{Object: "key", Name: "Europe\n& Asia", Measure: "cost", Limit: "10.5 EUR",
		When: "on 1 March 2026", Each: "day", TimeZone: "Europe/Berlin"}},
		"Globex: Europe & Asia has reached 10.5 EUR", `The cost of the key Europe & Asia reached 10.5 EUR on 1 March 2026 (Europe/Berlin).

It is one of the keys and units of the account Globex whose usage you may see. A threshold is told of once a day.
`},
	{graph.MailPasswordChanged, graph.MailContent{At: &noon},
		"Your password was changed", `The password of this address was changed, on 1 March 2026, 12:00 UTC.

If it was not you, have a link for a new password sent to you now, and write to the provider of your account.
`},
}

// TestTexts: what is said on each occasion. The HTML part says the same.
func TestTexts(t *testing.T) {
	t.Parallel()
	for _, c := range occasions {
		m, err := mail.Compose(&graph.Mail{Kind: c.kind, Recipient: "you@test.example", Content: c.content})
		if err != nil {
			t.Errorf("%s: %v", c.kind, err)
			continue
		}
		if diff := cmp.Diff([]string{c.subject, c.text}, []string{m.Subject, m.Text}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.kind, diff)
		}
		said := html.UnescapeString(tag.ReplaceAllString(m.HTML, ""))
		for line := range strings.Lines(c.text) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "Open this address") && !strings.Contains(said, line) {
				t.Errorf("%s: the HTML part does not say %q:\n%s", c.kind, line, said)
			}
		}
		if c.content.Link != "" && !strings.Contains(m.HTML, `<a href="`+link+`">`) {
			t.Errorf("%s: no link in\n%s", c.kind, m.HTML)
		}
	}
}

var tag = regexp.MustCompile(`<[^>]*>`)
