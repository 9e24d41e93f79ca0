package graph

import (
	"cmp"
	"slices"
)

// SheetComparison is what a sheet asks for beside what is so.
type SheetComparison struct {
	Changes           []SheetChange // by line and column
	Refusals          SheetRefusals // likewise
	Enabled, Disabled int           // effective grants that the changes enable and disable
	sheet             *Sheet
	viewer            *Viewer
	keys              []*ApiKey // by column; nil where none is visible
	users             map[string]*sheetRow
	frozen            map[int]bool // columns of deleted keys that are refused already
}

// SheetChange is a grant that a sheet changes.
type SheetChange struct {
	Line, Column int
	user         *User
	key          *ApiKey
	before       *Rule
	after        *Rule
	inherited    bool
}

// User gives the user's identifier.
func (c *SheetChange) User() *User { return c.user }

// Key gives the key.
func (c *SheetChange) Key() *ApiKey { return c.key }

// Before gives the cell as a sheet would say now.
func (c *SheetChange) Before() string { return cellText(c.before, c.inherited) }

// After gives the cell as a sheet would say afterwards.
func (c *SheetChange) After() string { return cellText(c.after, c.inherited) }

// Rule gives what the change sets; nil when it resets the grant.
func (c *SheetChange) Rule() *Rule { return c.after }

// Compare begins to compare a sheet with what v sees: the keys by their public parts. NotFound, as a refusal, for a column whose key
// is hidden or missing.
func (s *Sheet) Compare(v *Viewer, keys map[string]*ApiKey) *SheetComparison {
	c := &SheetComparison{sheet: s, viewer: v, keys: make([]*ApiKey, len(s.Keys)), users: map[string]*sheetRow{}, frozen: map[int]bool{}}
	c.Refusals = SheetRefusals{Count: s.Refusals.Count, List: slices.Clone(s.Refusals.List)}
	for i, key := range s.Keys {
		c.keys[i] = keys[key]
		if c.keys[i] == nil && key != "" {
			c.Refusals.add(1, i+3, Missing(""))
		}
	}
	for i := range s.rows {
		c.users[s.rows[i].email] = &s.rows[i]
	}
	return c
}

// Add compares the line of a user whom v sees.
func (c *SheetComparison) Add(u SheetUser) {
	row := c.users[u.User.Email]
	if row == nil {
		return
	}
	delete(c.users, u.User.Email)
	for i, key := range c.keys {
		if key == nil || row.says.states[i] == cellKeep {
			continue
		}
		if before, after := u.Set.rule(i), row.says.rule(i); !before.same(after) {
			change := SheetChange{Line: row.line, Column: i + 3, user: u.User, key: key, before: before, after: after, inherited: u.Inherited.Has(i)}
			if !c.add(change) {
				return
			}
		}
	}
}

func (r *Rule) same(other *Rule) bool {
	if r == nil || other == nil {
		return r == other
	}
	x, y := r.ExpiresAt, other.ExpiresAt
	return r.Enabled == other.Enabled && (x == nil) == (y == nil) && (x == nil || x.Equal(*y))
}

// add checks a change as MaySetGrant does, and counts it. A user whose grants cannot change is refused once, and so is a key: false
// for such a user.
func (c *SheetComparison) add(change SheetChange) bool {
	v, column := c.viewer, change.Column
	if err := v.MayChangeGrantsOf(change.user, ""); err != nil {
		c.Refusals.add(change.Line, 1, err)
		return false
	}
	if err := change.key.MayChangeGrants(""); err != nil {
		if !c.frozen[column] {
			c.Refusals.add(1, column, err)
		}
		c.frozen[column] = true
		return true
	}
	if err := v.mayEnd(SetGrantInput{State: change.after.State(), ExpiresAt: change.after.end()}, ""); err != nil {
		c.Refusals.add(change.Line, column, err)
		return true
	}
	c.Changes = append(c.Changes, change)
	was, _ := KeyRule{IsMaster: change.inherited, Explicit: change.before}.Effective(v.Request.At)
	is, _ := KeyRule{IsMaster: change.inherited, Explicit: change.after}.Effective(v.Request.At)
	switch {
	case is && !was:
		c.Enabled++
	case was && !is:
		c.Disabled++
	}
	return true
}

// Finish refuses the lines whose user is hidden or missing: NotFound. Changes and refusals are in the order of the file then.
func (c *SheetComparison) Finish() {
	for _, row := range c.users {
		c.Refusals.add(row.line, 1, Missing(""))
	}
	slices.SortFunc(c.Changes, func(a, b SheetChange) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	slices.SortFunc(c.Refusals.List, func(a, b SheetRefusal) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
}
