package graph

import (
	"crypto/sha256"
	"time"
)

// GrantChangedEvent tells that a key became enabled or disabled for a user.
type GrantChangedEvent struct {
	EventID ID
	UserID  ID
	KeyID   ID
	Enabled bool
	Grant   *Grant // nil when the key is no longer visible, and for the primary user, who has no grants
}

// KeyToggledEvent tells that a key is not what it was.
type KeyToggledEvent struct {
	EventID ID
	Status  ApiKeyStatus
	Key     *ApiKey
}

// UsageAddedEvent tells that usage of a key has arrived.
type UsageAddedEvent struct {
	EventID ID
	Key     *ApiKey
	Records []*UsageRecord // the newest ones, at most MaxLiveRecords
	Totals  *UsageTotals   // of all that arrived
}

// Bounds of live events.
const (
	MaxLiveRecords = 100       // records that one event names
	LiveMemory     = time.Hour // for how long subscribing can go on after an event
)

// LiveEventID makes the ID of an event as a subscriber sees it: the stored event, which may be about many pairs of users and keys or
// about many keys, and two objects that say where in it the subscriber is. All three are visible to the subscriber, so that the ID
// tells nothing about what is hidden. The objects are represented by the first 8 bytes of the SHA-256 of each.
func LiveEventID(account, event, one, other UUID) ID {
	id := ID{Kind: KindLiveEvent, Account: account, Object: event}
	a, b := sha256.Sum256(one[:]), sha256.Sum256(other[:])
	copy(id.Second[:8], a[:8])
	copy(id.Second[8:], b[:8])
	return id
}

// HearsOfGrant reports whether v, a user, is told that a key of their account became enabled or disabled for a user: whoever sees the
// grant, and the user itself also when the key was lost, so that it can be dropped. Who sees the grants of others hears nothing of
// keys that they do not see.
func (v *Viewer) HearsOfGrant(user, key UUID, enabled bool) bool {
	if v.Kind != KindOfUser {
		return false
	}
	sees := v.SeesKey(v.AccountID(), key)
	if user == v.UserID() {
		return sees || !enabled
	}
	return sees && v.SeesGrantsOfOthers()
}

// Again gives the viewer for what is to be decided at another time.
func (v *Viewer) Again(at time.Time) *Viewer {
	again := *v
	again.Request.At = at
	return &again
}
