package graph

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// InvitationStatus is the state of an invitation.
type InvitationStatus string

// States of an invitation. A pending one whose time is over reads as expired.
const (
	InvitationPending  InvitationStatus = "PENDING"
	InvitationAccepted InvitationStatus = "ACCEPTED"
	InvitationRevoked  InvitationStatus = "REVOKED"
	InvitationExpired  InvitationStatus = "EXPIRED"
)

// Invitation is an offer to join an account.
type Invitation struct {
	AccountID        UUID
	InvitationID     UUID
	Email            string
	ForPrimary       bool // the invitee becomes the primary user
	Granted          CapabilitySet
	WithoutMasterKey bool
	Status           InvitationStatus
	InvitedBy        *User     // nil when the provider invited, or the user is gone or hidden
	Keys             []*ApiKey // to enable on joining, as far as visible to the viewer
	SentAt           time.Time
	ExpiresAt        time.Time
}

// IsNode marks what has a global ID.
func (*Invitation) IsNode() {}

// ID gives the global ID.
func (i *Invitation) ID() ID {
	return ID{Kind: KindInvitation, Account: i.AccountID, Object: i.InvitationID}
}

// Capabilities lists what the invitee will be able to do.
func (i *Invitation) Capabilities() []Capability {
	if i.ForPrimary {
		return AllCapabilities.List()
	}
	return i.Granted.List()
}

// Role names what the invitee will be able to do.
func (i *Invitation) Role() Role {
	if i.ForPrimary {
		return RolePrimary
	}
	return i.Granted.Role()
}

// VisibleTo reports whether v manages users of the account, or is an operator who reads it.
func (i *Invitation) VisibleTo(v *Viewer) bool {
	return i != nil && v.Enters(i.AccountID) && v.SeesUserDetails()
}

// InviteUserInput describes an invitation.
type InviteUserInput struct {
	Email            string
	Access           AccessInput
	KeyIds           []ID
	WithoutMasterKey bool
	ValidDays        int
	// IdempotencyKey is no part of what is compared with an earlier call.
	IdempotencyKey *string `json:"-"`
}

// MayInvite checks that v gives nothing that it does not have: NotAllowed for a capability that v lacks, and for keys
// without MANAGE_GRANTS. Whether v sees the keys is for the database to say.
func (v *Viewer) MayInvite(set CapabilitySet, keys int) error {
	if !v.capabilities().Contains(set) {
		return refuse(NotAllowed, "input.access", "Nobody gives a capability that they do not hold.")
	}
	if keys > 0 && !v.May(ManageGrants) {
		return refuse(NotAllowed, "input.keyIds", "Enabling keys needs MANAGE_GRANTS.")
	}
	return nil
}

// MayInviteKey reports InvalidState for the i-th key of an invitation when it is deleted.
func MayInviteKey(k *ApiKey, i int) error {
	if k.DeletedAt != nil {
		return refuse(InvalidState, "input.keyIds."+strconv.Itoa(i), "The key is deleted.")
	}
	return nil
}

// MayInviteMore reports LimitReached when users and pending invitations fill the account.
func (a *Account) MayInviteMore(users int) error {
	return atMost(a.MaxUsers, users+1, "", "The account has reached its limit of users.")
}

// AcceptInvitationInput holds the token of an invitation's link, and the person.
type AcceptInvitationInput struct {
	Token       string
	DisplayName *string
	Password    string
}

// InvitationIDInput names an invitation.
type InvitationIDInput struct{ InvitationID ID }

// MayResend checks that v may send the invitation again, with the keys that it will have then. A new link is in the
// answer, so v gives what the invitation gives: NotAllowed for what MayInvite refuses, and for operators unless it
// invites a primary user. InvalidState when it is accepted or revoked.
func (v *Viewer) MayResend(i *Invitation, keys int) error {
	const path = "input.invitationId"
	switch {
	case v.Kind == KindOperator && !i.ForPrimary:
		return refuse(NotAllowed, path, "The provider sends invitations of primary users only.")
	case v.Kind != KindOperator && i.ForPrimary:
		return refuse(NotAllowed, path, "The provider invites the primary user.")
	case i.Status != InvitationPending && i.Status != InvitationExpired:
		return refuse(InvalidState, path, "The invitation is accepted or revoked.")
	case v.Kind == KindOperator:
		return nil
	}
	if e, refused := errors.AsType[*Error](v.MayInvite(i.Granted, keys)); refused {
		return e.At(path)
	}
	return nil
}

// MayRevoke checks that v may withdraw the invitation: NotAllowed when it invites the primary user, or gives a
// capability that v lacks; InvalidState when it is accepted.
func (v *Viewer) MayRevoke(i *Invitation) error {
	const path = "input.invitationId"
	switch {
	case i.ForPrimary:
		return refuse(NotAllowed, path, "The provider invites the primary user.")
	case !v.capabilities().Contains(i.Granted):
		return refuse(NotAllowed, path, "The invitation gives a capability that you do not hold.")
	case i.Status == InvitationAccepted:
		return refuse(InvalidState, path, "The invitation is accepted.")
	}
	return nil
}

// InvitationPreview is what the holder of an invitation's link may know before they accept.
type InvitationPreview struct {
	AccountName   string
	InvitedByName *string // nil when the provider invited, or the user is gone
	Email         string
	ExpiresAt     time.Time
}

// MaskedEmail gives the invited address with all but the first character of its name hidden.
func (p *InvitationPreview) MaskedEmail() string {
	name, domain, _ := strings.Cut(p.Email, "@")
	_, size := utf8.DecodeRuneInString(name)
	return name[:size] + "…@" + domain
}
