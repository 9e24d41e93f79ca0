package server_test

import (
	"testing"

	"grantwood/graph"
)

// escalation is an attempt to get or give more than one has.
type escalation struct {
	name    string
	caller  member
	m       mutation
	in      input
	problem string
}

// TestEscalationByGrants: every attempt is refused as not allowed, or as not found where the truth would say what is hidden, and
// changes nothing.
func TestEscalationByGrants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hidden, shared := w.key(t, "Hidden"), w.key(t, "Shared")
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{shared}})
	inviter := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageUsers, graph.ViewUsage}, keys: []string{shared}})
	granter := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageGrants}, keys: []string{shared}, withoutMaster: true})
	other := otherWorld(t)
	attempts := inviteMore(inviter, admin, shared, hidden)
	attempts = append(attempts, grantMore(w, admin, granter, inviter, shared, hidden)...)
	attempts = append(attempts, manyMore(t, w, admin, inviter, shared, hidden)...)
	attempts = append(attempts, keysOfOthers(w, admin, inviter, other, shared, hidden)...)
	other.unchanged(t, func() {
		w.unchanged(t, func() {
			for _, e := range attempts {
				t.Run(e.name, func(t *testing.T) { e.caller.fails(t, e.m, e.in, e.m.refused(e.problem)) })
			}
		})
	})
}

func inviteMore(inviter, admin member, shared, hidden string) []escalation {
	invite := func(access input, keys ...string) input {
		return input{"email": "more@test.example", "access": access, "keyIds": append([]string{}, keys...)}
	}
	beyond, keys := problem("NOT_ALLOWED", "input.access"), problem("NOT_ALLOWED", "input.keyIds")
	reporting := input{"role": "REPORTING"}
	return []escalation{
		{"invite an administrator", inviter, toInviteUser, invite(input{"role": "ADMINISTRATOR"}), beyond},
		{"invite a developer", inviter, toInviteUser, invite(input{"role": "DEVELOPER"}), beyond},
		{"invite with one capability more", inviter, toInviteUser, invite(input{"capabilities": []string{"VIEW_USAGE", "VIEW_AUDIT"}}), beyond},
		{"invite to a visible key without MANAGE_GRANTS", inviter, toInviteUser, invite(reporting, shared), keys},
		{"invite to a hidden key without MANAGE_GRANTS", inviter, toInviteUser, invite(reporting, hidden), keys},
		{"invite to a missing key without MANAGE_GRANTS", inviter, toInviteUser, invite(reporting, "key_x"), keys},
		{"invite to a hidden key", admin, toInviteUser, invite(reporting, shared, hidden), problem("NOT_FOUND", "input.keyIds.1")},
	}
}

func grantMore(w *world, admin, granter, inviter member, shared, hidden string) []escalation {
	set := func(user, key, state string) input { return input{"userId": user, "keyId": key, "state": state} }
	own, noKey := problem("NOT_ALLOWED", "input.userId"), problem("NOT_FOUND", "input.keyId")
	return []escalation{
		{"enable for oneself", admin, toSetGrant, set(admin.id, shared, "ENABLED"), own},
		{"reset for oneself", admin, toSetGrant, set(admin.id, w.master, "INHERIT"), own},
		{"disable for oneself", admin, toSetGrant, set(admin.id, shared, "DISABLED"), own},
		{"enable a hidden key for oneself", admin, toSetGrant, set(admin.id, hidden, "ENABLED"), noKey},
		{"reset a hidden master key for oneself", granter, toSetGrant, set(granter.id, w.master, "INHERIT"), noKey},
		{"enable a hidden key for others", admin, toSetGrant, set(inviter.id, hidden, "ENABLED"), noKey},
		{"disable a hidden key for others", admin, toSetGrant, set(inviter.id, hidden, "DISABLED"), noKey},
		{"disable a hidden master key for others", granter, toSetGrant, set(admin.id, w.master, "DISABLED"), noKey},
		{"grant for the primary user", admin, toSetGrant, set(w.owner.id, shared, "DISABLED"), own},
		{"grant of the primary user for oneself", w.owner, toSetGrant, set(w.owner.id, shared, "ENABLED"), own},
	}
}

// manyMore hides what may not be done among what may, and tries to get back what was taken.
func manyMore(t *testing.T, w *world, admin, inviter member, shared, hidden string) []escalation {
	lost := w.key(t, "Lost")
	w.grant(t, admin.id, lost, graph.GrantEnabled)
	taken := w.owner.set(t, pair(admin.id, lost, "DISABLED"))
	return []escalation{
		{"enable a hidden key in a block", admin, toSetAccess, access([]string{inviter.id}, []string{shared, hidden}, "ENABLED"), problem("NOT_FOUND", "input.keyIds.1")},
		{"enable for oneself in a block", admin, toSetAccess, access([]string{inviter.id, admin.id}, []string{shared}, "ENABLED"), problem("NOT_ALLOWED", "input.userIds.1")},
		{"reset a hidden key in a list", admin, toSetGrants, changes(pair(inviter.id, shared, "ENABLED"), pair(inviter.id, hidden, "INHERIT")), problem("NOT_FOUND", "input.changes.1.keyId")},
		{"enable for oneself in a list", admin, toSetGrants, changes(pair(inviter.id, shared, "ENABLED"), pair(admin.id, shared, "INHERIT")), problem("NOT_ALLOWED", "input.changes.1.userId")},
		{"undo what was taken from oneself", admin, toUndo, undo(taken), problem("NOT_FOUND", "input.operationId")},
	}
}

func keysOfOthers(w *world, admin, inviter member, other elsewhere, shared, hidden string) []escalation {
	set := func(user, key string) input { return input{"userId": user, "keyId": key, "state": "ENABLED"} }
	enable := func(key string, enabled bool) input { return input{"keyId": key, "enabled": enabled} }
	noKey, noUser := problem("NOT_FOUND", "input.keyId"), problem("NOT_FOUND", "input.userId")
	return []escalation{
		{"disable the master key", admin, toSetAPIKeyEnabled, enable(w.master, false), problem("NOT_ALLOWED", "input.keyId")},
		{"disable a hidden key", admin, toSetAPIKeyEnabled, enable(hidden, false), noKey},
		{"enable a hidden key", admin, toSetAPIKeyEnabled, enable(hidden, true), noKey},
		{"disable another account's key", admin, toSetAPIKeyEnabled, enable(other.key, false), noKey},
		{"grant in another account", admin, toSetGrant, set(other.user.id, other.key), noUser},
		{"another account's key", admin, toSetGrant, set(inviter.id, other.key), noKey},
		{"another account's user", admin, toSetGrant, set(other.user.id, shared), noUser},
	}
}

// TestTwoAdministratorsCannotReachAHiddenKey: what neither sees, neither can enable for the other.
func TestTwoAdministratorsCannotReachAHiddenKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.key(t, "Lost")
	admin := invitee{role: graph.RoleAdministrator, keys: []string{k}}
	a, b := w.user(t, admin), w.user(t, admin)
	a.done(t, toSetGrant, input{"userId": b.id, "keyId": k, "state": "DISABLED"})
	refused := toSetGrant.refused(problem("NOT_FOUND", "input.keyId"))
	b.fails(t, toSetGrant, input{"userId": a.id, "keyId": k, "state": "DISABLED"}, refused)
	w.grant(t, a.id, k, graph.GrantInherit)
	w.unchanged(t, func() {
		a.fails(t, toSetGrant, input{"userId": b.id, "keyId": k, "state": "ENABLED"}, refused)
		b.fails(t, toSetGrant, input{"userId": a.id, "keyId": k, "state": "ENABLED"}, refused)
	})
	w.grant(t, a.id, k, graph.GrantEnabled)
	a.done(t, toSetGrant, input{"userId": b.id, "keyId": k, "state": "ENABLED"})
}
