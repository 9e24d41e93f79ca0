package db_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// TestChangesSendMail: an invitation sent again, a new password and the way to it, and a new owner each queue their mail in
// the transaction of the change; for an address that nobody has, there is none.
func TestChangesSendMail(t *testing.T) {
	t.Parallel()
	config := dbtest.Config(t, dbtest.SharedName())
	config.SendMail = true
	d := must(db.Open(config))
	t.Cleanup(func() { _ = d.Close() })
	a := newAccount(t)
	a.db = d
	role := graph.RoleReporting
	invited := must(d.InviteUser(t.Context(), a.owner, graph.InviteUserInput{Email: <-addresses, Access: graph.AccessInput{Role: &role}, ValidDays: 7}))
	again := must(d.ResendInvitation(t.Context(), a.owner, invited.Invitation.ID()))
	u := a.join(t, again.Token)
	must(d.ChangePassword(t.Context(), u, graph.ChangePasswordInput{CurrentPassword: "correct horse battery", NewPassword: "another horse battery"}))
	for _, email := range []string{u.User.Email, <-addresses} {
		must(d.RequestPasswordReset(t.Context(), &graph.Viewer{Request: now()}, email))
	}
	a.owner.Request = now()
	must(d.TransferOwnership(t.Context(), a.owner, graph.TransferOwnershipInput{UserID: u.User.ID(), CurrentPassword: "correct horse battery",
		FormerOwnerAccess: graph.AccessInput{Role: &role}}))
	if err := d.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, who := range []struct {
		email string
		want  []string
	}{
		{u.User.Email, []string{"HANDED_OVER", "INVITATION", "INVITATION", "PASSWORD_CHANGED", "PASSWORD_RESET"}},
		{a.owner.User.Email, []string{"HANDED_OVER"}},
	} {
		var kinds []string
		if err := connect(t, dbtest.SharedName()).SelectContext(t.Context(), &kinds, `SELECT kind FROM mails WHERE recipient = $1`, who.email); err != nil {
			t.Fatal(err)
		}
		slices.Sort(kinds)
		if diff := cmp.Diff(who.want, kinds); diff != "" {
			t.Errorf("mail to %s (-want +got):\n%s", who.email, diff)
		}
	}
}
