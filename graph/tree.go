package graph

import (
	"iter"
	"sync/atomic"
	"time"
)

// Tree is the tree of an account's units and which of them hold keys, deleted ones included. It never changes: another
// version of the tree is another Tree.
type Tree struct {
	parent map[UUID]UUID // of each unit, the zero UUID at the top
	unitOf map[UUID]UUID // of each key that is in a unit
	holds  map[UUID]bool // units with a key in or below them
}

// NewTree makes a tree of the units, with the parent of each, and the keys, with the unit of each.
func NewTree(parent, unitOf map[UUID]UUID) *Tree {
	t := &Tree{parent: parent, unitOf: unitOf, holds: map[UUID]bool{}}
	for _, unit := range unitOf {
		t.mark(t.holds, unit)
	}
	return t
}

// upwards gives a unit and each unit above it, the nearest first; nothing for what is no unit of the tree.
func (t *Tree) upwards(unit UUID) iter.Seq[UUID] {
	return func(yield func(UUID) bool) {
		for !unit.IsZero() {
			above, ok := t.parent[unit]
			if !ok || !yield(unit) {
				return
			}
			unit = above
		}
	}
}

// mark adds a unit and all above it to a set.
func (t *Tree) mark(set map[UUID]bool, unit UUID) {
	for u := range t.upwards(unit) {
		if set[u] {
			return // and so are those above it
		}
		set[u] = true
	}
}

// KeyRule is what decides whether one key is enabled for one additional user.
type KeyRule struct {
	IsMaster bool
	Explicit *Rule // nil when nothing was set for the pair
	Unit     *bool // what the nearest unit with a rule says; nil when none has one
}

// Rules are what was set for one additional user.
type Rules struct {
	Keys   map[UUID]Rule // explicit grants by key
	Units  map[UUID]bool // rules by unit
	Master UUID          // the account's master key
}

// KeySet holds what decides about the keys that may be visible to an additional user, a token or a key; those that are not
// in it are not. It is the second source beside the predicate of SQL: the domain decides in memory, from the tree and what
// was set.
type KeySet struct {
	tree  *Tree
	keys  map[UUID]KeyRule
	units atomic.Pointer[unitsSeen]
	lacks atomic.Pointer[unitsSeen] // units with a hidden key in or below them
}

// unitsSeen are the units with a visible key in or below them, or with a hidden one, from one time until another, when a grant ends.
type unitsSeen struct {
	from  time.Time
	until *time.Time
	units map[UUID]bool
}

// NewKeySet gives the set of an additional user.
func NewKeySet(t *Tree, r Rules) *KeySet {
	s := &KeySet{tree: t, keys: make(map[UUID]KeyRule, len(r.Keys)+1)}
	s.keys[r.Master] = KeyRule{IsMaster: true}
	if len(r.Units) > 0 {
		for key, unit := range t.unitOf {
			if enabled := t.nearest(unit, r.Units); enabled != nil {
				s.keys[key] = KeyRule{Unit: enabled}
			}
		}
	}
	for key, set := range r.Keys {
		rule := s.keys[key]
		rule.Explicit = &set
		s.keys[key] = rule
	}
	return s
}

// nearest gives what the nearest unit with a rule says, at the unit or above it.
func (t *Tree) nearest(unit UUID, rules map[UUID]bool) *bool {
	for u := range t.upwards(unit) {
		if enabled, ok := rules[u]; ok {
			return &enabled
		}
	}
	return nil
}

// ListedKeys gives the set of whoever sees exactly these keys.
func ListedKeys(t *Tree, keys []UUID) *KeySet {
	s := &KeySet{tree: t, keys: make(map[UUID]KeyRule, len(keys))}
	for _, key := range keys {
		s.keys[key] = KeyRule{Explicit: &Rule{Enabled: true}}
	}
	return s
}

// Only gives the set limited to the keys of a list.
func (s *KeySet) Only(keys []UUID) *KeySet {
	limited := &KeySet{tree: s.tree, keys: make(map[UUID]KeyRule, len(keys))}
	for _, key := range keys {
		if rule, ok := s.keys[key]; ok {
			limited.keys[key] = rule
		}
	}
	return limited
}

// Has reports whether the key is visible at the time.
func (s *KeySet) Has(key UUID, at time.Time) bool {
	if s == nil {
		return false
	}
	rule, ok := s.keys[key]
	if !ok {
		return false
	}
	enabled, _ := rule.Effective(at)
	return enabled
}

// Few reports whether the set has at most so many keys.
func (s *KeySet) Few(most int) bool { return s != nil && len(s.keys) <= most }

// HasUnit reports whether a key that is visible at the time is in the unit or below it. With empty it reports also a unit
// that holds no key at all, unless one above it holds hidden ones only: that one is hidden, and so is what it holds.
func (s *KeySet) HasUnit(unit UUID, at time.Time, empty bool) bool {
	if s == nil {
		return false
	}
	if _, ok := s.tree.parent[unit]; !ok {
		return false
	}
	seen := s.unitsAt(at)
	if !empty {
		return seen[unit]
	}
	for u := range s.tree.upwards(unit) {
		if s.tree.holds[u] && !seen[u] {
			return false
		}
	}
	return true
}

// Lacks reports whether a key that is hidden at the time is in the unit or below it.
func (s *KeySet) Lacks(unit UUID, at time.Time) bool {
	if s == nil {
		return true
	}
	return remembered(&s.lacks, at, func(now *unitsSeen) {
		for _, rule := range s.keys {
			now.endsWith(rule)
		}
		for key, unit := range s.tree.unitOf {
			if !s.Has(key, at) {
				s.tree.mark(now.units, unit)
			}
		}
	})[unit]
}

func (s *KeySet) unitsAt(at time.Time) map[UUID]bool {
	return remembered(&s.units, at, func(now *unitsSeen) {
		for key, rule := range s.keys {
			now.endsWith(rule)
			if enabled, _ := rule.Effective(at); enabled {
				s.tree.mark(now.units, s.tree.unitOf[key])
			}
		}
	})
}

// endsWith lets what is seen end when a grant does.
func (u *unitsSeen) endsWith(rule KeyRule) {
	if end := rule.Explicit.end(); end != nil && end.After(u.from) && (u.until == nil || end.Before(*u.until)) {
		u.until = end
	}
}

// remembered gives the units that are so at the time, found out again when what is known is of another time.
func remembered(known *atomic.Pointer[unitsSeen], at time.Time, find func(*unitsSeen)) map[UUID]bool {
	if k := known.Load(); k != nil && !at.Before(k.from) && (k.until == nil || at.Before(*k.until)) {
		return k.units
	}
	now := &unitsSeen{from: at, units: map[UUID]bool{}}
	find(now)
	known.Store(now)
	return now.units
}
