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

// SetUnitGrantInput is a change of the rule of a user for a unit.
type SetUnitGrantInput struct {
	UserID ID
	UnitID ID
	State  GrantState
}

// MaySetUnitGrant checks a change of the rule of user u for a unit that v sees; own is what v's own nearest rule at or above
// the unit says. NotAllowed for the primary user, who has no grants, for v's own rules, and when v is not the primary user
// and has no rule that enables the unit: the change reaches keys of the future, which only such a rule would show to v.
func (v *Viewer) MaySetUnitGrant(u *User, own *bool, s GrantState) error {
	switch {
	case !s.known():
		return refuse(Invalid, "input.state", "There is no such state of a grant.")
	case u.IsPrimary:
		return refuse(NotAllowed, "input.userId", "The primary user has no grants: every key is enabled for them.")
	case u.UserID == v.UserID():
		return refuse(NotAllowed, "input.userId", "Nobody changes their own grants.")
	case !v.IsPrimary() && (own == nil || !*own):
		return refuse(NotAllowed, "input.unitId", "This needs a rule of your own that enables the unit, since it reaches future keys.")
	}
	return nil
}
