package graph

import "time"

// UnitRule is what a unit that holds a key says about a user.
type UnitRule struct {
	Unit    *Unit
	Enabled *bool // nil when the unit has no rule
}

// AccessStep is one rule that was looked at to decide on a grant.
type AccessStep struct {
	Source  GrantSource
	Unit    *Unit // of the rule, when it is one of a unit
	Enabled *bool // what it says; nil when there is no rule, or when it has ended
	Reason  string
}

// Explain gives every rule that was looked at to decide whether a key is enabled for a user, the deciding one last: the explicit
// one, then those of the units that hold the key, the nearest first, then the default. A unit that v does not see is not
// named.
func Explain(v *Viewer, isMaster bool, explicit *Rule, above []UnitRule) []*AccessStep {
	at := v.Request.At
	rule := KeyRule{IsMaster: isMaster, Explicit: explicit}
	for _, u := range above {
		if rule.Unit = u.Enabled; rule.Unit != nil {
			break
		}
	}
	enabled, from := rule.Effective(at)
	steps := []*AccessStep{{Source: FromExplicit, Reason: explicitReason(explicit, at)}}
	if from == FromExplicit {
		steps[0].Enabled = &enabled
		return steps
	}
	for _, u := range above {
		steps = append(steps, &AccessStep{Source: FromUnit, Unit: u.Unit, Enabled: u.Enabled, Reason: u.reason(v)})
		if u.Enabled != nil {
			return steps
		}
	}
	reason := "Otherwise a key is disabled."
	if isMaster {
		reason = "Otherwise the master key is enabled."
	}
	return append(steps, &AccessStep{Source: FromDefault, Enabled: &enabled, Reason: reason})
}

func explicitReason(r *Rule, at time.Time) string {
	switch {
	case r == nil:
		return "Nothing is set for this user and this key."
	case !r.Holds(at):
		return "The key was enabled for this user until " + r.ExpiresAt.UTC().Format(time.RFC3339) + "; that has ended."
	case r.ExpiresAt != nil:
		return "The key is enabled for this user until " + r.ExpiresAt.UTC().Format(time.RFC3339) + "."
	case r.Enabled:
		return "The key is enabled for this user."
	}
	return "The key is disabled for this user."
}

func (u UnitRule) reason(v *Viewer) string {
	unit := "A unit that holds the key"
	if u.Unit.VisibleTo(v) {
		unit = "The unit " + u.Unit.Name
	}
	switch {
	case u.Enabled == nil:
		return unit + " has no rule for this user."
	case *u.Enabled:
		return unit + " enables all keys in and below it for this user."
	}
	return unit + " disables all keys in and below it for this user."
}
