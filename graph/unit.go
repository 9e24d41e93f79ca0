package graph

import (
	"cmp"
	"strings"
	"time"
)

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

// Is reports whether id names the unit; for the top of the tree, which is no unit, whether it names none.
func (u *Unit) Is(id *UUID) bool {
	if u == nil || id == nil {
		return u == nil && id == nil
	}
	return u.UnitID == *id
}

// MayCreateUnit reports LimitReached when a unit below parent, nil for the top, would be deeper than v's account allows.
func (v *Viewer) MayCreateUnit(parent *Unit) error { return v.Account.mayHold(parent, 1) }

// mayHold checks that so many levels of units have room below parent.
func (a *Account) mayHold(parent *Unit, levels int) error {
	depth := levels
	if parent != nil {
		depth += parent.Depth
	}
	return atMost(a.MaxUnitDepth, depth, "input.parentId", "The units would be deeper than the account's limit.")
}

// UnitMove is a unit that is to go below another one, with everything below it.
type UnitMove struct {
	Unit   *Unit
	Parent *Unit // nil for the top
	Levels int   // how many levels of units move, the unit's own included
	Cyclic bool  // whether Parent is the unit itself or below it
}

// Stays reports whether the unit is there already.
func (m UnitMove) Stays() bool { return m.Parent.Is(m.Unit.ParentID) }

// MayMoveUnit reports NotAllowed for anybody but the primary user, Conflict for a unit that would lie below itself, and
// LimitReached when the deepest unit would be deeper than v's account allows. To stay is always fine.
func (v *Viewer) MayMoveUnit(m UnitMove) error {
	switch {
	case !v.IsPrimary():
		return refuse(NotAllowed, "input.unitId", "Only the primary user moves units, because that changes what is enabled for others.")
	case m.Cyclic:
		return refuse(Conflict, "input.parentId", "A unit cannot be moved into itself or below itself.")
	case m.Stays():
		return nil
	}
	return v.Account.mayHold(m.Parent, m.Levels)
}

// MayDelete reports InvalidState for a unit that holds a key, be it a deleted one, or another unit.
func (u *Unit) MayDelete(holds bool) error {
	if holds {
		return refuse(InvalidState, "input.unitId", "Only an empty unit is deleted; this one holds units or keys, or deleted keys.")
	}
	return nil
}

// CreateUnitInput describes a new unit.
type CreateUnitInput struct {
	Name     string
	Kind     UnitKind
	ParentID *ID // nil for the top
	// IdempotencyKey is no part of what is compared with an earlier call.
	IdempotencyKey *string `json:"-"`
}

// UpdateUnitInput holds new values of a unit; what is nil stays as it is.
type UpdateUnitInput struct {
	UnitID ID
	Name   *string
	Kind   *UnitKind
}

// Apply gives u the new values and says what differs.
func (in UpdateUnitInput) Apply(u *Unit) []*AuditChange {
	var list []*AuditChange
	if in.Name != nil && *in.Name != u.Name {
		list = append(list, Changed("name", u.Name, *in.Name))
		u.Name, u.SortName = *in.Name, strings.ToLower(*in.Name)
	}
	if in.Kind != nil && *in.Kind != u.Kind {
		list = append(list, Changed("kind", string(u.Kind), string(*in.Kind)))
		u.Kind = *in.Kind
	}
	return list
}

// MoveUnitInput is a unit and its new place.
type MoveUnitInput struct {
	UnitID   ID
	ParentID *ID // nil for the top
}

// UnitIDInput names a unit.
type UnitIDInput struct{ UnitID ID }

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
	if err := cmp.Or(s.check("input.state"), v.MayChangeGrantsOf(u, "input.userId")); err != nil {
		return err
	}
	if !v.IsPrimary() && (own == nil || !*own) {
		return refuse(NotAllowed, "input.unitId", "This needs a rule of your own that enables the unit, since it reaches future keys.")
	}
	return nil
}
