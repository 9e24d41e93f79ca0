package graph

import (
	"slices"
	"time"
)

// TokenCapabilities are those that an access token may hold.
var TokenCapabilities = Capabilities(ViewUsage, RotateSecrets)

// KeyCapabilities are those of a key that calls with its own secret.
var KeyCapabilities = Capabilities(ViewUsage)

// AccessTokenStatus is the state of an access token.
type AccessTokenStatus string

// States of an access token. One whose creator is disabled reads as revoked as long as that lasts.
const (
	TokenActive  AccessTokenStatus = "ACTIVE"
	TokenExpired AccessTokenStatus = "EXPIRED"
	TokenRevoked AccessTokenStatus = "REVOKED"
)

// AccessToken is the credential of a partner integration. At every call it sees its keys as far as its creator sees them,
// and may do what it holds as far as its creator may.
type AccessToken struct {
	AccountID  UUID
	TokenID    UUID
	Name       string
	Hint       string        // last characters of its text
	Granted    CapabilitySet // within TokenCapabilities
	Status     AccessTokenStatus
	CreatedBy  *User     // nil when hidden
	Keys       []*ApiKey // that it is limited to, as far as visible to the viewer
	CreatedAt  time.Time
	ExpiresAt  time.Time
	LastUsedAt *time.Time // exact to a minute
}

// IsNode marks what has a global ID.
func (*AccessToken) IsNode() {}

// IsActor marks what can have done something.
func (*AccessToken) IsActor() {}

// ID gives the global ID.
func (t *AccessToken) ID() ID {
	return ID{Kind: KindAccessToken, Account: t.AccountID, Object: t.TokenID}
}

// Capabilities lists what was given to the token; its creator's bound it at every call.
func (t *AccessToken) Capabilities() []Capability { return t.Granted.List() }

// VisibleTo reports whether v manages tokens of the account, is the token itself, or an operator who reads it.
func (t *AccessToken) VisibleTo(v *Viewer) bool {
	return t != nil && v.Enters(t.AccountID) && (v.SeesTokens() || v.Kind == KindOfToken && v.AccessToken.TokenID == t.TokenID)
}

// SeesTokens reports whether all access tokens of the account are visible.
func (v *Viewer) SeesTokens() bool { return v.May(ManageTokens) || v.HasScope(ScopeSupport) }

// CreateAccessTokenInput describes a new access token.
type CreateAccessTokenInput struct {
	Name         string
	Capabilities []Capability
	KeyIds       []ID
	ExpiresAt    time.Time
	// IdempotencyKey is no part of what is compared with an earlier call.
	IdempotencyKey *string `json:"-"`
}

// AccessTokenIDInput names an access token.
type AccessTokenIDInput struct{ AccessTokenID ID }

// MayCreateToken checks that a token gets nothing that v lacks: NotAllowed for a capability that v does not hold or that no
// token may hold; Invalid for an end that is past or more than a year ahead. Whether v sees the keys is for the database to
// say.
func (v *Viewer) MayCreateToken(in CreateAccessTokenInput) error {
	at := v.Request.At
	switch {
	case slices.ContainsFunc(in.Capabilities, func(c Capability) bool { return !TokenCapabilities.Has(c) }):
		return refuse(NotAllowed, "input.capabilities", "A token may hold VIEW_USAGE and ROTATE_SECRETS only.")
	case slices.ContainsFunc(in.Capabilities, func(c Capability) bool { return !v.May(c) }):
		return refuse(NotAllowed, "input.capabilities", "Nobody gives a capability that they do not hold.")
	case !in.ExpiresAt.After(at):
		return refuse(Invalid, "input.expiresAt", "The end of a token lies in the future.")
	case in.ExpiresAt.After(at.AddDate(1, 0, 0)):
		return refuse(Invalid, "input.expiresAt", "A token is valid for a year at most.")
	}
	return nil
}
