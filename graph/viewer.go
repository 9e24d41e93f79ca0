package graph

import (
	"slices"
	"time"
)

// PrincipalKind is a kind of caller.
type PrincipalKind string

// The kinds of callers; Nobody is a caller without credentials.
const (
	Nobody       PrincipalKind = ""
	KindOfUser   PrincipalKind = "USER"
	KindOfToken  PrincipalKind = "TOKEN"
	KindOfKey    PrincipalKind = "KEY"
	KindOperator PrincipalKind = "OPERATOR"
)

// Request says when and from where a call came, for the audit trail and for rules that depend on the time. One
// request has one time: every statement and every rule of it agrees on what has expired.
type Request struct {
	ID      string    // as in the response header X-Request-Id
	Address string    // network address of the caller, empty for commands
	At      time.Time // when the request arrived, in microseconds, UTC
	Links   Links     // what links to people begin with, empty for commands
}

// Viewer is whoever makes a request. The zero Viewer is nobody.
type Viewer struct {
	Kind        PrincipalKind
	Account     *Account     // account that the credentials are bound to; nil for operators and nobody
	User        *User        // nil unless Kind is KindOfUser
	AccessToken *AccessToken // nil unless Kind is KindOfToken
	Creator     *User        // of the access token, whose rights bound it; nil unless Kind is KindOfToken
	ApiKey      *ApiKey      // nil unless Kind is KindOfKey
	Proof       [32]byte     // SHA-256 of the secret that a key called with, to find out later whether it still is good
	Operator    *Operator    // nil unless Kind is KindOperator
	SessionID   UUID
	Keys        *KeySet // what decides about visible keys and units, from a source other than the SQL predicate; nil for those who see all
	Request     Request
}

// Capabilities gives what the viewer may do in its account now; nothing for operators and nobody.
func (v *Viewer) Capabilities() []Capability { return v.capabilities().List() }

func (v *Viewer) capabilities() CapabilitySet {
	switch v.Kind {
	case KindOfUser:
		return v.User.Effective()
	case KindOfToken:
		return v.AccessToken.Granted & v.Creator.Effective() & TokenCapabilities
	case KindOfKey:
		return KeyCapabilities
	}
	return 0
}

// May reports whether the viewer holds the capability: a user, a token as far as its creator holds it too, or a key.
func (v *Viewer) May(c Capability) bool { return v.capabilities().Has(c) }

// HasScope reports whether the viewer is an operator who holds the scope; ADMIN includes SUPPORT.
func (v *Viewer) HasScope(s OperatorScope) bool {
	if v.Kind != KindOperator {
		return false
	}
	held := v.Operator.Scopes
	return slices.Contains(held, s) || s == ScopeSupport && slices.Contains(held, ScopeAdmin)
}

// Meets reports Unauthenticated when nobody is calling, and Forbidden when the viewer is of another kind, an operator
// without the scope, or anybody else without the capability. A nil capability or scope asks for nothing.
func (v *Viewer) Meets(by []PrincipalKind, c *Capability, s *OperatorScope) error {
	switch {
	case v.Kind == Nobody:
		return refuse(Unauthenticated, "", "Sign in first, or again: the credentials are missing or no longer valid.")
	case !slices.Contains(by, v.Kind):
		return refuse(Forbidden, "", "This is not for callers of the kind "+string(v.Kind)+".")
	case v.Kind != KindOperator && c != nil && !v.May(*c):
		return refuse(Forbidden, "", "This needs the capability "+string(*c)+".")
	case v.Kind == KindOperator && s != nil && !v.HasScope(*s):
		return refuse(Forbidden, "", "This needs the scope "+string(*s)+".")
	}
	return nil
}

// IsPrimary reports whether the viewer owns its account.
func (v *Viewer) IsPrimary() bool { return v.Kind == KindOfUser && v.User.IsPrimary }

// UserID gives the viewer's user, the zero UUID for others.
func (v *Viewer) UserID() UUID {
	if v.Kind != KindOfUser {
		return UUID{}
	}
	return v.User.UserID
}

// AccountID gives the account that the viewer is bound to, the zero UUID for others.
func (v *Viewer) AccountID() UUID {
	if v.Account == nil {
		return UUID{}
	}
	return v.Account.AccountID
}

// Self gives the identifier of the user, token or key that is calling, the zero UUID for others.
func (v *Viewer) Self() UUID {
	switch v.Kind {
	case KindOfUser:
		return v.User.UserID
	case KindOfToken:
		return v.AccessToken.TokenID
	case KindOfKey:
		return v.ApiKey.KeyID
	}
	return UUID{}
}

// Enters reports whether the viewer may read anything at all in the account: users, tokens and keys in their own,
// operators with SUPPORT in any.
func (v *Viewer) Enters(account UUID) bool {
	if account.IsZero() {
		return false
	}
	return v.AccountID() == account || v.HasScope(ScopeSupport)
}

// SeesEveryKey reports whether no grant limits which keys of the account are visible: for the primary user and for
// operators with SUPPORT.
func (v *Viewer) SeesEveryKey() bool { return v.IsPrimary() || v.HasScope(ScopeSupport) }

// SeesKey reports whether the key of the account is in V(viewer).
func (v *Viewer) SeesKey(account, key UUID) bool {
	switch {
	case !v.Enters(account):
		return false
	case v.Kind == KindOfKey:
		return key == v.ApiKey.KeyID
	}
	return v.SeesEveryKey() || v.Keys.Has(key, v.Request.At)
}

// SeesUnit reports whether the unit of the account is visible: a visible key is in or below it, or it holds no key and the
// viewer manages keys; all units for whoever sees every key.
func (v *Viewer) SeesUnit(account, unit UUID) bool {
	if !v.Enters(account) {
		return false
	}
	return v.SeesEveryKey() || v.Keys.HasUnit(unit, v.Request.At, v.SeesEmptyUnits())
}

// SeesWholeUnit reports whether the unit of the account is visible, and every key in and below it, deleted ones included.
func (v *Viewer) SeesWholeUnit(account, unit UUID) bool {
	return v.SeesUnit(account, unit) && (v.SeesEveryKey() || !v.Keys.Lacks(unit, v.Request.At))
}

// SeesEmptyUnits reports whether units without keys are visible.
func (v *Viewer) SeesEmptyUnits() bool { return v.May(ManageKeys) }

// SeesAllUsers reports whether all users of the account are visible, not only the viewer and the primary user.
func (v *Viewer) SeesAllUsers() bool {
	return v.May(ManageUsers) || v.May(ManageGrants) || v.HasScope(ScopeSupport)
}

// SeesGrantsOfOthers reports whether grants of other users are visible.
func (v *Viewer) SeesGrantsOfOthers() bool { return v.May(ManageGrants) || v.HasScope(ScopeSupport) }

// SeesUserDetails reports whether status, capabilities, role and last sign-in of other users are visible, and who is
// invited.
func (v *Viewer) SeesUserDetails() bool { return v.May(ManageUsers) || v.HasScope(ScopeSupport) }

// SeesAudit reports whether the audit trail is visible.
func (v *Viewer) SeesAudit() bool { return v.May(ViewAudit) || v.HasScope(ScopeSupport) }

// Label names the viewer in the audit trail.
func (v *Viewer) Label() string {
	switch v.Kind {
	case KindOfUser:
		return v.User.DisplayName
	case KindOfToken:
		return v.AccessToken.Name
	case KindOfKey:
		return v.ApiKey.Name
	case KindOperator:
		return v.Operator.Label
	}
	return "nobody"
}

// MayChange refuses changes from within a suspended account: AccountSuspended.
func (v *Viewer) MayChange() error {
	if v.Account != nil && v.Account.Status == Suspended {
		return refuse(AccountSuspended, "", "The account is suspended by the provider: reading works, changes do not.")
	}
	return nil
}
