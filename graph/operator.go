package graph

import (
	"database/sql/driver"
	"slices"
	"strings"
	"time"
)

// OperatorScope is something that an operator may do.
type OperatorScope string

// The scopes.
const (
	ScopeSupport OperatorScope = "SUPPORT"
	ScopeAdmin   OperatorScope = "ADMIN"
	ScopeIngest  OperatorScope = "INGEST"
	ScopeVerify  OperatorScope = "VERIFY"
)

// ScopeList is a list of scopes. In the database it is an array of their names.
type ScopeList []OperatorScope

// ParseScopes reads scopes separated by commas, in any case. Invalid when one is unknown or none is given.
func ParseScopes(text string) (ScopeList, error) {
	var list ScopeList
	for name := range strings.SplitSeq(text, ",") {
		s := OperatorScope(strings.ToUpper(strings.TrimSpace(name)))
		if !slices.Contains(ScopeList{ScopeSupport, ScopeAdmin, ScopeIngest, ScopeVerify}, s) {
			return nil, refuse(Invalid, "scopes", "Unknown scope "+string(s)+": choose from SUPPORT, ADMIN, INGEST, VERIFY.")
		}
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list, nil
}

// Value gives the list as a PostgreSQL array of text.
func (l ScopeList) Value() (driver.Value, error) { return arrayText(l), nil }

// Scan reads a PostgreSQL array of text.
func (l *ScopeList) Scan(src any) (err error) {
	*l, err = scanArray[OperatorScope](src)
	return err
}

// Operator is staff or a machine of the provider.
type Operator struct {
	OperatorID UUID
	Label      string
	Scopes     ScopeList
	CreatedAt  time.Time
	RevokedAt  *time.Time
}

// ScopeNames lists what the operator may do.
func (o *Operator) ScopeNames() []OperatorScope { return o.Scopes }

// VisibleTo reports that everybody may see the label of an operator.
func (o *Operator) VisibleTo(*Viewer) bool { return o != nil }

// IsActor marks what can have done something.
func (*Operator) IsActor() {}
