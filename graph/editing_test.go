package graph

import (
	"errors"
	"fmt"
	"testing"
)

// TestEditingRules is the list of escalations of the product, viewer × user → answer.
func TestEditingRules(t *testing.T) {
	t.Parallel()
	admin, part := as(1, AllCapabilities), as(2, Capabilities(ManageUsers, ViewUsage))
	less := &User{AccountID: home, UserID: UUID{50}, Granted: Capabilities(ViewUsage), Status: UserActive}
	peer := &User{AccountID: home, UserID: UUID{51}, Granted: AllCapabilities, Status: UserActive}
	asleep := &User{AccountID: home, UserID: UUID{52}, Status: UserDisabled}
	pending := &Invitation{AccountID: home, Granted: Capabilities(ViewUsage), Status: InvitationPending}
	in := func(change func(*Invitation)) *Invitation {
		i := *pending
		change(&i)
		return &i
	}
	accepted := in(func(i *Invitation) { i.Status = InvitationAccepted })
	revoked := in(func(i *Invitation) { i.Status = InvitationRevoked })
	expired := in(func(i *Invitation) { i.Status = InvitationExpired })
	strong := in(func(i *Invitation) { i.Granted = AllCapabilities })
	primary := in(func(i *Invitation) { i.ForPrimary = true })
	for _, row := range []struct {
		name string
		err  error
		want Code
		path string
	}{
		{"edit somebody with less", part.MayEdit(less), "", ""},
		{"edit a peer", admin.MayEdit(peer), "", ""},
		{"edit as the owner", owner().MayEdit(peer), "", ""},
		{"edit oneself", admin.MayEdit(admin.User), NotAllowed, "[input userId]"},
		{"edit oneself as the owner", owner().MayEdit(owner().User), NotAllowed, "[input userId]"},
		{"edit the owner", admin.MayEdit(owner().User), NotAllowed, "[input userId]"},
		{"edit somebody with more", part.MayEdit(peer), NotAllowed, "[input userId]"},
		{"give as much", part.MaySetCapabilities(less, Capabilities(ManageUsers, ViewUsage)), "", ""},
		{"give more", part.MaySetCapabilities(less, Capabilities(ViewAudit)), NotAllowed, "[input access]"},
		{"take from somebody with more", part.MaySetCapabilities(peer, 0), NotAllowed, "[input userId]"},
		{"give to the owner", admin.MaySetCapabilities(owner().User, 0), NotAllowed, "[input userId]"},
		{"hand over", owner().MayTransferTo(less), "", ""},
		{"hand over to oneself", owner().MayTransferTo(owner().User), NotAllowed, "[input userId]"},
		{"hand over to somebody disabled", owner().MayTransferTo(asleep), InvalidState, "[input userId]"},
		{"hand over what is another's", admin.MayTransferTo(less), NotAllowed, "[]"},
		{"hand over as an operator", provider(ScopeAdmin).MayTransferTo(less), NotAllowed, "[]"},
		{"resend", part.MayResend(pending, 0), "", ""},
		{"resend what has expired", part.MayResend(expired, 0), "", ""},
		{"resend with keys", admin.MayResend(pending, 2), "", ""},
		{"resend with keys and no right to grants", part.MayResend(pending, 2), NotAllowed, "[input invitationId]"},
		{"resend more than one has", part.MayResend(strong, 0), NotAllowed, "[input invitationId]"},
		{"resend what is accepted", admin.MayResend(accepted, 0), InvalidState, "[input invitationId]"},
		{"resend what is revoked", admin.MayResend(revoked, 0), InvalidState, "[input invitationId]"},
		{"resend the owner's as a user", admin.MayResend(primary, 0), NotAllowed, "[input invitationId]"},
		{"resend the owner's as an operator", provider(ScopeAdmin).MayResend(primary, 0), "", ""},
		{"resend another's as an operator", provider(ScopeAdmin).MayResend(pending, 0), NotAllowed, "[input invitationId]"},
		{"revoke", part.MayRevoke(pending), "", ""},
		{"revoke what has expired", part.MayRevoke(expired), "", ""},
		{"revoke again", part.MayRevoke(revoked), "", ""},
		{"revoke what is accepted", part.MayRevoke(accepted), InvalidState, "[input invitationId]"},
		{"revoke more than one has", part.MayRevoke(strong), NotAllowed, "[input invitationId]"},
		{"revoke the owner's", admin.MayRevoke(primary), NotAllowed, "[input invitationId]"},
	} {
		e, refused := errors.AsType[*Error](row.err)
		switch {
		case !refused && row.want != "":
			t.Errorf("%s is allowed, want %s", row.name, row.want)
		case refused && (e.Code != row.want || fmt.Sprint(e.Path) != row.path):
			t.Errorf("%s: %s at %v, want %q at %s", row.name, e.Code, e.Path, row.want, row.path)
		}
	}
}

func TestMaskedEmail(t *testing.T) {
	t.Parallel()
	for email, want := range map[string]string{"anna@example.com": "a…@example.com", "a@b.c": "a…@b.c", "ärger@example.com": "ä…@example.com", "@x": "…@x"} {
		if got := (&InvitationPreview{Email: email}).MaskedEmail(); got != want {
			t.Errorf("%s reads %s, want %s", email, got, want)
		}
	}
}
