package graph

import (
	"encoding/json"
	"fmt"
	"time"
)

// AuditAction says what happened.
type AuditAction string

// The actions.
const (
	AccountCreated AuditAction = "ACCOUNT_CREATED"
	SignedIn       AuditAction = "SIGNED_IN"
	SignedOut      AuditAction = "SIGNED_OUT"
	UserInvited    AuditAction = "USER_INVITED"
	UserJoined     AuditAction = "USER_JOINED"

	InvitationResent AuditAction = "INVITATION_RESENT"
	InvitationTaken  AuditAction = "INVITATION_REVOKED"
	UserAllowed      AuditAction = "USER_CAPABILITIES_CHANGED"
	UserWasDisabled  AuditAction = "USER_DISABLED"
	UserWasEnabled   AuditAction = "USER_ENABLED"
	UserRemoved      AuditAction = "USER_REMOVED"
	OwnershipPassed  AuditAction = "OWNERSHIP_TRANSFERRED"
	SignInRefused    AuditAction = "SIGN_IN_REFUSED"
	SessionRevoked   AuditAction = "SESSION_REVOKED"
	ProfileChanged   AuditAction = "PROFILE_CHANGED"
	PasswordChanged  AuditAction = "PASSWORD_CHANGED"

	GrantWasOn     AuditAction = "GRANT_ENABLED"
	GrantWasOff    AuditAction = "GRANT_DISABLED"
	GrantWasReset  AuditAction = "GRANT_RESET"
	GrantsChanged  AuditAction = "GRANTS_CHANGED"
	UnitGrantSet   AuditAction = "UNIT_GRANT_CHANGED"
	UnitChanged    AuditAction = "UNIT_CHANGED"
	KeyCreated     AuditAction = "KEY_CREATED"
	KeyUpdated     AuditAction = "KEY_UPDATED"
	KeyWasEnabled  AuditAction = "KEY_ENABLED"
	KeyWasDisabled AuditAction = "KEY_DISABLED"
	KeyWasDeleted  AuditAction = "KEY_DELETED"
	SecretRotated  AuditAction = "SECRET_ROTATED"

	KeyRequested      AuditAction = "KEY_REQUESTED"
	KeyRequestDecided AuditAction = "KEY_REQUEST_DECIDED"
	TokenCreated      AuditAction = "TOKEN_CREATED"
	TokenWasRevoked   AuditAction = "TOKEN_REVOKED"
	UsageDownloaded   AuditAction = "USAGE_DOWNLOADED"
	AccountChanged    AuditAction = "ACCOUNT_CHANGED"
)

// Actor is who did something: a *User, an *AccessToken or an *Operator.
type Actor interface{ IsActor() }

// AuditEvent is an entry of the audit trail: never changed, and there as long as the provider keeps it.
type AuditEvent struct {
	AccountID  UUID
	EventID    UUID
	Action     AuditAction
	OccurredAt time.Time
	ActorUser  *User        // nil when it was no user, or one who is gone or hidden
	ActorToken *AccessToken // likewise
	Operator   *Operator
	ActorLabel string
	User       *User
	KeyID      *UUID
	Key        *ApiKey
	UnitID     *UUID
	Unit       *Unit
	ChangedFor *UUID // of an operation on many grants, a visible key whose grants it changed; not read for whoever sees every key
	Summary    string
	Changes    []*AuditChange
	IPAddress  *string
	RequestID  string
	Nested     Nested
}

// IsNode marks what has a global ID.
func (*AuditEvent) IsNode() {}

// ID gives the global ID.
func (e *AuditEvent) ID() ID {
	return ID{Kind: KindAuditEvent, Account: e.AccountID, Object: e.EventID}
}

// Actor gives who did it, nil when that is not visible or no longer there.
func (e *AuditEvent) Actor() Actor {
	switch {
	case e.ActorUser != nil:
		return e.ActorUser
	case e.ActorToken != nil:
		return e.ActorToken
	case e.Operator != nil:
		return e.Operator
	}
	return nil
}

// VisibleTo reports whether v reads the audit trail and sees the key and the unit that the event concerns, as far as there are; of
// an operation on many grants, one of its keys.
func (e *AuditEvent) VisibleTo(v *Viewer) bool {
	return e != nil && v.Enters(e.AccountID) && v.SeesAudit() && (e.KeyID == nil || v.SeesKey(e.AccountID, *e.KeyID)) &&
		(e.UnitID == nil || v.SeesUnit(e.AccountID, *e.UnitID)) && (e.Action != GrantsChanged || e.changedSeenBy(v))
}

func (e *AuditEvent) changedSeenBy(v *Viewer) bool {
	return v.SeesEveryKey() || e.ChangedFor != nil && v.SeesKey(e.AccountID, *e.ChangedFor)
}

// AuditChange is a value that changed: what it was and what it is, nil where there was or is none.
type AuditChange struct {
	Field  string  `json:"field"`
	Before *string `json:"before"`
	After  *string `json:"after"`
}

// AuditChanges are the values that changed with an event. In the database they are JSON.
type AuditChanges []*AuditChange

// Scan reads JSON.
func (c *AuditChanges) Scan(src any) error {
	text, ok := src.([]byte)
	if !ok {
		return fmt.Errorf("scan changes: unexpected %T", src)
	}
	return json.Unmarshal(text, c)
}

// Changed notes a value that changed from one to another; an empty text stands for no value.
func Changed(field, before, after string) *AuditChange {
	c := &AuditChange{Field: field}
	if before != "" {
		c.Before = &before
	}
	if after != "" {
		c.After = &after
	}
	return c
}

// AuditEventFilter restricts a list of events; all parts must match.
type AuditEventFilter struct {
	From    *time.Time
	To      *time.Time
	Actions []AuditAction
	UserID  *ID
	KeyID   *ID
	UnitID  *ID
}
