package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"grantwood/graph"
)

// TestUsageAccess: usage is refused as a whole without VIEW_USAGE, and null below objects of lists; what is hidden is not there.
func TestUsageAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen, hidden := w.credential(t, "Seen"), w.credential(t, "Hidden")
	at := lately()
	uses(t, use(seen.key, "a", at), use(hidden.key, "b", at.Add(time.Second)))
	reporting := w.user(t, invitee{role: graph.RoleReporting, keys: []string{seen.id}})
	blind := w.user(t, invitee{capabilities: allBut(graph.ViewUsage), keys: []string{seen.id}})
	partner, _ := tokenOf(t, w.owner.client, usageOnly, seen.id)
	const query = `{ account { usage { nodes { reference key { name } } pageInfo { hasNextPage } } } }`
	const below = `{ account { apiKeys { nodes { name usage { nodes { reference } } } } } }`
	one := `{"data":{"account":{"usage":{"nodes":[{"reference":"a","key":{"name":"Seen"}}],"pageInfo":{"hasNextPage":false}}}}}`
	denied := `{"data":{"account":{"usage":null}},"errors":[{"path":["account","usage"],"extensions":{"code":"FORBIDDEN"}}]}`
	reporting.expect(t, query, nil, one)
	partner.expect(t, query, nil, one)
	keyed(w.owner.api, seen.key, seen.secret).expect(t, query, nil, one)
	blind.expect(t, query, nil, denied)
	nobody().expect(t, `{ account { usage { nodes { id } } } }`, nil, deniedTo("account", "UNAUTHENTICATED", signInFirst))
	reporting.expect(t, below, nil, `{"data":{"account":{"apiKeys":{"nodes":[{"name":"Master key","usage":{"nodes":[]}},{"name":"Seen","usage":{"nodes":[{"reference":"a"}]}}]}}}}`)
	blind.expect(t, below, nil, `{"data":{"account":{"apiKeys":{"nodes":[{"name":"Master key","usage":null},{"name":"Seen","usage":null}]}}}}`)
	forAccount := `query($id: ID!) { account(id: $id) { usage { nodes { reference } } } }`
	id := map[string]any{"id": w.account}
	operator(t, graph.ScopeSupport).expect(t, forAccount, id, `{"data":{"account":{"usage":{"nodes":[{"reference":"b"},{"reference":"a"}]}}}}`)
	operator(t, graph.ScopeIngest).expect(t, forAccount, id, deniedTo("account", "FORBIDDEN", "This needs the scope SUPPORT."))
	// A switch works on the next request, for what was used before too.
	w.grant(t, reporting.id, seen.id, graph.GrantDisabled)
	reporting.expect(t, `{ account { usage { nodes { reference } } } }`, nil, `{"data":{"account":{"usage":{"nodes":[]}}}}`)
	w.grant(t, reporting.id, hidden.id, graph.GrantEnabled)
	reporting.expect(t, `{ account { usage { nodes { reference } } } }`, nil, `{"data":{"account":{"usage":{"nodes":[{"reference":"b"}]}}}}`)
	w.grant(t, reporting.id, seen.id, graph.GrantEnabled)
	reporting.expect(t, query, nil, strings.Replace(one, `"nodes":[`, `"nodes":[{"reference":"b","key":{"name":"Hidden"}},`, 1))
	if n := w.owner.srv.Hits(); n != 0 {
		t.Errorf("@visible caught %d", n)
	}
}

// TestUsagePaging pages, asks for one field under several names with other arguments, and for pages below keys below records.
func TestUsagePaging(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, at := w.credential(t, "A"), w.credential(t, "B"), lately()
	var records []input
	for i := range 5 {
		records = append(records, use(a.key, fmt.Sprint("a", i), at.Add(time.Duration(i)*time.Second)), use(b.key, fmt.Sprint("b", i), at.Add(time.Duration(i)*time.Second+time.Millisecond), "product", "VOICE"))
	}
	uses(t, append(records, use(a.key, "old", at.Add(-24*time.Hour)))...)
	const page = `query($after: String) { account { usage(first: 4, after: $after) { edges { cursor node { reference } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`
	var all []string
	after := any(nil)
	for more := true; more; {
		usage := w.owner.ask(t, page, map[string]any{"after": after}, "account.usage").(map[string]any)
		for _, e := range usage["edges"].([]any) {
			all = append(all, text(e.(map[string]any)["node"].(map[string]any), "reference"))
		}
		info := usage["pageInfo"].(map[string]any)
		if info["hasPreviousPage"] != (after != nil) {
			t.Errorf("after %v: %v", all, info)
		}
		after, more = info["endCursor"], info["hasNextPage"] == true
	}
	if got := strings.Join(all, " "); got != "b4 a4 b3 a3 b2 a2 b1 a1 b0 a0" {
		t.Errorf("pages have %s", got)
	}
	w.owner.expect(t, `query($from: DateTime!) { account { apiKeys(filter: {search: "gwk"}) { nodes { name
		newest: usage(first: 1) { nodes { reference } } voice: usage(first: 2, filter: {products: ["VOICE"]}) { nodes { reference } pageInfo { hasNextPage } }
		...more } } } }
		fragment more on ApiKey { ever: usage(first: 100, filter: {from: $from, to: "`+at.Add(time.Millisecond).Format(time.RFC3339Nano)+`"}) { nodes { reference key { name usage(first: 1) { nodes { reference } } } } } }`,
		map[string]any{"from": at.Add(-48 * time.Hour).Format(time.RFC3339)}, `{"data":{"account":{"apiKeys":{"nodes":[
		{"name":"A","newest":{"nodes":[{"reference":"a4"}]},"voice":{"nodes":[],"pageInfo":{"hasNextPage":false}},"ever":{"nodes":[{"reference":"a0","key":{"name":"A","usage":{"nodes":[{"reference":"a4"}]}}},{"reference":"old","key":{"name":"A","usage":{"nodes":[{"reference":"a4"}]}}}]}},
		{"name":"B","newest":{"nodes":[{"reference":"b4"}]},"voice":{"nodes":[{"reference":"b4"},{"reference":"b3"}],"pageInfo":{"hasNextPage":true}},"ever":{"nodes":[]}},
		{"name":"Master key","newest":{"nodes":[]},"voice":{"nodes":[],"pageInfo":{"hasNextPage":false}},"ever":{"nodes":[]}}]}}}}`)
	w.owner.expect(t, `query($k: ID!) { node(id: $k) { ... on ApiKey { usage(first: 1) { edges { node { reference } } } } } }`, map[string]any{"k": b.id},
		`{"data":{"node":{"usage":{"edges":[{"node":{"reference":"b4"}}]}}}}`)
}

// TestUsageArguments: what cannot be asked is said before anything is read.
func TestUsageArguments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	names := w.owner.ask(t, `{ account { apiKeys(first: 1) { pageInfo { endCursor } } } }`, nil, "account.apiKeys.pageInfo.endCursor").(string)
	for _, c := range []struct{ args, argument string }{
		{`first: 0`, `"first"`}, {`first: 101`, `"first"`}, {`after: ""`, `"after"`}, {`after: "nonsense"`, `"after"`}, {`after: "` + names + `"`, `"after"`},
		{`filter: {from: "yesterday"}`, `"filter","from"`}, {`filter: {countries: ["de"]}`, `"filter","countries","0"`}, {`filter: {tag: {name: ""}}`, `"filter","tag","name"`},
		{`filter: {keyIds: [` + strings.Repeat(`"x",`, 501) + `]}`, `"filter","keyIds"`},
	} {
		for _, query := range []string{`{ account { usage(%s) { nodes { id } } } }`, `{ account { masterKey { usage(%s) { nodes { id } } } } }`} {
			a := w.owner.post(t, fmt.Sprintf(query, c.args), nil)
			if want := `"extensions":{"argument":[` + c.argument + `],"code":"BAD_USER_INPUT"}`; !strings.Contains(string(a.Body), want) {
				t.Errorf("%s: no %s in %s", c.args, want, a.Body)
			}
		}
	}
}

// toDefine makes products.
var toDefine = mutation{field: "defineProduct", inputType: "DefineProductInput", results: []string{"product"}, selection: "product { code name }"}

// TestDefineProduct: done, repeated, renamed, unauthenticated, forbidden, invalid; then usage of it is recorded.
func TestDefineProduct(t *testing.T) {
	t.Parallel()
	t.Run("unauthenticated", notSignedIn(toDefine, input{"code": "", "name": ""}))
	admin, w := operator(t, graph.ScopeAdmin), newWorld(t)
	code := "FAX_" + number(int(people.Add(1)))
	for _, c := range []client{w.owner.client, operator(t, graph.ScopeSupport, graph.ScopeIngest, graph.ScopeVerify)} {
		c.fails(t, toDefine, input{"code": code, "name": "Faxes"}, toDefine.denied(graph.Forbidden))
	}
	for _, name := range []string{"Faxes", "Faxes", "Telefaxes"} {
		admin.fails(t, toDefine, input{"code": code, "name": name}, `{"data":{"defineProduct":{"userErrors":[],"product":{"code":"`+code+`","name":"`+name+`"}}}}`)
	}
	for _, bad := range []string{"fax", "1FAX", "FAX-1", "FAX ", "_FAX", "FÄX"} {
		admin.fails(t, toDefine, input{"code": bad, "name": "x"}, toDefine.refused(problem("INVALID", "input.code")))
	}
	admin.fails(t, toDefine, input{"code": "", "name": strings.Repeat("x", 101)}, toDefine.refused(violation("input.code", "min=1"), violation("input.name", "max=100")))
	w.used(t, w.master, "fax", "product", code)
	listed := w.owner.ask(t, `{ products { code name createdAt } }`, nil, "products").([]any)
	found := ""
	for _, p := range listed {
		if text(p.(map[string]any), "code") == code {
			found = text(p.(map[string]any), "name")
		}
	}
	if found != "Telefaxes" || len(listed) < 6 {
		t.Errorf("products are %v", listed)
	}
}

// TestUsageOfUnits: a unit shows the usage of visible keys in and below it, for all units of a list at once.
func TestUsageOfUnits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	upper, lower, hidden, at := w.credential(t, "Upper"), w.credential(t, "Lower"), w.credential(t, "Hidden"), lately()
	const unit, below = "01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000002"
	w.edit(t, `INSERT INTO units (account_id, unit_id, parent_id, name, kind, created_at) VALUES ($1, $2, NULL, 'Europe', 'OTHER', now()), ($1, $3, $2, 'Spain', 'OTHER', now())`, unit, below)
	w.edit(t, `INSERT INTO unit_paths (account_id, unit_id, distance, above_id) VALUES ($1, $2, 0, $2), ($1, $3, 0, $3), ($1, $3, 1, $2)`, unit, below)
	w.edit(t, `UPDATE api_keys SET unit_id = $2 WHERE account_id = $1 AND key_id = $3`, unit, rowOf(upper.id))
	w.edit(t, `UPDATE api_keys SET unit_id = $2 WHERE account_id = $1 AND key_id IN ($3, $4)`, below, rowOf(lower.id), rowOf(hidden.id))
	w.edit(t, `UPDATE accounts SET tree_version = tree_version + 1 WHERE account_id = $1`)
	uses(t, use(upper.key, "u", at), use(lower.key, "l", at.Add(time.Second)), use(hidden.key, "h", at.Add(2*time.Second)), use(w.publicKey(t, w.master), "m", at.Add(3*time.Second)))
	reporting := w.user(t, invitee{role: graph.RoleReporting, keys: []string{upper.id, lower.id}})
	blind := w.user(t, invitee{capabilities: allBut(graph.ViewUsage), keys: []string{upper.id, lower.id}})
	const query = `{ account { units { nodes { name usage { nodes { reference } } children { nodes { name usage { nodes { reference } } } } } } } }`
	answer := func(above, beneath string) string {
		return `{"data":{"account":{"units":{"nodes":[{"name":"Europe","usage":` + above + `,"children":{"nodes":[{"name":"Spain","usage":` + beneath + `}]}}]}}}}`
	}
	w.owner.expect(t, query, nil, answer(`{"nodes":[{"reference":"h"},{"reference":"l"},{"reference":"u"}]}`, `{"nodes":[{"reference":"h"},{"reference":"l"}]}`))
	reporting.expect(t, query, nil, answer(`{"nodes":[{"reference":"l"},{"reference":"u"}]}`, `{"nodes":[{"reference":"l"}]}`))
	blind.expect(t, query, nil, answer(`null`, `null`))
	id := graph.ID{Kind: graph.KindUnit, Account: graph.ParseID(w.account).Account, Object: graph.ParseID(w.account).Account}
	for filter, want := range map[string]string{`unitId: "` + graph.ID{Kind: graph.KindUnit, Account: id.Account, Object: uuid(t, below)}.String() + `"`: `{"reference":"l"}`, `unitId: "` + id.String() + `"`: ``, `unitId: "nonsense"`: ``} {
		reporting.expect(t, `{ account { usage(filter: {`+filter+`}) { nodes { reference } } } }`, nil, `{"data":{"account":{"usage":{"nodes":[`+want+`]}}}}`)
	}
}

func uuid(t testing.TB, text string) (id graph.UUID) {
	t.Helper()
	if err := id.Scan(text); err != nil {
		t.Fatal(err)
	}
	return id
}
