package graph

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

var (
	noon    = time.Date(2016, 6, 29, 12, 0, 0, 0, time.UTC)
	home    = UUID{1}
	abroad  = UUID{2}
	master  = &ApiKey{AccountID: home, KeyID: UUID{10}, IsMaster: true, Enabled: true}
	seenKey = &ApiKey{AccountID: home, KeyID: UUID{11}, Enabled: true}
	hidden  = &ApiKey{AccountID: home, KeyID: UUID{12}, Enabled: true}
	foreign = &ApiKey{AccountID: abroad, KeyID: UUID{11}, Enabled: true}
	gone    = &ApiKey{AccountID: home, KeyID: UUID{11}, DeletedAt: &noon}

	// The tree: top holds a unit with the enabled key, one with the hidden key, and an empty one; the one with the hidden key
	// holds another empty one.
	top, with, without, empty, emptyBelow = unitOf(20), unitOf(21), unitOf(22), unitOf(23), unitOf(24)
	tree                                  = NewTree(map[UUID]UUID{top.UnitID: {}, with.UnitID: top.UnitID, without.UnitID: top.UnitID,
		empty.UnitID: top.UnitID, emptyBelow.UnitID: without.UnitID}, map[UUID]UUID{seenKey.KeyID: with.UnitID, hidden.KeyID: without.UnitID})
)

func unitOf(id byte) *Unit { return &Unit{AccountID: home, UnitID: UUID{id}} }

func as(id byte, set CapabilitySet) *Viewer {
	return &Viewer{Kind: KindOfUser, Account: &Account{AccountID: home, Status: Active}, Request: Request{At: noon},
		User: &User{AccountID: home, UserID: UUID{id}, Granted: set, Status: UserActive},
		Keys: NewKeySet(tree, Rules{Master: master.KeyID, Keys: map[UUID]Rule{seenKey.KeyID: {Enabled: true}, hidden.KeyID: {}}})}
}

func owner() *Viewer {
	v := as(100, 0)
	v.User.IsPrimary = true
	v.Keys = nil
	return v
}

func provider(scopes ...OperatorScope) *Viewer {
	return &Viewer{Kind: KindOperator, Operator: &Operator{Scopes: scopes}, Request: Request{At: noon}}
}

// tokenOf makes a token for the enabled key.
func tokenOf(creator *Viewer, set CapabilitySet) *Viewer {
	return &Viewer{Kind: KindOfToken, AccessToken: &AccessToken{AccountID: home, TokenID: UUID{60}, Granted: set}, Creator: creator.User,
		Account: creator.Account, Request: creator.Request, Keys: ListedKeys(tree, []UUID{seenKey.KeyID})}
}

func keyItself(k *ApiKey) *Viewer {
	return &Viewer{Kind: KindOfKey, ApiKey: k, Account: &Account{AccountID: home, Status: Active}, Request: Request{At: noon},
		Keys: ListedKeys(tree, []UUID{k.KeyID})}
}

// everybody names the viewers of the truth tables.
func everybody() map[string]*Viewer {
	return map[string]*Viewer{
		"primary": owner(), "administrator": as(1, AllCapabilities), "developer": as(2, roleSets[RoleDeveloper]),
		"reporting": as(3, roleSets[RoleReporting]), "grants only": as(4, Capabilities(ManageGrants)), "users only": as(5, Capabilities(ManageUsers)),
		"keys only": as(8, Capabilities(ManageKeys)), "audit only": as(6, Capabilities(ViewAudit)), "support": provider(ScopeSupport), "admin operator": provider(ScopeAdmin),
		"ingest": provider(ScopeIngest), "verify": provider(ScopeVerify), "nobody": {Request: Request{At: noon}},
		"token": tokenOf(as(1, AllCapabilities), TokenCapabilities), "key": keyItself(seenKey), "tokens only": as(7, Capabilities(ManageTokens)),
	}
}

// seen is what a viewer may see.
type seen interface{ VisibleTo(*Viewer) bool }

// sight is a row of the table "who sees what".
type sight struct {
	what  string
	thing func(v *Viewer) seen
	who   []string
}

var (
	peer, boss = &User{AccountID: home, UserID: UUID{50}}, &User{AccountID: home, UserID: UUID{100}, IsPrimary: true}
	everyUser  = []string{"primary", "administrator", "developer", "reporting", "grants only", "users only", "audit only", "tokens only", "keys only"}
	everyone   = slices.Clip(append([]string{"token", "key"}, everyUser...)) // so that adding to it makes another list
	readers    = []string{"support", "admin operator"}
	managers   = slices.Clip(append([]string{"primary", "administrator", "grants only"}, readers...))
)

// own is the viewer's user, somebody else for those who are none.
func own(v *Viewer) *User {
	if v.Kind == KindOfUser {
		return v.User
	}
	return peer
}

// TestWhoSeesWhat is the table "who sees what" of the product: what → who.
func TestWhoSeesWhat(t *testing.T) {
	t.Parallel()
	for _, row := range append(sights(), sightsOfUnits()...) {
		for name, v := range everybody() {
			if got, want := row.thing(v).VisibleTo(v), among(name, row.who); got != want {
				t.Errorf("%s sees %s: %v, want %v", name, row.what, got, want)
			}
		}
	}
}

func sights() []sight {
	return []sight{
		{"master key", func(*Viewer) seen { return master }, append(everyUser, readers...)},
		{"enabled key", func(*Viewer) seen { return seenKey }, append(everyone, readers...)},
		{"deleted key that is enabled for the viewer", func(*Viewer) seen { return gone }, append(everyone, readers...)},
		{"key that is not enabled", func(*Viewer) seen { return hidden }, append([]string{"primary"}, readers...)},
		{"key of another account", func(*Viewer) seen { return foreign }, readers},
		{"primary user", func(*Viewer) seen { return boss }, append(everyUser, readers...)},
		{"oneself", func(v *Viewer) seen { return own(v) }, append(everyUser, readers...)},
		{"another user", func(*Viewer) seen { return peer }, append(managers, "users only")},
		{"user of another account", func(*Viewer) seen {
			return &User{AccountID: abroad, UserID: UUID{1}, IsPrimary: true}
		}, readers},
		{"own grant", func(v *Viewer) seen { return &Grant{User: own(v), Key: seenKey} }, append(everyUser, readers...)},
		{"own grant for a hidden key", func(v *Viewer) seen { return &Grant{User: own(v), Key: hidden} }, append([]string{"primary"}, readers...)},
		{"another user's grant", func(*Viewer) seen { return &Grant{User: peer, Key: seenKey} }, managers},
		{"another user's grant for a hidden key", func(*Viewer) seen { return &Grant{User: peer, Key: hidden} }, append([]string{"primary"}, readers...)},
		{"invitation", func(*Viewer) seen { return &Invitation{AccountID: home} }, append([]string{"primary", "administrator", "users only"}, readers...)},
		{"own key request", func(v *Viewer) seen {
			return &KeyRequest{AccountID: home, RequesterID: own(v).UserID}
		}, append(everyUser, readers...)},
		{"another user's key request", func(*Viewer) seen {
			return &KeyRequest{AccountID: home, RequesterID: peer.UserID, KeyID: &hidden.KeyID}
		}, append([]string{"primary", "administrator", "keys only"}, readers...)},
		{"key request of another account", func(v *Viewer) seen {
			return &KeyRequest{AccountID: abroad, RequesterID: own(v).UserID}
		}, readers},
		{"event", func(*Viewer) seen { return &AuditEvent{AccountID: home} }, append([]string{"primary", "administrator", "audit only"}, readers...)},
		{"event about an enabled key", func(*Viewer) seen {
			return &AuditEvent{AccountID: home, KeyID: &seenKey.KeyID}
		}, append([]string{"primary", "administrator", "audit only"}, readers...)},
		{"event about a hidden key", func(*Viewer) seen {
			return &AuditEvent{AccountID: home, KeyID: &hidden.KeyID}
		}, append([]string{"primary"}, readers...)},
		{"operation on grants for the enabled key", func(*Viewer) seen {
			return &AuditEvent{AccountID: home, Action: GrantsChanged, ChangedFor: &seenKey.KeyID}
		}, append([]string{"primary", "administrator", "audit only"}, readers...)},
		{"operation on grants for the hidden key", func(*Viewer) seen {
			return &AuditEvent{AccountID: home, Action: GrantsChanged, ChangedFor: &hidden.KeyID}
		}, append([]string{"primary"}, readers...)},
		{"operation of which no key was read", func(*Viewer) seen {
			return &AuditEvent{AccountID: home, Action: GrantsChanged}
		}, append([]string{"primary"}, readers...)},
		{"operation in another account", func(*Viewer) seen {
			return &AuditEvent{AccountID: abroad, Action: GrantsChanged, ChangedFor: &seenKey.KeyID}
		}, readers},
		{"change of a grant for the enabled key", func(*Viewer) seen { return &GrantChange{Key: seenKey} }, append([]string{"primary", "administrator", "audit only"}, readers...)},
		{"change of a grant for the hidden key", func(*Viewer) seen { return &GrantChange{Key: hidden} }, append([]string{"primary"}, readers...)},
		{"change of a grant for a key that is gone", func(*Viewer) seen { return &GrantChange{} }, nil},
		{"access token", func(*Viewer) seen {
			return &AccessToken{AccountID: home, TokenID: UUID{61}}
		},
			append([]string{"primary", "administrator", "tokens only"}, readers...)},
		{"the token itself", func(*Viewer) seen {
			return &AccessToken{AccountID: home, TokenID: UUID{60}}
		},
			append([]string{"primary", "administrator", "tokens only", "token"}, readers...)},
		{"the same in another account", func(*Viewer) seen {
			return &AccessToken{AccountID: abroad, TokenID: UUID{60}}
		}, readers},
		{"own account", func(*Viewer) seen { return &Account{AccountID: home} }, append(everyone, readers...)},
		{"another account", func(*Viewer) seen { return &Account{AccountID: abroad} }, readers},
		{"nothing", func(*Viewer) seen { return (*ApiKey)(nil) }, nil},
	}
}

func sightsOfUnits() []sight {
	return []sight{
		{"unit above the enabled key", func(*Viewer) seen { return top }, append(everyone, readers...)},
		{"unit of the enabled key", func(*Viewer) seen { return with }, append(everyone, readers...)},
		{"unit of the hidden key", func(*Viewer) seen { return without }, append([]string{"primary"}, readers...)},
		{"empty unit", func(*Viewer) seen { return empty }, append([]string{"primary", "administrator", "keys only"}, readers...)},
		{"empty unit below a hidden one", func(*Viewer) seen { return emptyBelow }, append([]string{"primary"}, readers...)},
		{"unit of another account", func(*Viewer) seen {
			return &Unit{AccountID: abroad, UnitID: top.UnitID}
		}, readers},
		{"unit that is gone", func(*Viewer) seen { return unitOf(99) }, append([]string{"primary"}, readers...)},
		{"own rule for a unit", func(v *Viewer) seen { return &UnitGrant{User: own(v), Unit: with} }, append(everyUser, readers...)},
		{"own rule for a hidden unit", func(v *Viewer) seen { return &UnitGrant{User: own(v), Unit: without} }, append([]string{"primary"}, readers...)},
		{"another user's rule for a unit", func(*Viewer) seen { return &UnitGrant{User: peer, Unit: with} }, managers},
		{"another user's rule for a hidden unit", func(*Viewer) seen { return &UnitGrant{User: peer, Unit: without} }, append([]string{"primary"}, readers...)},
		{"event about a visible unit", func(*Viewer) seen {
			return &AuditEvent{AccountID: home, UnitID: &with.UnitID}
		}, append([]string{"primary", "administrator", "audit only"}, readers...)},
		{"event about a hidden unit", func(*Viewer) seen {
			return &AuditEvent{AccountID: home, UnitID: &without.UnitID, KeyID: &seenKey.KeyID}
		}, append([]string{"primary"}, readers...)},
	}
}

func among(name string, list []string) bool {
	for _, n := range list {
		if n == name {
			return true
		}
	}
	return false
}

// TestCapabilities is the table of the product, row by row: which capability the roles hold, a token may hold, and a key
// itself holds; and what is the primary user's alone.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	token := tokenOf(as(1, AllCapabilities), AllCapabilities) // as much as a creator can have given
	columns := map[string]*Viewer{"PRIMARY": owner(), "ADMINISTRATOR": as(1, roleSets[RoleAdministrator]), "DEVELOPER": as(2, roleSets[RoleDeveloper]),
		"REPORTING": as(3, roleSets[RoleReporting]), "a token": token, "a key": keyItself(seenKey), "an operator": provider(ScopeAdmin),
		"nobody": {}}
	managers := []string{"PRIMARY", "ADMINISTRATOR"}
	for _, row := range []struct {
		what string
		may  func(v *Viewer) bool
		who  []string
	}{
		{"VIEW_USAGE", holds(ViewUsage), []string{"PRIMARY", "ADMINISTRATOR", "DEVELOPER", "REPORTING", "a token", "a key"}},
		{"ROTATE_SECRETS", holds(RotateSecrets), []string{"PRIMARY", "ADMINISTRATOR", "DEVELOPER", "a token"}},
		{"MANAGE_KEYS", holds(ManageKeys), managers}, {"MANAGE_USERS", holds(ManageUsers), managers},
		{"MANAGE_GRANTS", holds(ManageGrants), managers}, {"MANAGE_TOKENS", holds(ManageTokens), managers},
		{"VIEW_BILLING", holds(ViewBilling), managers}, {"MANAGE_PAYMENTS", holds(ManagePayments), managers},
		{"MANAGE_NUMBERS", holds(ManageNumbers), managers}, {"VIEW_AUDIT", holds(ViewAudit), managers},
		{"every key without a grant", func(v *Viewer) bool { return hidden.VisibleTo(v) }, []string{"PRIMARY", "an operator"}},
		{"transfer ownership", func(v *Viewer) bool { return v.MayTransfer() == nil }, []string{"PRIMARY"}},
		{"disable the master key", func(v *Viewer) bool { return v.MaySetEnabled(master, false) == nil }, []string{"PRIMARY"}},
	} {
		for name, v := range columns {
			if got, want := row.may(v), among(name, row.who); got != want {
				t.Errorf("%s, %s: %v, want %v", name, row.what, got, want)
			}
		}
	}
	for _, role := range []Role{RoleAdministrator, RoleDeveloper, RoleReporting} {
		if got := roleSets[role].Role(); got != role {
			t.Errorf("%s reads as %s", role, got)
		}
	}
	if got := Capabilities(ViewAudit).Role(); got != RoleCustom {
		t.Errorf("another set reads as %s", got)
	}
}

func holds(c Capability) func(*Viewer) bool { return func(v *Viewer) bool { return v.May(c) } }

func TestRules(t *testing.T) {
	t.Parallel()
	admin, peer := as(1, AllCapabilities), &User{AccountID: home, UserID: UUID{50}}
	future, past := noon.Add(time.Hour), noon.Add(-time.Hour)
	suspended := as(1, AllCapabilities)
	suspended.Account = &Account{AccountID: home, Status: Suspended}
	full, open := &Account{MaxUsers: 3, MaxApiKeys: 3}, &Account{MaxUsers: 4, MaxApiKeys: 4}
	for _, row := range []struct {
		name string
		err  error
		want Code // empty: allowed
		path string
	}{
		{"enable for a peer", admin.MaySetGrant(peer, seenKey, SetGrantInput{State: GrantEnabled}), "", ""},
		{"enable for a while", admin.MaySetGrant(peer, seenKey, SetGrantInput{State: GrantEnabled, ExpiresAt: &future}), "", ""},
		{"disable for a peer", admin.MaySetGrant(peer, seenKey, SetGrantInput{State: GrantDisabled}), "", ""},
		{"reset for a peer", admin.MaySetGrant(peer, master, SetGrantInput{State: GrantInherit}), "", ""},
		{"a state that is none", admin.MaySetGrant(peer, seenKey, SetGrantInput{State: "enabled"}), Invalid, "[input state]"},
		{"own grant", admin.MaySetGrant(admin.User, seenKey, SetGrantInput{State: GrantEnabled}), NotAllowed, "[input userId]"},
		{"grant of the primary user", admin.MaySetGrant(owner().User, seenKey, SetGrantInput{State: GrantEnabled}), NotAllowed, "[input userId]"},
		{"grant for a deleted key", admin.MaySetGrant(peer, gone, SetGrantInput{State: GrantEnabled}), InvalidState, "[input keyId]"},
		{"end in the past", admin.MaySetGrant(peer, seenKey, SetGrantInput{State: GrantEnabled, ExpiresAt: &past}), Invalid, "[input expiresAt]"},
		{"end now", admin.MaySetGrant(peer, seenKey, SetGrantInput{State: GrantEnabled, ExpiresAt: &noon}), Invalid, "[input expiresAt]"},
		{"end of a disabled grant", admin.MaySetGrant(peer, seenKey, SetGrantInput{State: GrantDisabled, ExpiresAt: &future}), Invalid, "[input expiresAt]"},
		{"disable a key", admin.MaySetEnabled(seenKey, false), "", ""},
		{"disable the master key", admin.MaySetEnabled(master, false), NotAllowed, "[input keyId]"},
		{"enable the master key", admin.MaySetEnabled(master, true), "", ""},
		{"disable the master key as its owner", owner().MaySetEnabled(master, false), "", ""},
		{"enable a deleted key", owner().MaySetEnabled(gone, true), InvalidState, "[input keyId]"},
		{"change a key", seenKey.MayUpdate(), "", ""},
		{"change the master key", master.MayUpdate(), "", ""},
		{"change a deleted key", gone.MayUpdate(), InvalidState, "[input keyId]"},
		{"delete a key", seenKey.MayDelete(), "", ""},
		{"delete a deleted key", gone.MayDelete(), "", ""},
		{"delete the master key", master.MayDelete(), NotAllowed, "[input keyId]"},
		{"issue the first secret", master.MayRotate(0, noon), "", ""},
		{"issue a secret for a deleted key", gone.MayRotate(0, noon), InvalidState, "[input keyId]"},
		{"rotate with grace", rotated(noon).MayRotate(1, noon), "", ""},
		{"rotate with grace while two secrets work", rotated(future).MayRotate(1, noon), InvalidState, "[input graceMinutes]"},
		{"rotate without grace while two secrets work", rotated(future).MayRotate(0, noon), "", ""},
		{"approve a request", asked(KeyRequestPending).MayBecome(KeyRequestApproved), "", ""},
		{"approve an approved request", asked(KeyRequestApproved).MayBecome(KeyRequestApproved), "", ""},
		{"reject an approved request", asked(KeyRequestApproved).MayBecome(KeyRequestRejected), InvalidState, "[input keyRequestId]"},
		{"approve a rejected request", asked(KeyRequestRejected).MayBecome(KeyRequestApproved), InvalidState, "[input keyRequestId]"},
		{"approve a withdrawn request", asked(KeyRequestCancelled).MayBecome(KeyRequestApproved), InvalidState, "[input keyRequestId]"},
		{"withdraw a withdrawn request", asked(KeyRequestCancelled).MayBecome(KeyRequestCancelled), "", ""},
		{"withdraw a rejected request", asked(KeyRequestRejected).MayBecome(KeyRequestCancelled), InvalidState, "[input keyRequestId]"},
		{"the hundredth waiting request", MayRequestKey(99), "", ""},
		{"one waiting request too many", MayRequestKey(100), LimitReached, "[]"},
		{"invite with less", admin.MayInvite(roleSets[RoleDeveloper], 0), "", ""},
		{"invite with as much", admin.MayInvite(AllCapabilities, 3), "", ""},
		{"invite with more", as(5, Capabilities(ManageUsers)).MayInvite(roleSets[RoleReporting], 0), NotAllowed, "[input access]"},
		{"invite with keys and no right to grants", as(5, Capabilities(ManageUsers)).MayInvite(0, 1), NotAllowed, "[input keyIds]"},
		{"invite with a deleted key", MayInviteKey(gone, 2), InvalidState, "[input keyIds 2]"},
		{"one more user", open.MayInviteMore(3), "", ""},
		{"one user too many", full.MayInviteMore(3), LimitReached, "[]"},
		{"one more key", open.MayCreateKey(3), "", ""},
		{"one key too many", full.MayCreateKey(3), LimitReached, "[]"},
		{"change", admin.MayChange(), "", ""},
		{"change in a suspended account", suspended.MayChange(), AccountSuspended, "[]"},
	} {
		e, refused := errors.AsType[*Error](row.err)
		switch {
		case !refused && row.want != "":
			t.Errorf("%s is allowed, want %s", row.name, row.want)
		case refused && (e.Code != row.want || fmt.Sprint(e.Path) != row.path):
			t.Errorf("%s: %s at %v, want %q at %s", row.name, e.Code, e.Path, row.want, row.path)
		}
	}
}

// rotated is a key whose older secret ends at a time, asked a request in a state.
func rotated(end time.Time) *ApiKey {
	return &ApiKey{AccountID: home, KeyID: UUID{11}, SecretIssuedAt: &noon, PreviousSecretExpiresAt: &end}
}

func asked(s KeyRequestStatus) *KeyRequest { return &KeyRequest{AccountID: home, Status: s} }

// TestSecretEnd: no secret outlives a rotation without grace, and none comes from nothing.
func TestSecretEnd(t *testing.T) {
	t.Parallel()
	later := noon.Add(10 * time.Minute)
	for _, row := range []struct {
		name    string
		key     *ApiKey
		minutes int
		want    *time.Time
	}{
		{"grace", rotated(noon), 10, &later}, {"no grace", rotated(noon), 0, nil}, {"first secret", seenKey, 10, nil},
	} {
		got := row.key.SecretEnd(row.minutes, noon)
		if (got == nil) != (row.want == nil) || got != nil && !got.Equal(*row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
	if got := rotated(later).PreviousSecretEnd(later); got != nil {
		t.Errorf("a secret works until and at %v", got)
	}
}

func TestMeets(t *testing.T) {
	t.Parallel()
	users, both, audit, support := []PrincipalKind{KindOfUser}, []PrincipalKind{KindOfUser, KindOperator}, ViewAudit, ScopeSupport
	machines, usage, rotate := []PrincipalKind{KindOfToken, KindOfKey}, ViewUsage, RotateSecrets
	for _, row := range []struct {
		who        string
		by         []PrincipalKind
		capability *Capability
		scope      *OperatorScope
		want       Code
	}{
		{"nobody", both, nil, nil, Unauthenticated},
		{"nobody", both, &audit, &support, Unauthenticated},
		{"reporting", users, nil, nil, ""},
		{"reporting", users, &audit, nil, Forbidden},
		{"audit only", both, &audit, &support, ""},
		{"primary", users, &audit, nil, ""},
		{"support", users, nil, nil, Forbidden},
		{"support", both, &audit, &support, ""},
		{"admin operator", both, &audit, &support, ""},
		{"ingest", both, &audit, &support, Forbidden},
		{"ingest", both, nil, nil, ""},
		{"token", both, nil, nil, Forbidden},
		{"token", machines, nil, nil, ""},
		{"token", machines, &usage, nil, ""},
		{"token", machines, &audit, nil, Forbidden},
		{"key", both, nil, nil, Forbidden},
		{"key", machines, &usage, &support, ""},
		{"key", machines, &rotate, nil, Forbidden},
	} {
		err := everybody()[row.who].Meets(row.by, row.capability, row.scope)
		if got := codeOf(err); got != row.want {
			t.Errorf("%s: %q, want %q", row.who, got, row.want)
		}
	}
}

func codeOf(err error) Code {
	if err == nil {
		return ""
	}
	return ErrorCode(err)
}
