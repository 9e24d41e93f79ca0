package server_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

// listed gives the names or addresses on a list, in its order, by walking through it in pages of two.
func (c client) listed(t testing.TB, list, arguments, field string, backwards bool) []string {
	t.Helper()
	var out []string
	variables := map[string]any{"at": nil}
	size, cursor, more := "first: 2, after: $at", "endCursor", "hasNextPage"
	if backwards {
		size, cursor, more = "last: 2, before: $at", "startCursor", "hasPreviousPage"
	}
	for {
		page := c.ask(t, `query($at: String) { account { `+list+`(`+size+arguments+`) { pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes { `+field+` } } } }`,
			variables, "account."+list).(map[string]any)
		var names []string
		for _, n := range page["nodes"].([]any) {
			names = append(names, text(n.(map[string]any), field))
		}
		if backwards {
			out = append(names, out...)
		} else {
			out = append(out, names...)
		}
		info := page["pageInfo"].(map[string]any)
		if info[more] != true {
			return out
		}
		variables["at"] = info[cursor]
	}
}

func TestSearchKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"100% Europe", "100 Europe", "a_b", "axb", `back\slash`, "backslash", "ÜBER Straße", "Zoë"} {
		w.key(t, name)
	}
	for search, want := range map[string][]string{
		"0%": {"100% Europe"}, "EUROPE": {"100 Europe", "100% Europe"}, "a_": {"a_b"}, "xb": {"axb"}, `k\`: {`back\slash`}, `\\`: nil,
		"kslash": {"backslash"}, "ÜBER": {"ÜBER Straße"}, "ber str": {"ÜBER Straße"}, "stra": {"ÜBER Straße"}, "%%": nil, "__": nil, "zoë": {"Zoë"}, "'; DROP": nil, "master": {"Master key"},
	} {
		for _, backwards := range []bool{false, true} {
			escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(search)
			if diff := cmp.Diff(want, w.owner.listed(t, "apiKeys", `, filter: {search: "`+escaped+`"}`, "name", backwards)); diff != "" {
				t.Errorf("search %q (-want +got):\n%s", search, diff)
			}
		}
	}
	public := w.owner.text(t, `{ account { masterKey { key } } }`, nil, "account.masterKey.key")
	w.owner.expect(t, `query($s: String!) { account { apiKeys(filter: {search: $s}) { totalCount nodes { name } } } }`, map[string]any{"s": strings.ToUpper(public)},
		`{"data":{"account":{"apiKeys":{"totalCount":1,"nodes":[{"name":"Master key"}]}}}}`)
	for _, search := range []string{"x", strings.Repeat("x", 101)} {
		a := w.owner.post(t, `query($s: String!) { account { apiKeys(filter: {search: $s}) { totalCount } } }`, map[string]any{"s": search})
		if !strings.Contains(string(a.Body), `"BAD_USER_INPUT"`) {
			t.Errorf("search %.5q: %s", search, a.Body)
		}
	}
}

// TestOrderKeys: equal names stay apart by creation, on every page and backwards; upper case plays no part.
func TestOrderKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ids []string
	for _, name := range []string{"same", "Same", "beta", "SAME", "Alpha", "same"} {
		ids = append(ids, w.key(t, name))
	}
	same := []string{ids[0], ids[1], ids[3], ids[5]}
	byName := append([]string{ids[4], ids[2], w.master}, same...)
	byCreation := append([]string{w.master}, ids...)
	for arguments, want := range map[string][]string{
		"": byName, ", orderBy: {field: NAME, direction: ASC}": byName, ", orderBy: {field: NAME, direction: DESC}": reversed(byName),
		", orderBy: {field: CREATED_AT, direction: ASC}": byCreation, ", orderBy: {field: CREATED_AT, direction: DESC}": reversed(byCreation),
		`, filter: {search: "SAME"}`: same, `, filter: {search: "same"}, orderBy: {field: NAME, direction: DESC}`: reversed(same),
	} {
		for _, backwards := range []bool{false, true} {
			if diff := cmp.Diff(want, w.owner.listed(t, "apiKeys", arguments, "id", backwards)); diff != "" {
				t.Errorf("%s, backwards %v (-want +got):\n%s", arguments, backwards, diff)
			}
		}
	}
}

func reversed(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[len(list)-1-i] = s
	}
	return out
}

// TestFilterKeys combines the parts of the filter.
func TestFilterKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := func(name, kind string) string {
		return w.owner.text(t, `mutation($in: CreateApiKeyInput!) { createApiKey(input: $in) { userErrors { code } key { id } } }`, in("name", name, "kind", kind), "createApiKey.key.id")
	}
	europe, gone := key("Europe", "REGION"), key("Europe, gone", "REGION")
	key("Europe shop", "APPLICATION")
	off := key("Europe off", "REGION")
	u := w.user(t, invitee{role: graph.RoleReporting, keys: []string{europe, gone}})
	w.owner.ask(t, deleteKey, in("keyId", gone), "deleteApiKey")
	w.owner.ask(t, `mutation($in: SetApiKeyEnabledInput!) { setApiKeyEnabled(input: $in) { userErrors { code } } }`, in("keyId", off, "enabled", false), "setApiKeyEnabled")
	for filter, want := range map[string][]string{
		`search: "europe"`:                                          {"Europe", "Europe off", "Europe shop"},
		`search: "europe", kinds: [REGION]`:                         {"Europe", "Europe off"},
		`search: "europe", kinds: [REGION], statuses: [DISABLED]`:   {"Europe off"},
		`kinds: [REGION], statuses: [DELETED, ENABLED]`:             {"Europe", "Europe, gone"},
		`kinds: [], statuses: []`:                                   nil,
		`statuses: [DELETED]`:                                       {"Europe, gone"},
		`enabledForUserId: "` + u.id + `"`:                          {"Europe", "Master key"},
		`enabledForUserId: "` + u.id + `", statuses: [DELETED]`:     {"Europe, gone"},
		`enabledForUserId: "` + u.id + `", kinds: [REGION]`:         {"Europe"},
		`enabledForUserId: "` + w.owner.id + `", search: "shop"`:    {"Europe shop"},
		`enabledForUserId: "nonsense"`:                              nil,
		`enabledForUserId: "` + w.master + `", kinds: [REGION]`:     nil,
		`search: "europe", kinds: [CUSTOMER], statuses: [DISABLED]`: nil,
	} {
		if diff := cmp.Diff(want, w.owner.listed(t, "apiKeys", `, filter: {`+filter+`}`, "name", false)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", filter, diff)
		}
	}
	if diff := cmp.Diff([]string(nil), u.listed(t, "apiKeys", `, filter: {enabledForUserId: "`+w.owner.id+`"}`, "name", false)); diff != "" {
		t.Errorf("keys of somebody whose grants are hidden (-want +got):\n%s", diff)
	}
}

// TestListUsers searches, filters and sorts users like keys.
func TestListUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	named := func(name string, role graph.Role) member {
		t.Helper()
		email := strings.ReplaceAll(address(), "person", "p_")
		link := w.owner.text(t, `mutation($in: InviteUserInput!) { inviteUser(input: $in) { userErrors { code } link } }`,
			in("email", email, "access", map[string]any{"role": role}), "inviteUser.link")
		_, token, _ := strings.Cut(link, "#")
		a := nobody().post(t, `mutation($in: AcceptInvitationInput!) { acceptInvitation(input: $in) { sessionToken viewer { user { id } } } }`,
			in("token", token, "password", password, "displayName", name))
		id, _ := a.at(t, "acceptInvitation.viewer.user.id").(string)
		session, _ := a.at(t, "acceptInvitation.sessionToken").(string)
		return member{client{sharedAPI(), session}, id, email}
	}
	kim, kim2 := named("Kim", graph.RoleDeveloper), named("kim", graph.RoleReporting)
	percent, last := named("100% Kim_", graph.RoleReporting), named("Zoë", graph.RoleAdministrator)
	byName := []string{percent.id, kim.id, kim2.id, w.owner.id, last.id}
	for arguments, want := range map[string][]string{
		"": byName, ", orderBy: {field: NAME, direction: DESC}": reversed(byName),
		", orderBy: {field: CREATED_AT, direction: ASC}": {w.owner.id, kim.id, kim2.id, percent.id, last.id},
		`, filter: {search: "KIM"}`:                      {percent.id, kim.id, kim2.id}, `, filter: {search: "0%"}`: {percent.id}, `, filter: {search: "m_"}`: {percent.id},
		`, filter: {search: "p_"}`: {percent.id, kim.id, kim2.id, last.id}, `, filter: {search: "ZOë"}`: {last.id}, `, filter: {search: "\\\\"}`: nil,
		`, filter: {search: "kim", role: REPORTING}`: {percent.id, kim2.id}, `, filter: {search: "kim", role: REPORTING, status: DISABLED}`: nil,
		`, filter: {role: REPORTING, status: ACTIVE}, orderBy: {field: NAME, direction: DESC}`: {kim2.id, percent.id},
	} {
		for _, backwards := range []bool{false, true} {
			if diff := cmp.Diff(want, w.owner.listed(t, "users", arguments, "id", backwards)); diff != "" {
				t.Errorf("%s, backwards %v (-want +got):\n%s", arguments, backwards, diff)
			}
		}
	}
	if diff := cmp.Diff([]string{kim.id, w.owner.id}, kim.listed(t, "users", "", "id", false)); diff != "" {
		t.Errorf("a developer's list (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string(nil), kim.listed(t, "users", ", filter: {role: PRIMARY}", "id", false)); diff != "" {
		t.Errorf("a role that is hidden (-want +got):\n%s", diff)
	}
}
