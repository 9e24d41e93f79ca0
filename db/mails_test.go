package db_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// TestNotices: who gets which notice, and what it says.
func TestNotices(t *testing.T) {
	t.Parallel()
	c := dbtest.Config(t, dbtest.Copy(t, ""))
	c.SendMail = true
	d, err := db.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := now()
	end := r.At.Add(time.Hour)
	link := graph.Links("https://x.example").PasswordReset("gwr_0")
	err = db.Notices(t.Context(), d, r, &graph.Account{Name: "Globex"}, &graph.User{Email: "olivia@test.example", DisplayName: "Olivia"},
		&graph.User{Email: "adam@test.example", DisplayName: "Adam"}, link, end)
	if err != nil {
		t.Fatal(err)
	}
	due, err := d.DueMails(t.Context(), r.At, 10)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]graph.MailContent{}
	for _, m := range due {
		mail, err := d.ClaimMail(t.Context(), m, r.At.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if !mail.GiveUpAt.Equal(r.At.AddDate(0, 0, 1)) || mail.Attempts != 1 {
			t.Errorf("%s: attempt %d, given up at %v", mail.Kind, mail.Attempts, mail.GiveUpAt)
		}
		got[string(mail.Kind)+" to "+mail.Recipient] = mail.Content
	}
	handedOver := graph.MailContent{Account: "Globex", By: "Olivia", To: "Adam", At: &r.At}
	want := map[string]graph.MailContent{
		"PASSWORD_RESET to olivia@test.example":   {Link: "https://x.example/password#gwr_0", ExpiresAt: &end},
		"PASSWORD_CHANGED to olivia@test.example": {At: &r.At},
		"HANDED_OVER to olivia@test.example":      handedOver,
		"HANDED_OVER to adam@test.example":        handedOver,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestClaimThatHasEnded: who comes back too late changes nothing for the one who has the mail now.
func TestClaimThatHasEnded(t *testing.T) {
	t.Parallel()
	c := dbtest.Config(t, dbtest.Copy(t, ""))
	c.SendMail = true
	d, err := db.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := now()
	o := must(opened(d.CreateOperator(t.Context(), "Test", graph.ScopeList{graph.ScopeAdmin})))
	must(d.CreateAccount(t.Context(), &graph.Viewer{Kind: graph.KindOperator, Operator: o, Request: r},
		graph.CreateAccountInput{Name: "Test", Currency: "EUR", PrimaryEmail: "owner@test.example"}))
	claim := func(at time.Time) *graph.Mail {
		t.Helper()
		due := must(d.DueMails(t.Context(), at, 10))
		if len(due) != 1 {
			t.Fatalf("%d mails are due", len(due))
		}
		m := must(d.ClaimMail(t.Context(), due[0], at.Add(time.Minute)))
		if m == nil {
			t.Fatal("the mail cannot be claimed")
		}
		return m
	}
	late := claim(r.At)
	second := claim(late.DueAt)
	if second.Attempts != 2 {
		t.Errorf("attempt %d, want 2", second.Attempts)
	}
	if err := d.PutOffMail(t.Context(), late, r.At); err != nil {
		t.Fatal(err)
	}
	if due := must(d.DueMails(t.Context(), second.DueAt.Add(-time.Second), 10)); len(due) != 0 {
		t.Error("the mail is due although somebody has it")
	}
	if err := d.PutOffMail(t.Context(), second, r.At); err != nil {
		t.Fatal(err)
	}
	if due := must(d.DueMails(t.Context(), r.At, 10)); len(due) != 1 {
		t.Error("the mail is not due although it was put off till now")
	}
}

func opened(o *graph.Operator, _ string, err error) (*graph.Operator, error) { return o, err }
