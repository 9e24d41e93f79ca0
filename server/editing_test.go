package server_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

const (
	setCapabilities = `mutation($u: ID!, $a: AccessInput!) { setUserCapabilities(input: {userId: $u, access: $a}) {
		userErrors { code path } user { id role capabilities } } }`
	setStatus = `mutation($u: ID!, $s: UserStatus!) { setUserStatus(input: {userId: $u, status: $s}) { userErrors { code path } user { id status } } }`
	remove    = `mutation($u: ID!) { removeUser(input: {userId: $u}) { userErrors { code path } removedUserId } }`
)

func role(r graph.Role) map[string]any { return map[string]any{"role": r} }

func only(list ...graph.Capability) map[string]any {
	return map[string]any{"capabilities": append([]graph.Capability{}, list...)}
}

// refusedAt is the answer to a mutation that was refused at a path.
func refusedAt(field, object string, code graph.Code, path string) string {
	quoted := `"` + strings.ReplaceAll(path, ".", `", "`) + `"`
	if path == "" {
		quoted = ""
	}
	return fmt.Sprintf(`{"data": {%q: {"userErrors": [{"code": %q, "path": [%s]}], %q: null}}}`, field, code, quoted, object)
}

// deniedTo is the answer to a caller who may not use the field.
func deniedTo(field string, code graph.Code, message string) string {
	return fmt.Sprintf(`{"data": {%q: null}, "errors": [{"message": %q, "path": [%q], "extensions": {"code": %q}}]}`, field, message, field, code)
}

const signInFirst = "Sign in first, or again: the credentials are missing or no longer valid."

// noted gives the events with the action, the newest first, as "summary: field before→after; …".
func (w *world) noted(t testing.TB, action graph.AuditAction) []string {
	t.Helper()
	list, _ := w.owner.ask(t, `query($a: AuditAction!) { account { auditEvents(first: 100, filter: {actions: [$a]}) { nodes { summary actorLabel changes { field before after } } } } }`,
		map[string]any{"a": action}, "account.auditEvents.nodes").([]any)
	out := []string{}
	for _, n := range list {
		e := n.(map[string]any)
		line := text(e, "actorLabel") + ": " + text(e, "summary")
		for _, c := range e["changes"].([]any) {
			change := c.(map[string]any)
			line += " " + text(change, "field") + " " + text(change, "before") + "→" + text(change, "after") + ";"
		}
		out = append(out, line)
	}
	return out
}

func (w *world) expectNoted(t testing.TB, action graph.AuditAction, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, w.noted(t, action)); diff != "" {
		t.Errorf("%s in the audit trail (-want +got):\n%s", action, diff)
	}
}

// name is what somebody is called who gave no name.
func (m member) name() string { return graph.NameFromEmail(m.email) }

func TestSetUserCapabilities(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	admin, u := w.user(t, invitee{role: graph.RoleAdministrator}), w.user(t, invitee{role: graph.RoleReporting})
	vars := func(user string, access map[string]any) map[string]any { return map[string]any{"u": user, "a": access} }

	done := fmt.Sprintf(`{"data": {"setUserCapabilities": {"userErrors": [], "user": {"id": %q, "role": "DEVELOPER", "capabilities": ["VIEW_USAGE", "ROTATE_SECRETS"]}}}}`, u.id)
	admin.expect(t, setCapabilities, vars(u.id, role(graph.RoleDeveloper)), done)
	admin.expect(t, setCapabilities, vars(u.id, only(graph.RotateSecrets, graph.ViewUsage)), done)
	w.expectNoted(t, graph.UserAllowed, admin.name()+": Changed what "+u.name()+
		" may do. role REPORTING→DEVELOPER; capabilities VIEW_USAGE→VIEW_USAGE, ROTATE_SECRETS;")
	u.expect(t, `{ viewer { capabilities } }`, nil, `{"data": {"viewer": {"capabilities": ["VIEW_USAGE", "ROTATE_SECRETS"]}}}`)

	admin.expect(t, setCapabilities, vars(u.id, only()),
		fmt.Sprintf(`{"data": {"setUserCapabilities": {"userErrors": [], "user": {"id": %q, "role": "CUSTOM", "capabilities": []}}}}`, u.id))

	nobody().expect(t, setCapabilities, vars(u.id, only()), deniedTo("setUserCapabilities", graph.Unauthenticated, signInFirst))
	u.expect(t, setCapabilities, vars(admin.id, only()), deniedTo("setUserCapabilities", graph.Forbidden, "This needs the capability MANAGE_USERS."))
	for _, missing := range []string{"nonsense", w.account, w.master, other.owner.id, "usr_" + strings.Repeat("0", 52)} {
		admin.expect(t, setCapabilities, vars(missing, only()), refusedAt("setUserCapabilities", "user", graph.NotFound, "input.userId"))
	}
	admin.expect(t, setCapabilities, vars(u.id, role(graph.RolePrimary)), refusedAt("setUserCapabilities", "user", graph.Invalid, "input.access.role"))
	admin.expect(t, setCapabilities, vars(u.id, role(graph.RoleCustom)), refusedAt("setUserCapabilities", "user", graph.Invalid, "input.access.role"))
	admin.expect(t, setCapabilities, vars(u.id, only(graph.ViewUsage, graph.ViewUsage)),
		refusedAt("setUserCapabilities", "user", graph.Invalid, "input.access.capabilities"))
}

func TestSetUserStatus(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	admin := w.user(t, invitee{role: graph.RoleAdministrator})
	key := w.key(t, "Europe")
	u := w.user(t, invitee{role: graph.RoleReporting, keys: []string{key}})
	vars := func(user string, s graph.UserStatus) map[string]any { return map[string]any{"u": user, "s": s} }
	set := func(s graph.UserStatus) string {
		return fmt.Sprintf(`{"data": {"setUserStatus": {"userErrors": [], "user": {"id": %q, "status": %q}}}}`, u.id, s)
	}
	for range 2 {
		admin.expect(t, setStatus, vars(u.id, graph.UserDisabled), set(graph.UserDisabled))
		u.expect(t, `{ viewer { kind } }`, nil, deniedTo("viewer", graph.Unauthenticated, signInFirst))
	}
	w.expectNoted(t, graph.UserWasDisabled, admin.name()+": Disabled "+u.name()+". status ACTIVE→DISABLED;")
	in := map[string]any{"e": u.email, "p": password}
	nobody().expect(t, signInQuery, in, `{"data": {"signIn": {"userErrors": [{"code": "INVALID_CREDENTIALS", "path": ["input"]}], "sessionToken": null}}}`)
	for range 2 {
		admin.expect(t, setStatus, vars(u.id, graph.UserActive), set(graph.UserActive))
	}
	w.expectNoted(t, graph.UserWasEnabled, admin.name()+": Enabled "+u.name()+". status DISABLED→ACTIVE;")
	u.expect(t, `{ viewer { kind } }`, nil, deniedTo("viewer", graph.Unauthenticated, signInFirst)) // the old session is gone for good
	u.token = nobody().text(t, signInQuery, in, "signIn.sessionToken")
	if diff := cmp.Diff([]string{"Europe", "Master key"}, u.names(t)); diff != "" {
		t.Errorf("grants were not kept (-want +got):\n%s", diff)
	}

	nobody().expect(t, setStatus, vars(u.id, graph.UserDisabled), deniedTo("setUserStatus", graph.Unauthenticated, signInFirst))
	u.expect(t, setStatus, vars(admin.id, graph.UserDisabled), deniedTo("setUserStatus", graph.Forbidden, "This needs the capability MANAGE_USERS."))
	for _, missing := range []string{"nonsense", key, other.owner.id} {
		admin.expect(t, setStatus, vars(missing, graph.UserDisabled), refusedAt("setUserStatus", "user", graph.NotFound, "input.userId"))
	}
	if a := admin.post(t, setStatus, map[string]any{"u": u.id, "s": "ASLEEP"}); !strings.Contains(string(a.Body), `"BAD_USER_INPUT"`) &&
		!strings.Contains(string(a.Body), `GRAPHQL_VALIDATION_FAILED`) {
		t.Errorf("a state that is none: %s", a.Body)
	}
}

const signInQuery = `mutation($e: String!, $p: String!) { signIn(input: {email: $e, password: $p}) { userErrors { code path } sessionToken } }`

func TestRemoveUser(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	admin := w.user(t, invitee{role: graph.RoleAdministrator})
	key := w.key(t, "Europe")
	w.grant(t, admin.id, key, graph.GrantEnabled)
	u := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{key}})
	vars := map[string]any{"u": u.id}
	u.ask(t, `mutation($e: String!) { inviteUser(input: {email: $e, access: {role: REPORTING}}) { userErrors { code } } }`, map[string]any{"e": address()}, "inviteUser")

	admin.expect(t, remove, vars, fmt.Sprintf(`{"data": {"removeUser": {"userErrors": [], "removedUserId": %q}}}`, u.id))
	admin.expect(t, remove, vars, refusedAt("removeUser", "removedUserId", graph.NotFound, "input.userId"))
	w.expectNoted(t, graph.UserRemoved, admin.name()+": Removed "+u.name()+". role ADMINISTRATOR→;")
	u.expect(t, `{ viewer { kind } }`, nil, deniedTo("viewer", graph.Unauthenticated, signInFirst))
	in := map[string]any{"e": u.email, "p": password}
	nobody().expect(t, signInQuery, in, `{"data": {"signIn": {"userErrors": [{"code": "INVALID_CREDENTIALS", "path": ["input"]}], "sessionToken": null}}}`)
	w.owner.expect(t, `query($u: ID!) { node(id: $u) { id } account { invitations(status: PENDING) { totalCount nodes { invitedBy { id } } } } }`, vars,
		`{"data": {"node": null, "account": {"invitations": {"totalCount": 1, "nodes": [{"invitedBy": null}]}}}}`)

	again := w.invite(t, u.email, graph.RoleReporting)
	back := join(t, again, u.email)
	if back.id == u.id {
		t.Error("who comes back is the same user")
	}
	if diff := cmp.Diff([]string{"Master key"}, back.names(t)); diff != "" {
		t.Errorf("who comes back sees (-want +got):\n%s", diff)
	}

	nobody().expect(t, remove, vars, deniedTo("removeUser", graph.Unauthenticated, signInFirst))
	back.expect(t, remove, map[string]any{"u": admin.id}, deniedTo("removeUser", graph.Forbidden, "This needs the capability MANAGE_USERS."))
	for _, missing := range []string{"nonsense", key, other.owner.id} {
		admin.expect(t, remove, map[string]any{"u": missing}, refusedAt("removeUser", "removedUserId", graph.NotFound, "input.userId"))
	}
}

// invite invites an address as the owner and gives the link.
func (w *world) invite(t testing.TB, email string, r graph.Role) string {
	t.Helper()
	return w.owner.text(t, `mutation($in: InviteUserInput!) { inviteUser(input: $in) { userErrors { code message path } link } }`,
		map[string]any{"in": map[string]any{"email": email, "access": role(r)}}, "inviteUser.link")
}

// TestEscalation is the list of the product: what nobody does, whatever they hold.
func TestEscalation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full, peer := w.user(t, invitee{role: graph.RoleAdministrator}), w.user(t, invitee{role: graph.RoleAdministrator})
	part := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageUsers, graph.ViewUsage}})
	below, above := w.user(t, invitee{role: graph.RoleReporting}), w.user(t, invitee{role: graph.RoleDeveloper})
	for _, row := range []struct {
		name     string
		who      member
		query    string
		vars     map[string]any
		field    string
		object   string
		path     string
		wantCode graph.Code
	}{
		{"own capabilities", full, setCapabilities, map[string]any{"u": full.id, "a": role(graph.RoleReporting)}, "setUserCapabilities", "user", "input.userId", graph.NotAllowed},
		{"own capabilities, the same", full, setCapabilities, map[string]any{"u": full.id, "a": role(graph.RoleAdministrator)}, "setUserCapabilities", "user", "input.userId", graph.NotAllowed},
		{"own status", full, setStatus, map[string]any{"u": full.id, "s": graph.UserDisabled}, "setUserStatus", "user", "input.userId", graph.NotAllowed},
		{"oneself away", full, remove, map[string]any{"u": full.id}, "removeUser", "removedUserId", "input.userId", graph.NotAllowed},
		{"the owner's own capabilities", w.owner, setCapabilities, map[string]any{"u": w.owner.id, "a": only()}, "setUserCapabilities", "user", "input.userId", graph.NotAllowed},
		{"the owner away by themselves", w.owner, remove, map[string]any{"u": w.owner.id}, "removeUser", "removedUserId", "input.userId", graph.NotAllowed},
		{"capabilities of the owner", full, setCapabilities, map[string]any{"u": w.owner.id, "a": only()}, "setUserCapabilities", "user", "input.userId", graph.NotAllowed},
		{"status of the owner", full, setStatus, map[string]any{"u": w.owner.id, "s": graph.UserDisabled}, "setUserStatus", "user", "input.userId", graph.NotAllowed},
		{"status of the owner, the same", full, setStatus, map[string]any{"u": w.owner.id, "s": graph.UserActive}, "setUserStatus", "user", "input.userId", graph.NotAllowed},
		{"the owner away", full, remove, map[string]any{"u": w.owner.id}, "removeUser", "removedUserId", "input.userId", graph.NotAllowed},
		{"a capability that one lacks", part, setCapabilities, map[string]any{"u": below.id, "a": role(graph.RoleDeveloper)}, "setUserCapabilities", "user", "input.access", graph.NotAllowed},
		{"capabilities of somebody with more", part, setCapabilities, map[string]any{"u": above.id, "a": only()}, "setUserCapabilities", "user", "input.userId", graph.NotAllowed},
		{"status of somebody with more", part, setStatus, map[string]any{"u": above.id, "s": graph.UserDisabled}, "setUserStatus", "user", "input.userId", graph.NotAllowed},
		{"somebody with more away", part, remove, map[string]any{"u": above.id}, "removeUser", "removedUserId", "input.userId", graph.NotAllowed},
		{"an administrator away", part, remove, map[string]any{"u": peer.id}, "removeUser", "removedUserId", "input.userId", graph.NotAllowed},
	} {
		before := len(w.noted(t, graph.UserAllowed)) + len(w.noted(t, graph.UserWasDisabled)) + len(w.noted(t, graph.UserRemoved))
		row.who.expect(t, row.query, row.vars, refusedAt(row.field, row.object, row.wantCode, row.path))
		if after := len(w.noted(t, graph.UserAllowed)) + len(w.noted(t, graph.UserWasDisabled)) + len(w.noted(t, graph.UserRemoved)); after != before {
			t.Errorf("%s was refused and noted", row.name)
		}
	}
	// What is allowed: as much as one holds, to somebody who holds no more.
	part.ask(t, setCapabilities, map[string]any{"u": below.id, "a": only(graph.ManageUsers, graph.ViewUsage)}, "setUserCapabilities")
	full.ask(t, setCapabilities, map[string]any{"u": peer.id, "a": role(graph.RoleReporting)}, "setUserCapabilities")
}

// TestNothingChangesInASuspendedAccount is about all changes of people.
func TestNothingChangesInASuspendedAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.user(t, invitee{role: graph.RoleReporting})
	w.invite(t, address(), graph.RoleReporting)
	invitation := w.owner.text(t, `{ account { invitations(status: PENDING) { nodes { id } } } }`, nil, "account.invitations.nodes.0.id")
	suspend(t, w)
	for field, op := range map[string]operation{
		"setUserCapabilities": {setCapabilities, map[string]any{"u": u.id, "a": only()}},
		"setUserStatus":       {setStatus, map[string]any{"u": u.id, "s": graph.UserDisabled}},
		"removeUser":          {remove, map[string]any{"u": u.id}},
		"resendInvitation":    {resend, map[string]any{"i": invitation}},
		"revokeInvitation":    {revoke, map[string]any{"i": invitation}},
	} {
		w.owner.expect(t, op.query, op.variables, deniedTo(field, graph.AccountSuspended, "The account is suspended by the provider: reading works, changes do not."))
	}
}

// at the same time runs all and waits for them.
func atOnce(all ...func()) {
	var wait sync.WaitGroup
	for _, f := range all {
		wait.Go(f)
	}
	wait.Wait()
}

// outcome is what became of a mutation: "done", or the code of its refusal.
func outcome(t testing.TB, a answer, field string) string {
	t.Helper()
	if code, ok := a.at(t, field+".userErrors.0.code").(string); ok {
		return code
	}
	if list, ok := a.at(t, field+".userErrors").([]any); ok && len(list) == 0 {
		return "done"
	}
	v := normal(t, a.Body).(map[string]any)
	code, _ := v["errors"].([]any)[0].(map[string]any)["extensions"].(map[string]any)["code"].(string)
	return code
}

// TestTwoAdministratorsDisableEachOther lets exactly one succeed: the other was disabled before.
func TestTwoAdministratorsDisableEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.user(t, invitee{role: graph.RoleAdministrator}), w.user(t, invitee{role: graph.RoleAdministrator})
	for range 30 {
		var first, second answer
		atOnce(func() { first = a.post(t, setStatus, map[string]any{"u": b.id, "s": graph.UserDisabled}) },
			func() { second = b.post(t, setStatus, map[string]any{"u": a.id, "s": graph.UserDisabled}) })
		got := []string{outcome(t, first, "setUserStatus"), outcome(t, second, "setUserStatus")}
		slices.Sort(got)
		if diff := cmp.Diff([]string{"UNAUTHENTICATED", "done"}, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		disabled := &a
		if outcome(t, first, "setUserStatus") == "done" {
			disabled = &b
		}
		w.owner.ask(t, setStatus, map[string]any{"u": disabled.id, "s": graph.UserActive}, "setUserStatus")
		*disabled = disabled.again(t)
	}
}

// TestNobodyGivesWhatTheyLose takes a capability from somebody who gives it at the same moment: if the taking came first,
// the giving was refused, and the other way round it is the giver's last deed.
func TestNobodyGivesWhatTheyLose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	giver, taker := w.user(t, invitee{role: graph.RoleAdministrator}), w.user(t, invitee{capabilities: []graph.Capability{}})
	lesser := only(graph.ManageUsers)
	for range 30 {
		var given answer
		atOnce(func() {
			given = giver.post(t, setCapabilities, map[string]any{"u": taker.id, "a": only(graph.ViewAudit)})
		},
			func() {
				w.owner.ask(t, setCapabilities, map[string]any{"u": giver.id, "a": lesser}, "setUserCapabilities")
			})
		events := w.owner.ask(t, `{ account { auditEvents(first: 2, filter: {actions: [USER_CAPABILITIES_CHANGED]}) { nodes { user { id } } } } }`, nil, "account.auditEvents.nodes").([]any)
		last := text(events[0].(map[string]any)["user"].(map[string]any), "id")
		switch got := outcome(t, given, "setUserCapabilities"); {
		case got == "done" && last != giver.id:
			t.Fatal("a capability was given by somebody who had lost it")
		case got != "done" && got != "NOT_ALLOWED":
			t.Fatalf("refused with %s", got)
		}
		w.owner.ask(t, setCapabilities, map[string]any{"u": giver.id, "a": role(graph.RoleAdministrator)}, "setUserCapabilities")
		w.owner.ask(t, setCapabilities, map[string]any{"u": taker.id, "a": only()}, "setUserCapabilities")
	}
}
