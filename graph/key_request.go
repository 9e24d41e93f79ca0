package graph

import "time"

// KeyRequestStatus is the state of a key request.
type KeyRequestStatus string

// States of a key request. All but the first are final.
const (
	KeyRequestPending   KeyRequestStatus = "PENDING"
	KeyRequestApproved  KeyRequestStatus = "APPROVED"
	KeyRequestRejected  KeyRequestStatus = "REJECTED"
	KeyRequestCancelled KeyRequestStatus = "CANCELLED"
)

// MaxPendingKeyRequests is how many requests of an account may wait at a time, so that nobody fills the provider's desk.
const MaxPendingKeyRequests = 100

// KeyRequest is a wish for a key beyond the account's limit.
type KeyRequest struct {
	AccountID    UUID
	RequestID    UUID
	Account      *Account
	Name         string
	Kind         UnitKind
	UnitID       *UUID // unit that shall hold the key; it may be gone
	Unit         *Unit // nil when there is none, and when it is gone or hidden
	Reason       string
	Status       KeyRequestStatus
	RequesterID  UUID
	RequestedBy  *User // nil when gone or hidden
	CreatedAt    time.Time
	DecidedAt    *time.Time // when it was answered or withdrawn
	DecisionNote *string
	KeyID        *UUID
	Key          *ApiKey // nil until approved, and when hidden
}

// IsNode marks what has a global ID.
func (*KeyRequest) IsNode() {}

// ID gives the global ID.
func (q *KeyRequest) ID() ID {
	return ID{Kind: KindKeyRequest, Account: q.AccountID, Object: q.RequestID}
}

// VisibleTo reports whether v made the request, manages keys of the account, or is an operator who reads it.
func (q *KeyRequest) VisibleTo(v *Viewer) bool {
	return q != nil && v.Enters(q.AccountID) && (v.SeesAllKeyRequests() || q.RequesterID == v.UserID())
}

// SeesAllKeyRequests reports whether requests of other users are visible.
func (v *Viewer) SeesAllKeyRequests() bool { return v.May(ManageKeys) || v.HasScope(ScopeSupport) }

// MayBecome reports InvalidState when the request is decided, or withdrawn, otherwise than s.
func (q *KeyRequest) MayBecome(s KeyRequestStatus) error {
	if q.Status != KeyRequestPending && q.Status != s {
		return refuse(InvalidState, "input.keyRequestId", "The request is "+string(q.Status)+" already.")
	}
	return nil
}

// MayRequestKey reports LimitReached when as many requests of an account wait as may.
func MayRequestKey(pending int) error {
	return atMost(MaxPendingKeyRequests, pending+1, "", "Too many requests of the account are waiting.")
}

// RequestApiKeyInput is a wish for a key.
type RequestApiKeyInput struct {
	Name   string
	Kind   UnitKind
	UnitID *ID `json:",omitempty"` // as in CreateApiKeyInput
	Reason string
	// IdempotencyKey is no part of what is compared with an earlier call.
	IdempotencyKey *string `json:"-"`
}

// KeyRequestIdInput names a key request.
type KeyRequestIdInput struct{ KeyRequestID ID }

// DecideKeyRequestInput is an operator's answer to a key request.
type DecideKeyRequestInput struct {
	KeyRequestID ID
	Note         *string
}
