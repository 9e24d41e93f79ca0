package graph

import (
	"encoding/binary"
	"time"
)

// GrantChange is what an operation changed for one user and one key.
type GrantChange struct {
	UserID UUID
	User   *User // nil when they are hidden or gone
	KeyID  UUID
	Key    *ApiKey
	Before *Rule // nil when nothing was set
	After  *Rule // likewise
	Place  int   // among the changes for the same key, from 1
}

// VisibleTo reports whether v reads the audit trail and sees the key.
func (c *GrantChange) VisibleTo(v *Viewer) bool {
	return c != nil && v.SeesAudit() && c.Key.VisibleTo(v)
}

// StateBefore gives the state that the operation found.
func (c *GrantChange) StateBefore() GrantState { return c.Before.State() }

// ExpiresBefore gives the end of what the operation found.
func (c *GrantChange) ExpiresBefore() *time.Time { return c.Before.end() }

// StateAfter gives the state that the operation left.
func (c *GrantChange) StateAfter() GrantState { return c.After.State() }

// ExpiresAfter gives the end of what the operation left.
func (c *GrantChange) ExpiresAfter() *time.Time { return c.After.end() }

// Cursor gives the place of the change: by its number, for the user may be hidden.
func (c *GrantChange) Cursor() Cursor {
	at := Cursor{ID: c.KeyID}
	binary.BigEndian.PutUint64(at.Second[8:], uint64(c.Place))
	return at
}

// State gives the state that setting the rule brings about; GrantInherit for nil.
func (r *Rule) State() GrantState {
	switch {
	case r == nil:
		return GrantInherit
	case r.Enabled:
		return GrantEnabled
	}
	return GrantDisabled
}

func (r *Rule) end() *time.Time {
	if r == nil {
		return nil
	}
	return r.ExpiresAt
}
