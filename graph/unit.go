package graph

import "time"

// UnitKind says what a unit or key stands for; a label without effect on access.
type UnitKind string

// The kinds.
const (
	Region       UnitKind = "REGION"
	BusinessUnit UnitKind = "BUSINESS_UNIT"
	Department   UnitKind = "DEPARTMENT"
	Customer     UnitKind = "CUSTOMER"
	Application  UnitKind = "APPLICATION"
	OtherKind    UnitKind = "OTHER"
)

// Unit is a branch of the account's tree.
type Unit struct {
	AccountID UUID
	UnitID    UUID
	ParentID  *UUID // nil at the top
	Name      string
	SortName  string // the name as lists sort it
	Kind      UnitKind
	Depth     int // 1 at the top
	CreatedAt time.Time
	Nested    Nested
}

// IsNode marks what has a global ID.
func (*Unit) IsNode() {}

// ID gives the global ID.
func (u *Unit) ID() ID { return ID{Kind: KindUnit, Account: u.AccountID, Object: u.UnitID} }

// VisibleTo reports whether v sees the unit; see Viewer.SeesUnit.
func (u *Unit) VisibleTo(v *Viewer) bool { return u != nil && v.SeesUnit(u.AccountID, u.UnitID) }

// UnitGrant is a rule for a user and all keys in and below a unit, future ones included. An explicit grant overrides it, and
// so does a rule for a unit in between.
type UnitGrant struct {
	User      *User
	Unit      *Unit
	Enabled   bool
	UpdatedAt time.Time
}

// IsNode marks what has a global ID.
func (*UnitGrant) IsNode() {}

// ID gives the global ID of the pair.
func (g *UnitGrant) ID() ID {
	return ID{Kind: KindUnitGrant, Account: g.Unit.AccountID, Object: g.User.UserID, Second: g.Unit.UnitID}
}

// VisibleTo reports whether v sees the unit, and the user is v or v sees the grants of others.
func (g *UnitGrant) VisibleTo(v *Viewer) bool {
	return g != nil && g.Unit.VisibleTo(v) && g.User.AccountID == g.Unit.AccountID && v.SeesGrantOf(g.User.UserID)
}
