package graph

import "time"

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
	CreatedAt  time.Time
}

// IsNode marks what has a global ID.
func (*Account) IsNode() {}

// ID gives the global ID.
func (a *Account) ID() ID { return ID{Kind: KindAccount, Account: a.AccountID} }

// Limits gives the account itself, which holds them.
func (a *Account) Limits() *Account { return a }

// VisibleTo reports whether v sees the account: its own, operators any.
func (a *Account) VisibleTo(v *Viewer) bool { return a != nil && v.Enters(a.AccountID) }

// CreateAccountInput describes a new account and whom to invite as its primary user.
type CreateAccountInput struct {
	Name         string
	Currency     string
	PrimaryEmail string
	// IdempotencyKey is no part of what is compared with an earlier call.
	IdempotencyKey *string `json:"-"`
}
