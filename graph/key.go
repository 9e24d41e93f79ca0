package graph

import "time"

// ApiKeyStatus is the state of a key.
type ApiKeyStatus string

// States of a key. A deleted one is kept, without its secret, so that its history stays attributable.
const (
	KeyEnabled  ApiKeyStatus = "ENABLED"
	KeyDisabled ApiKeyStatus = "DISABLED"
	KeyDeleted  ApiKeyStatus = "DELETED"
)

// ApiKey is a credential of an account.
type ApiKey struct {
	AccountID      UUID
	KeyID          UUID
	Key            string // public part
	Name           string
	SortName       string // the name as lists sort it
	Kind           UnitKind
	UnitID         *UUID // unit that holds it; nil directly below the account
	IsMaster       bool
	Enabled        bool
	SecretHint     *string
	SecretIssuedAt *time.Time
	// PreviousSecretExpiresAt is the end of the secret before the present one; it may be past.
	PreviousSecretExpiresAt *time.Time
	CreatedAt               time.Time
	LastUsedAt              *time.Time // when it was last accepted with its secret, to a minute
	DeletedAt               *time.Time
	Nested                  Nested
}

// IsNode marks what has a global ID.
func (*ApiKey) IsNode() {}

// ID gives the global ID.
func (k *ApiKey) ID() ID { return ID{Kind: KindKey, Account: k.AccountID, Object: k.KeyID} }

// Status gives the state.
func (k *ApiKey) Status() ApiKeyStatus {
	switch {
	case k.DeletedAt != nil:
		return KeyDeleted
	case k.Enabled:
		return KeyEnabled
	}
	return KeyDisabled
}

// VisibleTo reports whether the key is in V(v). Its state plays no part.
func (k *ApiKey) VisibleTo(v *Viewer) bool { return k != nil && v.SeesKey(k.AccountID, k.KeyID) }

// CanManage reports whether v may change the key.
func (v *Viewer) CanManage(k *ApiKey) bool {
	return v.May(ManageKeys) && v.MayChange() == nil && k.DeletedAt == nil && k.VisibleTo(v)
}

// MaySetEnabled reports InvalidState for a deleted key, and NotAllowed when somebody other than the primary user
// disables the master key.
func (v *Viewer) MaySetEnabled(k *ApiKey, enabled bool) error {
	switch {
	case k.DeletedAt != nil:
		return refuse(InvalidState, "input.keyId", "The key is deleted.")
	case k.IsMaster && !enabled && !v.IsPrimary():
		return refuse(NotAllowed, "input.keyId", "Only the primary user may disable the master key.")
	}
	return nil
}

// MayUpdate reports InvalidState for a deleted key.
func (k *ApiKey) MayUpdate() error {
	if k.DeletedAt != nil {
		return refuse(InvalidState, "input.keyId", "The key is deleted.")
	}
	return nil
}

// MayDelete reports NotAllowed for the master key.
func (k *ApiKey) MayDelete() error {
	if k.IsMaster {
		return refuse(NotAllowed, "input.keyId", "The master key cannot be deleted.")
	}
	return nil
}

// MayCreateKey reports LimitReached when the account has as many keys as it may create by itself.
func (a *Account) MayCreateKey(keys int) error {
	return atMost(a.MaxApiKeys, keys+1, "", "The account has reached its limit of keys.")
}

// MayMoveKey reports NotAllowed for the master key, and for anybody but the primary user. Deleted keys move too, so that a
// unit can be emptied.
func (v *Viewer) MayMoveKey(k *ApiKey) error {
	switch {
	case k.IsMaster:
		return refuse(NotAllowed, "input.keyId", "The master key stays directly below the account.")
	case !v.IsPrimary():
		return refuse(NotAllowed, "input.keyId", "Only the primary user moves keys, because that changes what is enabled for others.")
	}
	return nil
}

// ApiKeyFilter restricts a list of keys; all parts must match.
type ApiKeyFilter struct {
	Search           *string
	Kinds            []UnitKind
	Statuses         []ApiKeyStatus
	UnitID           *ID // in the unit or below it
	EnabledForUserID *ID
}

// CreateApiKeyInput describes a new key.
type CreateApiKeyInput struct {
	Name string
	Kind UnitKind
	// UnitID is where the key goes; directly below the account when nil. Calls without it compare as they did before there
	// were units.
	UnitID *ID `json:",omitempty"`
	// IdempotencyKey is no part of what is compared with an earlier call.
	IdempotencyKey *string `json:"-"`
}

// UpdateApiKeyInput holds new values of a key; what is nil stays as it is.
type UpdateApiKeyInput struct {
	KeyID ID
	Name  *string
	Kind  *UnitKind
}

// MoveApiKeyInput is a key and its new place.
type MoveApiKeyInput struct {
	KeyID  ID
	UnitID *ID // nil for directly below the account
}

// ApiKeyIdInput names a key.
type ApiKeyIdInput struct{ KeyID ID }

// SetApiKeyEnabledInput is a key and whether the provider's services accept it.
type SetApiKeyEnabledInput struct {
	KeyID   ID
	Enabled bool
}
