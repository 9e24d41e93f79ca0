package graph

import (
	"cmp"
	"slices"
	"time"
)

// GrantSource says where an effective grant comes from.
type GrantSource string

// The sources.
const (
	FromExplicit GrantSource = "EXPLICIT"
	FromUnit     GrantSource = "UNIT"
	FromDefault  GrantSource = "DEFAULT"
)

// GrantState says what to do with a grant.
type GrantState string

// The states. GrantInherit removes what was set, so that units or the default decide.
const (
	GrantEnabled  GrantState = "ENABLED"
	GrantDisabled GrantState = "DISABLED"
	GrantInherit  GrantState = "INHERIT"
)

// Rule is what was set for one user and one key.
type Rule struct {
	Enabled   bool
	ExpiresAt *time.Time
}

// Holds reports whether the rule counts at the time: it does until it ends by itself.
func (r *Rule) Holds(at time.Time) bool {
	return r != nil && (r.ExpiresAt == nil || r.ExpiresAt.After(at))
}

// Effective gives whether a key is enabled for an additional user at a time, and what decided, first match wins: the explicit
// rule unless it has expired, the nearest unit with a rule, the default, which enables the master key and nothing else.
func (k KeyRule) Effective(at time.Time) (enabled bool, from GrantSource) {
	switch {
	case k.Explicit.Holds(at):
		return k.Explicit.Enabled, FromExplicit
	case k.Unit != nil:
		return *k.Unit, FromUnit
	}
	return k.IsMaster, FromDefault
}

// Grant is whether a key is enabled for an additional user: the effective state of the pair, present even when
// nothing was set.
type Grant struct {
	User      *User
	Key       *ApiKey
	Enabled   bool
	Source    GrantSource
	UnitID    *UUID // unit whose rule decides
	ExpiresAt *time.Time
	UpdatedAt *time.Time // nil when nothing was set
	UpdaterID *UUID      // the user who set it; nil when nobody of the account did
	Nested    Nested
}

// IsNode marks what has a global ID.
func (*Grant) IsNode() {}

// ID gives the global ID of the pair.
func (g *Grant) ID() ID {
	return ID{Kind: KindGrant, Account: g.Key.AccountID, Object: g.User.UserID, Second: g.Key.KeyID}
}

// VisibleTo reports whether v sees the key, and the user is v or v sees the grants of others.
func (g *Grant) VisibleTo(v *Viewer) bool {
	return g != nil && g.Key.VisibleTo(v) && g.User.AccountID == g.Key.AccountID && v.SeesGrantOf(g.User.UserID)
}

// SeesGrantOf reports whether v sees grants of the user, as far as it sees their keys.
func (v *Viewer) SeesGrantOf(user UUID) bool {
	return !user.IsZero() && user == v.UserID() || v.SeesGrantsOfOthers()
}

// MaySetGrant checks a change of the grant of user u for key k, both visible to v: what MayChangeGrantsOf and MayChangeGrants
// refuse; Invalid for a state that is none, and for an end that is past or belongs to no enabled grant.
func (v *Viewer) MaySetGrant(u *User, k *ApiKey, in SetGrantInput) error {
	return cmp.Or(in.State.check("input.state"), v.MayChangeGrantsOf(u, "input.userId"), k.MayChangeGrants("input.keyId"),
		v.mayEnd(in, "input.expiresAt"))
}

// Enables gives what is set for a pair that is in the state; nil when nothing is.
func (s GrantState) Enables() *bool {
	if s == GrantInherit {
		return nil
	}
	enabled := s == GrantEnabled
	return &enabled
}

func (s GrantState) check(path string) error {
	if !slices.Contains([]GrantState{GrantEnabled, GrantDisabled, GrantInherit}, s) {
		return refuse(Invalid, path, "There is no such state of a grant.")
	}
	return nil
}

// MayChangeGrantsOf reports NotAllowed, at the path, for the primary user, who has no grants, and for v's own.
func (v *Viewer) MayChangeGrantsOf(u *User, path string) error {
	switch {
	case u.IsPrimary:
		return refuse(NotAllowed, path, "The primary user has no grants: every key is enabled for them.")
	case u.UserID == v.UserID():
		return refuse(NotAllowed, path, "Nobody changes their own grants.")
	}
	return nil
}

// MayChangeGrants reports InvalidState, at the path, for a deleted key, whose grants are frozen.
func (k *ApiKey) MayChangeGrants(path string) error {
	if k.DeletedAt != nil {
		return refuse(InvalidState, path, "The key is deleted; its grants are frozen.")
	}
	return nil
}

func (v *Viewer) mayEnd(in SetGrantInput, path string) error {
	switch {
	case in.ExpiresAt != nil && in.State != GrantEnabled:
		return refuse(Invalid, path, "Only an enabled grant ends by itself.")
	case in.ExpiresAt != nil && !in.ExpiresAt.After(v.Request.At):
		return refuse(Invalid, path, "The end of a grant lies in the future.")
	}
	return nil
}

// SetGrantInput is a change of one grant.
type SetGrantInput struct {
	UserID    ID
	KeyID     ID
	State     GrantState
	ExpiresAt *time.Time
}

// GrantFilter restricts a list of grants; all parts must match.
type GrantFilter struct {
	UserID  *ID
	KeyID   *ID
	Enabled *bool
	Source  *GrantSource
}
