package graph

import (
	"strconv"
	"time"
)

// AccountStatus is the state of an account.
type AccountStatus string

// States of an account. Reading works in a suspended one, changes are refused.
const (
	Active    AccountStatus = "ACTIVE"
	Suspended AccountStatus = "SUSPENDED"
)

// Account is a customer of the provider: the root of a tree, and the boundary that nothing crosses.
type Account struct {
	AccountID  UUID
	Name       string
	Status     AccountStatus
	Currency   string // ISO 4217, capitals
	MaxUsers   int    // pending invitations included
	MaxApiKeys int    // deleted ones excluded, the master key included
	// MaxUnitDepth is the deepest level of units; 1 is the top.
	MaxUnitDepth int
	TreeVersion  int64 // raised when units or the places of keys change
	CreatedAt    time.Time
	SortName     string // the name as lists sort it; empty where no list was read
	Nested       Nested
}

// IsNode marks what has a global ID.
func (*Account) IsNode() {}

// ID gives the global ID.
func (a *Account) ID() ID { return ID{Kind: KindAccount, Account: a.AccountID} }

// Limits gives the account itself, which holds them.
func (a *Account) Limits() *Account { return a }

// VisibleTo reports whether v sees the account: its own, operators who read any.
func (a *Account) VisibleTo(v *Viewer) bool { return a != nil && v.Enters(a.AccountID) }

// CreateAccountInput describes a new account and whom to invite as its primary user.
type CreateAccountInput struct {
	Name         string
	Currency     string
	PrimaryEmail string
	// IdempotencyKey is no part of what is compared with an earlier call.
	IdempotencyKey *string `json:"-"`
}

// UpdateAccountInput holds new values of an account; what is nil stays as it is.
type UpdateAccountInput struct {
	AccountID     ID
	Status        *AccountStatus
	MaxUsers      *int
	MaxApiKeys    *int
	MaxUnitDepth  *int
	PrimaryUserID *ID
}

// Apply gives a the new values, apart from its owner, and says what differs. Limits below what is in use are fine: they
// refuse only what is new.
func (in UpdateAccountInput) Apply(a *Account) []*AuditChange {
	var list []*AuditChange
	if in.Status != nil && *in.Status != a.Status {
		list = append(list, Changed("status", string(a.Status), string(*in.Status)))
		a.Status = *in.Status
	}
	if in.MaxUsers != nil && *in.MaxUsers != a.MaxUsers {
		list = append(list, Changed("maxUsers", strconv.Itoa(a.MaxUsers), strconv.Itoa(*in.MaxUsers)))
		a.MaxUsers = *in.MaxUsers
	}
	if in.MaxApiKeys != nil && *in.MaxApiKeys != a.MaxApiKeys {
		list = append(list, Changed("maxApiKeys", strconv.Itoa(a.MaxApiKeys), strconv.Itoa(*in.MaxApiKeys)))
		a.MaxApiKeys = *in.MaxApiKeys
	}
	if in.MaxUnitDepth != nil && *in.MaxUnitDepth != a.MaxUnitDepth {
		list = append(list, Changed("maxUnitDepth", strconv.Itoa(a.MaxUnitDepth), strconv.Itoa(*in.MaxUnitDepth)))
		a.MaxUnitDepth = *in.MaxUnitDepth
	}
	return list
}

// MayBecomePrimary reports InvalidState for a user who is not active.
func (u *User) MayBecomePrimary() error {
	if u.Status != UserActive {
		return refuse(InvalidState, "input.primaryUserId", "The user is disabled; the primary user is an active one.")
	}
	return nil
}
