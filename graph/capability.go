package graph

import (
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Capability is something that a user may do. None of them widens which keys are visible.
type Capability string

// The capabilities.
const (
	ViewUsage      Capability = "VIEW_USAGE"
	RotateSecrets  Capability = "ROTATE_SECRETS"
	ManageKeys     Capability = "MANAGE_KEYS"
	ManageUsers    Capability = "MANAGE_USERS"
	ManageGrants   Capability = "MANAGE_GRANTS"
	ManageTokens   Capability = "MANAGE_TOKENS"
	ViewBilling    Capability = "VIEW_BILLING"
	ManagePayments Capability = "MANAGE_PAYMENTS"
	ManageNumbers  Capability = "MANAGE_NUMBERS"
	ViewAudit      Capability = "VIEW_AUDIT"
)

// capabilityNames lists the capabilities in the order in which they are shown; the index is the bit in a set.
var capabilityNames = [...]Capability{ViewUsage, RotateSecrets, ManageKeys, ManageUsers, ManageGrants, ManageTokens,
	ViewBilling, ManagePayments, ManageNumbers, ViewAudit}

// CapabilitySet is a set of capabilities. In the database it is an array of their names.
type CapabilitySet uint16

// AllCapabilities holds every capability.
const AllCapabilities = CapabilitySet(1<<len(capabilityNames) - 1)

// Capabilities makes a set; names that are no capability are left out.
func Capabilities(list ...Capability) CapabilitySet {
	var s CapabilitySet
	for bit, name := range capabilityNames {
		for _, c := range list {
			if c == name {
				s |= 1 << bit
			}
		}
	}
	return s
}

// Has reports whether s holds c.
func (s CapabilitySet) Has(c Capability) bool { return Capabilities(c)&s != 0 }

// Contains reports whether s holds every capability of other.
func (s CapabilitySet) Contains(other CapabilitySet) bool { return other&^s == 0 }

// List gives the capabilities of s in the order in which they are shown.
func (s CapabilitySet) List() []Capability {
	list := make([]Capability, 0, len(capabilityNames))
	for bit, name := range capabilityNames {
		if s&(1<<bit) != 0 {
			list = append(list, name)
		}
	}
	return list
}

// Value gives s as a PostgreSQL array of text.
func (s CapabilitySet) Value() (driver.Value, error) {
	return arrayText(s.List()), nil
}

// Scan reads a PostgreSQL array of text.
func (s *CapabilitySet) Scan(src any) error {
	names, err := scanArray[Capability](src)
	*s = Capabilities(names...)
	return err
}

// arrayText and scanArray translate arrays of plain names (letters and underscores), which need no quotes.
func arrayText[T ~string](names []T) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = string(n)
	}
	return "{" + strings.Join(list, ",") + "}"
}

func scanArray[T ~string](src any) ([]T, error) {
	raw, ok := src.([]byte)
	if !ok {
		return nil, fmt.Errorf("scan array of names: unexpected %T", src)
	}
	text := strings.Trim(string(raw), "{}")
	if text == "" {
		return nil, nil
	}
	var list []T
	for name := range strings.SplitSeq(text, ",") {
		list = append(list, T(name))
	}
	return list, nil
}

// Role is a named set of capabilities.
type Role string

// The roles. RolePrimary belongs to the owner alone; RoleCustom is any set that no other role names.
const (
	RolePrimary       Role = "PRIMARY"
	RoleAdministrator Role = "ADMINISTRATOR"
	RoleDeveloper     Role = "DEVELOPER"
	RoleReporting     Role = "REPORTING"
	RoleCustom        Role = "CUSTOM"
)

// roleSets holds the capabilities of the roles that can be given.
var roleSets = map[Role]CapabilitySet{
	RoleAdministrator: AllCapabilities,
	RoleDeveloper:     Capabilities(ViewUsage, RotateSecrets),
	RoleReporting:     Capabilities(ViewUsage),
}

// Role names the set.
func (s CapabilitySet) Role() Role {
	for role, set := range roleSets {
		if set == s {
			return role
		}
	}
	return RoleCustom
}

// Sets gives the sets that read as the role when it is the role of an additional user: those listed, or for RoleCustom
// all but those listed. None for RolePrimary.
func (r Role) Sets() (sets []CapabilitySet, allBut bool) {
	if r != RoleCustom {
		if set, ok := roleSets[r]; ok {
			sets = append(sets, set)
		}
		return sets, false
	}
	return slices.Collect(maps.Values(roleSets)), true
}

// AccessInput is exactly one of a role or single capabilities.
type AccessInput struct {
	Role         *Role
	Capabilities []Capability
}

// Set gives the capabilities that the input stands for. Invalid at path when it names both or none, or a role that
// cannot be given.
func (a AccessInput) Set(path string) (CapabilitySet, error) {
	switch {
	case (a.Role == nil) == (a.Capabilities == nil):
		return 0, refuse(Invalid, path, "Give exactly one of a role and a list of capabilities.")
	case a.Role == nil:
		return Capabilities(a.Capabilities...), nil
	}
	set, ok := roleSets[*a.Role]
	if !ok {
		return 0, refuse(Invalid, path+".role", "The role "+string(*a.Role)+" cannot be given.")
	}
	return set, nil
}
