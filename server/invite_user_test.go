package server_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"grantwood/graph"
)

var toInviteUser = mutation{
	field: "inviteUser", inputType: "InviteUserInput", results: []string{"invitation", "link"},
	selection: "invitation { id email role capabilities keys { id } status invitedBy { id } sentAt expiresAt } link",
}

// badInvitation breaks every rule of the input.
var badInvitation = input{
	"email": "nobody", "access": input{"capabilities": slicesOf("VIEW_USAGE", 21)}, "keyIds": []string{"key_x", "key_x"}, "validDays": 31,
}

func slicesOf(text string, n int) []string {
	return strings.Split(strings.Repeat(text+" ", n-1)+text, " ")
}

func TestInviteUser(t *testing.T) {
	t.Parallel()
	t.Run("done", inviteDone)
	t.Run("unauthenticated", notSignedIn(toInviteUser, badInvitation))
	t.Run("forbidden", forbidden(toInviteUser, graph.ManageUsers, badInvitation))
	t.Run("limit", inviteLimit)
	w := newWorld(t) // the rest changes nothing in it
	hidden, seen, deleted := w.key(t, "Hidden"), w.key(t, "Seen"), w.key(t, "Deleted")
	w.remove(t, deleted)
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{seen}})
	w.send(t, "pending@test.example")
	t.Run("repeated", func(t *testing.T) { inviteRepeated(t, w, admin) })
	t.Run("hidden", func(t *testing.T) { inviteHidden(t, w, admin, seen, hidden, deleted) })
	t.Run("missing", func(t *testing.T) { inviteMissing(t, w) })
	t.Run("invalid", func(t *testing.T) { inviteInvalid(t, w) })
	t.Run("invalid access", func(t *testing.T) { inviteInvalidAccess(t, w) })
	t.Run("deleted key", func(t *testing.T) { inviteDeletedKey(t, w, deleted) })
}

var linkForm = regexp.MustCompile(`^http://grantwood\.example/invitation#gwi_[0-9a-v]{103}$`)

func inviteDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, asia := w.key(t, "Europe"), w.key(t, "Asia")
	all, _ := json.Marshal(graph.AllCapabilities.List())
	for _, c := range []struct {
		access             input
		keys               []string
		days               int
		role, capabilities string
	}{
		{input{"role": "REPORTING"}, []string{}, 7, "REPORTING", `["VIEW_USAGE"]`},
		{input{"role": "DEVELOPER"}, []string{europe}, 1, "DEVELOPER", `["VIEW_USAGE","ROTATE_SECRETS"]`},
		{input{"role": "ADMINISTRATOR"}, []string{europe, asia}, 30, "ADMINISTRATOR", string(all)},
		{input{"capabilities": []string{"VIEW_AUDIT", "MANAGE_KEYS"}}, []string{asia, w.master}, 7, "CUSTOM", `["MANAGE_KEYS","VIEW_AUDIT"]`},
		{input{"capabilities": []string{"VIEW_USAGE"}}, []string{}, 7, "REPORTING", `["VIEW_USAGE"]`},
		{input{"capabilities": []string{}}, []string{}, 7, "CUSTOM", `[]`},
	} {
		email := address()
		in := input{"email": strings.ToUpper(email), "access": c.access}
		if len(c.keys) > 0 { // absent means none
			in["keyIds"] = c.keys
		}
		if c.days != 7 { // the default
			in["validDays"] = c.days
		}
		a := w.owner.done(t, toInviteUser, in)
		got := func(field string) string { return fmt.Sprint(a.at(t, "inviteUser."+field)) }
		valid := instant(t, got("invitation.expiresAt")).Sub(instant(t, got("invitation.sentAt")))
		if !linkForm.MatchString(got("link")) || valid != time.Duration(c.days)*24*time.Hour {
			t.Errorf("link %s, valid for %v", got("link"), valid)
		}
		var keys []string
		for _, k := range c.keys {
			keys = append(keys, fmt.Sprintf(`{"id":%q}`, k))
		}
		a.is(t, fmt.Sprintf(`{"data":{"inviteUser":{"userErrors":[],"link":%q,"invitation":{"id":%q,"email":%q,"role":%q,"capabilities":%s,"keys":[%s],
			"status":"PENDING","invitedBy":{"id":%q},"sentAt":%q,"expiresAt":%q}}}}`, got("link"), got("invitation.id"), email, c.role, c.capabilities,
			strings.Join(keys, ","), w.owner.id, got("invitation.sentAt"), got("invitation.expiresAt")))
		w.tells(t, a, event{Action: "USER_INVITED", Actor: w.owner.id, ActorLabel: w.owner.display(), Summary: "Invited " + email + ".",
			IPAddress: "127.0.0.1"})
	}
	for _, access := range []string{"role: REPORTING", "capabilities: [VIEW_USAGE]"} { // as literals
		w.owner.expect(t, `mutation($e: String!) { inviteUser(input: {email: $e, access: {`+access+`}}) { userErrors { code } invitation { role } } }`,
			map[string]any{"e": address()}, `{"data":{"inviteUser":{"userErrors":[],"invitation":{"role":"REPORTING"}}}}`)
	}
}

// inviteRepeated: one address has one pending invitation, and users are not invited again.
func inviteRepeated(t *testing.T, w *world, u member) {
	t.Parallel()
	w.unchanged(t, func() {
		for _, email := range []string{"pending@test.example", "PENDING@test.example", u.email, strings.ToUpper(w.owner.email)} {
			w.owner.fails(t, toInviteUser, input{"email": email, "access": input{"role": "DEVELOPER"}},
				toInviteUser.refused(problem("CONFLICT", "input.email")))
		}
	})
}

// inviteHidden: a key that the inviter does not see is named by its place in the list, as a missing one is.
func inviteHidden(t *testing.T, w *world, admin member, seen, hidden, deleted string) {
	t.Parallel()
	ids := w.noKeys(t)
	ids["hidden"], ids["hidden and deleted"] = hidden, deleted
	for place, list := range map[string]func(id string) []string{
		"0": func(id string) []string { return []string{id} },
		"2": func(id string) []string { return []string{seen, w.master, id} },
	} {
		w.alike(t, admin.client, toInviteUser, func(id string) input {
			return input{"email": "someone@test.example", "access": input{"role": "REPORTING"}, "keyIds": list(id)}
		}, ids, toInviteUser.refused(problem("NOT_FOUND", "input.keyIds."+place)))
	}
}

func inviteMissing(t *testing.T, w *world) {
	t.Parallel()
	w.alike(t, w.owner.client, toInviteUser, func(id string) input {
		return input{"email": "someone@test.example", "access": input{"role": "REPORTING"}, "keyIds": []string{w.master, id}}
	}, w.noKeys(t), toInviteUser.refused(problem("NOT_FOUND", "input.keyIds.1")))
}

func inviteInvalid(t *testing.T, w *world) {
	t.Parallel()
	many := make([]string, 501)
	for i := range many {
		many[i] = "key_" + strconv.Itoa(i)
	}
	good := input{"email": "someone@test.example", "access": input{"role": "REPORTING"}}
	w.unchanged(t, func() {
		w.owner.fails(t, toInviteUser, badInvitation, toInviteUser.refused(violation("input.email", "email"),
			violation("input.access.capabilities", "max=20"), violation("input.keyIds", "unique"), violation("input.validDays", "max=30")))
		for _, c := range []struct {
			name  string
			value any
			want  string
		}{
			{"email", tooLong, violation("input.email", "max=254")},
			{"email", "", violation("input.email", "email")},
			{"access", input{"capabilities": []string{"VIEW_USAGE", "VIEW_USAGE"}}, violation("input.access.capabilities", "unique")},
			{"keyIds", many, violation("input.keyIds", "max=500")},
			{"keyIds", []string{w.master, w.master}, violation("input.keyIds", "unique")},
			{"validDays", 0, violation("input.validDays", "min=1")},
			{"validDays", -7, violation("input.validDays", "min=1")},
		} {
			w.owner.fails(t, toInviteUser, with(good, c.name, c.value), toInviteUser.refused(c.want))
		}
	})
}

// inviteInvalidAccess: exactly one of role and capabilities, however the input arrives; and no role that belongs to others.
func inviteInvalidAccess(t *testing.T, w *world) {
	t.Parallel()
	w.unchanged(t, func() {
		for _, access := range []input{{}, {"role": nil}, {"role": nil, "capabilities": nil}, {"role": "REPORTING", "capabilities": []string{"VIEW_USAGE"}},
			{"role": "REPORTING", "capabilities": []string{}}} {
			w.owner.fails(t, toInviteUser, input{"email": "someone@test.example", "access": access}, `{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["in","access"]}}]}`)
		}
		for _, role := range []string{"PRIMARY", "CUSTOM"} {
			w.owner.fails(t, toInviteUser, input{"email": "someone@test.example", "access": input{"role": role}},
				toInviteUser.refused(problem("INVALID", "input.access.role")))
		}
		for _, access := range []string{`{}`, `{role: null}`, `{role: REPORTING, capabilities: [VIEW_USAGE]}`, `{role: REPORTING, capabilities: null}`} {
			w.owner.expect(t, `mutation { inviteUser(input: {email: "someone@test.example", access: `+access+`}) { link } }`, nil,
				`{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}`)
		}
	})
}

func inviteDeletedKey(t *testing.T, w *world, k string) {
	t.Parallel()
	w.unchanged(t, func() {
		w.owner.fails(t, toInviteUser, input{"email": "someone@test.example", "access": input{"role": "REPORTING"}, "keyIds": []string{w.master, k}},
			toInviteUser.refused(problem("INVALID_STATE", "input.keyIds.1")))
	})
}

// inviteLimit: users and pending invitations count, invitations whose time is over do not.
func inviteLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit(t, `UPDATE accounts SET max_users = 3 WHERE account_id = $1`)
	w.send(t, "first@test.example")
	w.send(t, "second@test.example")
	in := input{"email": "third@test.example", "access": input{"role": "REPORTING"}}
	w.unchanged(t, func() {
		w.owner.fails(t, toInviteUser, in, toInviteUser.refused(limitReached(3)))
	})
	w.expire(t, "first@test.example")
	w.owner.done(t, toInviteUser, in)
}
