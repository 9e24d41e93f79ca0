package graph

// The connections of the schema: a page and, made when somebody asks, its edges.

// UserConnection is a page of users.
type UserConnection struct{ Page[User] }

// UserEdge is a user in a page.
type UserEdge struct {
	Cursor string
	Node   *User
}

// Edges gives the users with their cursors.
func (c *UserConnection) Edges() []*UserEdge {
	return edges(&c.Page, func(cursor string, n *User) *UserEdge { return &UserEdge{cursor, n} })
}

// VisibleTo reports whether v sees the user.
func (e *UserEdge) VisibleTo(v *Viewer) bool { return e.Node.VisibleTo(v) }

// ApiKeyConnection is a page of keys.
type ApiKeyConnection struct{ Page[ApiKey] }

// ApiKeyEdge is a key in a page.
type ApiKeyEdge struct {
	Cursor string
	Node   *ApiKey
}

// Edges gives the keys with their cursors.
func (c *ApiKeyConnection) Edges() []*ApiKeyEdge {
	return edges(&c.Page, func(cursor string, n *ApiKey) *ApiKeyEdge { return &ApiKeyEdge{cursor, n} })
}

// VisibleTo reports whether v sees the key.
func (e *ApiKeyEdge) VisibleTo(v *Viewer) bool { return e.Node.VisibleTo(v) }

// GrantConnection is a page of grants.
type GrantConnection struct{ Page[Grant] }

// GrantEdge is a grant in a page.
type GrantEdge struct {
	Cursor string
	Node   *Grant
}

// Edges gives the grants with their cursors.
func (c *GrantConnection) Edges() []*GrantEdge {
	return edges(&c.Page, func(cursor string, n *Grant) *GrantEdge { return &GrantEdge{cursor, n} })
}

// VisibleTo reports whether v sees the grant.
func (e *GrantEdge) VisibleTo(v *Viewer) bool { return e.Node.VisibleTo(v) }

// InvitationConnection is a page of invitations.
type InvitationConnection struct{ Page[Invitation] }

// InvitationEdge is an invitation in a page.
type InvitationEdge struct {
	Cursor string
	Node   *Invitation
}

// Edges gives the invitations with their cursors.
func (c *InvitationConnection) Edges() []*InvitationEdge {
	return edges(&c.Page, func(cursor string, n *Invitation) *InvitationEdge { return &InvitationEdge{cursor, n} })
}

// VisibleTo reports whether v sees the invitation.
func (e *InvitationEdge) VisibleTo(v *Viewer) bool { return e.Node.VisibleTo(v) }

// GrantChangeConnection is a page of what an operation changed.
type GrantChangeConnection struct{ Page[GrantChange] }

// GrantChangeEdge is a change in a page.
type GrantChangeEdge struct {
	Cursor string
	Node   *GrantChange
}

// Edges gives the changes with their cursors.
func (c *GrantChangeConnection) Edges() []*GrantChangeEdge {
	return edges(&c.Page, func(cursor string, n *GrantChange) *GrantChangeEdge { return &GrantChangeEdge{cursor, n} })
}

// VisibleTo reports whether v sees the change.
func (e *GrantChangeEdge) VisibleTo(v *Viewer) bool { return e.Node.VisibleTo(v) }

// AuditEventConnection is a page of audit events.
type AuditEventConnection struct{ Page[AuditEvent] }

// AuditEventEdge is an audit event in a page.
type AuditEventEdge struct {
	Cursor string
	Node   *AuditEvent
}

// Edges gives the events with their cursors.
func (c *AuditEventConnection) Edges() []*AuditEventEdge {
	return edges(&c.Page, func(cursor string, n *AuditEvent) *AuditEventEdge { return &AuditEventEdge{cursor, n} })
}

// VisibleTo reports whether v sees the event.
func (e *AuditEventEdge) VisibleTo(v *Viewer) bool { return e.Node.VisibleTo(v) }

// KeyRequestConnection is a page of key requests.
type KeyRequestConnection struct{ Page[KeyRequest] }

// KeyRequestEdge is a key request in a page.
type KeyRequestEdge struct {
	Cursor string
	Node   *KeyRequest
}

// Edges gives the requests with their cursors.
func (c *KeyRequestConnection) Edges() []*KeyRequestEdge {
	return edges(&c.Page, func(cursor string, n *KeyRequest) *KeyRequestEdge { return &KeyRequestEdge{cursor, n} })
}

// VisibleTo reports whether v sees the request.
func (e *KeyRequestEdge) VisibleTo(v *Viewer) bool { return e.Node.VisibleTo(v) }

// AccessTokenConnection is a page of access tokens.
type AccessTokenConnection struct{ Page[AccessToken] }

// AccessTokenEdge is an access token in a page.
type AccessTokenEdge struct {
	Cursor string
	Node   *AccessToken
}

// Edges gives the access tokens with their cursors.
func (c *AccessTokenConnection) Edges() []*AccessTokenEdge {
	return edges(&c.Page, func(cursor string, n *AccessToken) *AccessTokenEdge { return &AccessTokenEdge{cursor, n} })
}

// VisibleTo reports whether v sees the token.
func (e *AccessTokenEdge) VisibleTo(v *Viewer) bool { return e.Node.VisibleTo(v) }

// AccountConnection is a page of accounts.
type AccountConnection struct{ Page[Account] }

// AccountEdge is an account in a page.
type AccountEdge struct {
	Cursor string
	Node   *Account
}

// Edges gives the accounts with their cursors.
func (c *AccountConnection) Edges() []*AccountEdge {
	return edges(&c.Page, func(cursor string, n *Account) *AccountEdge { return &AccountEdge{cursor, n} })
}

// VisibleTo reports whether v sees the account.
func (e *AccountEdge) VisibleTo(v *Viewer) bool { return e.Node.VisibleTo(v) }

// UnitConnection is a page of units.
type UnitConnection struct{ Page[Unit] }

// UnitEdge is a unit in a page.
type UnitEdge struct {
	Cursor string
	Node   *Unit
}

// Edges gives the units with their cursors.
func (c *UnitConnection) Edges() []*UnitEdge {
	return edges(&c.Page, func(cursor string, n *Unit) *UnitEdge { return &UnitEdge{cursor, n} })
}

// VisibleTo reports whether v sees the unit.
func (e *UnitEdge) VisibleTo(v *Viewer) bool { return e.Node.VisibleTo(v) }

// UsageRecordConnection is a page of usage records.
type UsageRecordConnection struct{ Page[UsageRecord] }

// UsageRecordEdge is a usage record in a page.
type UsageRecordEdge struct {
	Cursor string
	Node   *UsageRecord
}

// Edges gives the records with their cursors.
func (c *UsageRecordConnection) Edges() []*UsageRecordEdge {
	return edges(&c.Page, func(cursor string, n *UsageRecord) *UsageRecordEdge { return &UsageRecordEdge{cursor, n} })
}

// VisibleTo reports whether v sees the record.
func (e *UsageRecordEdge) VisibleTo(v *Viewer) bool { return e.Node.VisibleTo(v) }
