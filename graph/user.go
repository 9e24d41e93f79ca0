package graph

import (
	"strings"
	"time"
)

// UserStatus is the state of a user in an account.
type UserStatus string

// States of a user. A disabled one is refused; grants are kept for the return.
const (
	UserActive   UserStatus = "ACTIVE"
	UserDisabled UserStatus = "DISABLED"
)

// User is a person in one account.
type User struct {
	AccountID    UUID
	UserID       UUID
	PersonID     UUID
	Email        string
	DisplayName  string
	SortName     string // the name as lists sort it
	IsPrimary    bool
	Granted      CapabilitySet // what is stored; empty for the primary user, who holds all
	Status       UserStatus
	RulesVersion int64 // raised by every change of what the user may do or see
	LastSignInAt *time.Time
	CreatedAt    time.Time
	Nested       Nested
}

// IsNode marks what has a global ID.
func (*User) IsNode() {}

// IsActor marks what can have done something.
func (*User) IsActor() {}

// ID gives the global ID.
func (u *User) ID() ID { return ID{Kind: KindUser, Account: u.AccountID, Object: u.UserID} }

// Effective gives what the user may do: everything for the primary user.
func (u *User) Effective() CapabilitySet {
	if u.IsPrimary {
		return AllCapabilities
	}
	return u.Granted
}

// Capabilities lists what the user may do.
func (u *User) Capabilities() []Capability { return u.Effective().List() }

// Role names what the user may do.
func (u *User) Role() *Role {
	role := RolePrimary
	if !u.IsPrimary {
		role = u.Granted.Role()
	}
	return &role
}

// VisibleTo reports whether v sees the user: itself, the primary user, or all of them. Tokens and keys see none.
func (u *User) VisibleTo(v *Viewer) bool {
	return u != nil && v.Enters(u.AccountID) && (v.Kind == KindOfUser && (u.IsPrimary || u.UserID == v.UserID()) || v.SeesAllUsers())
}

// EmailKey gives the form of an address under which it is known: without blanks around it and in lower case.
func EmailKey(address string) string { return strings.ToLower(strings.TrimSpace(address)) }

// NameFromEmail gives the part of an address before the @, for people who give no name.
func NameFromEmail(address string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(address), "@")
	return name
}

// SignInInput holds an address, a password and, when the person is in several accounts, the account to enter.
type SignInInput struct {
	Email     string
	Password  string
	AccountID *ID
}

// UserFilter restricts a list of users; all parts must match.
type UserFilter struct {
	Search *string
	Role   *Role
	Status *UserStatus
}
