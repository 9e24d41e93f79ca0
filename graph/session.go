package graph

import (
	"strings"
	"time"
)

// Session is one of the sessions of a person, as that person sees it.
type Session struct {
	AccountID   UUID
	SessionID   UUID
	AccountName string
	CreatedAt   time.Time
	LastUsedAt  time.Time // to within five minutes
	ExpiresAt   time.Time
	Current     bool
	IPAddress   *string // where it was started; nil when that is unknown
}

// ID gives the global ID.
func (s *Session) ID() ID { return ID{Kind: KindSession, Account: s.AccountID, Object: s.SessionID} }

// Membership is that a person is an active user of an account, as that person sees it.
type Membership struct {
	Account     UUID
	AccountName string
	IsPrimary   bool
	Granted     CapabilitySet
	Current     bool
}

// AccountID gives the ID of the account.
func (m *Membership) AccountID() ID { return ID{Kind: KindAccount, Account: m.Account} }

// Role names what the person may do there.
func (m *Membership) Role() Role {
	if m.IsPrimary {
		return RolePrimary
	}
	return m.Granted.Role()
}

// SignOutInput says which sessions to end.
type SignOutInput struct{ Everywhere bool }

// RevokeSessionInput names a session.
type RevokeSessionInput struct{ SessionID ID }

// SwitchAccountInput names an account.
type SwitchAccountInput struct{ AccountID ID }

// UpdateProfileInput holds new values of a person.
type UpdateProfileInput struct{ DisplayName string }

// Name gives the new name without blanks around it: Invalid when nothing is left.
func (in UpdateProfileInput) Name() (string, error) {
	name := strings.TrimSpace(in.DisplayName)
	if name == "" {
		return "", refuse(Invalid, "input.displayName", "A name has something that can be seen.")
	}
	return name, nil
}

// ChangePasswordInput holds the password in use and a new one.
type ChangePasswordInput struct {
	CurrentPassword string
	NewPassword     string
}

// RequestPasswordResetInput holds an address.
type RequestPasswordResetInput struct{ Email string }

// ResetPasswordInput holds the token of a link and a new password.
type ResetPasswordInput struct {
	Token       string
	NewPassword string
}
