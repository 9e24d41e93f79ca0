package server_test

import (
	"bytes"
	"testing"

	"grantwood/graph"
)

var (
	toCreateKeyIn = mutation{
		field: "createApiKey", inputType: "CreateApiKeyInput", results: []string{"key"},
		selection: "key { id name unit { id name depth ancestors { name } } viewerGrant { enabled source } }",
	}
	toRequestKeyIn = mutation{
		field: "requestApiKey", inputType: "RequestApiKeyInput", results: []string{"keyRequest"},
		selection: "keyRequest { id name unit { id name apiKeys { nodes { name } } } }",
	}
)

// TestCreateAPIKeyInUnit is what createApiKey does with a unit; the rest is in TestCreateAPIKey.
func TestCreateAPIKeyInUnit(t *testing.T) {
	t.Parallel()
	t.Run("done", createKeyInDone)
	t.Run("repeated", createKeyInRepeated)
	w := newUnitWorld(t)
	w.edit(t, `UPDATE accounts SET max_api_keys = 1 WHERE account_id = $1`) // what is not there is said before what is full
	in := func(id string) input { return input{"name": "New", "kind": "OTHER", "unitId": id} }
	refused := toCreateKeyIn.refused(problem("NOT_FOUND", "input.unitId"))
	t.Run("hidden", func(t *testing.T) {
		t.Parallel()
		w.alike(t, w.blind.client, toCreateKeyIn, in, w.hiddenFromBlind(), refused)
	})
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		w.alike(t, w.owner.client, toCreateKeyIn, in, w.missing, refused)
	})
	t.Run("limit", func(t *testing.T) {
		t.Parallel()
		w.unchanged(t, func() { w.sees.fails(t, toCreateKeyIn, in(w.seen), toCreateKeyIn.refused(limitReached(1))) })
	})
}

// createKeyInDone: who has a rule for a unit above sees the key at the next request; of others who manage keys, it hides the
// unit that was empty.
func createKeyInDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe := w.unit(t, "Europe", "")
	sales, support := w.unit(t, "Sales", europe), w.unit(t, "Support", europe)
	rita := w.user(t, invitee{role: graph.RoleReporting, withoutMaster: true})
	w.rule(t, rita.id, europe, true)
	w.rule(t, rita.id, support, false)
	admin, peer := w.user(t, invitee{role: graph.RoleAdministrator, withoutMaster: true}), w.user(t, invitee{role: graph.RoleAdministrator, withoutMaster: true})
	for _, c := range []struct {
		by                      member
		name, unit, named, rita string
		grant                   string
	}{
		{w.owner, "A", sales, "Sales", "A", "null"},
		{w.owner, "B", support, "Support", "A", "null"},
		{admin, "C", w.unit(t, "Empty", ""), "Empty", "A", `{"enabled":true,"source":"EXPLICIT"}`},
	} {
		a := c.by.done(t, toCreateKeyIn, input{"name": c.name, "kind": "OTHER", "unitId": c.unit})
		id, _ := a.at(t, "createApiKey.key.id").(string)
		place := `"depth":2,"ancestors":[{"name":"Europe"}]`
		if c.by.id == admin.id {
			place = `"depth":1,"ancestors":[]`
		}
		a.is(t, `{"data":{"createApiKey":{"userErrors":[],"key":{"id":"`+id+`","name":"`+c.name+`","unit":{"id":"`+c.unit+`","name":"`+c.named+`",`+place+`},
			"viewerGrant":`+c.grant+`}}}}`)
		sameText(t, "keys of Rita", rita.names(t)[0], c.rita)
		w.owner.expect(t, `query($u: ID!) { node(id: $u) { ... on Unit { apiKeys { totalCount nodes { name } } } } }`, map[string]any{"u": c.unit},
			`{"data":{"node":{"apiKeys":{"totalCount":1,"nodes":[{"name":"`+c.name+`"}]}}}}`)
		peer.expect(t, `query($u: ID!) { node(id: $u) { id } }`, map[string]any{"u": c.unit}, `{"data":{"node":null}}`)
		created := event{Action: "KEY_CREATED", Actor: c.by.id, ActorLabel: c.by.display(), Key: id, Summary: "Created the key " + c.name + ".", IPAddress: "127.0.0.1"}
		if c.by.id == w.owner.id {
			w.tells(t, a, created)
		}
	}
}

func createKeyInRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, asia := w.unit(t, "Europe", ""), w.unit(t, "Asia", "")
	in := input{"name": "Key", "kind": "OTHER", "unitId": europe, "idempotencyKey": "a repeated key"}
	first := w.owner.done(t, toCreateKeyIn, in)
	w.unchanged(t, func() {
		if second := w.owner.done(t, toCreateKeyIn, in); !bytes.Equal(first.Body, second.Body) {
			t.Errorf("first %s\nthen %s", first.Body, second.Body)
		}
		for _, unit := range []any{asia, nil} {
			w.owner.fails(t, toCreateKeyIn, with(in, "unitId", unit), toCreateKeyIn.refused(problem("IDEMPOTENCY_MISMATCH", "input.idempotencyKey")))
		}
	})
}

// TestRequestAPIKeyInUnit is what requestApiKey does with a unit; the rest is in TestRequestApiKey.
func TestRequestAPIKeyInUnit(t *testing.T) {
	t.Parallel()
	t.Run("done", requestKeyInDone)
	t.Run("unit that is gone", requestKeyInGone)
	w := newUnitWorld(t)
	in := func(id string) input {
		return input{"name": "New", "kind": "OTHER", "reason": "We grow.", "unitId": id}
	}
	refused := toRequestKeyIn.refused(problem("NOT_FOUND", "input.unitId"))
	t.Run("hidden", func(t *testing.T) {
		t.Parallel()
		w.alike(t, w.blind.client, toRequestKeyIn, in, w.hiddenFromBlind(), refused)
	})
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		w.alike(t, w.owner.client, toRequestKeyIn, in, w.missing, refused)
	})
}

// requestKeyInDone: the unit is shown to whoever sees it, and the key goes there.
func requestKeyInDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	provider := operator(t, graph.ScopeAdmin)
	u := w.unit(t, "Europe", "")
	k := w.keyIn(t, "Sales", u)
	w.keyIn(t, "Hidden", u)
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{k}})
	peer := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageKeys}})
	rita := w.user(t, invitee{role: graph.RoleReporting})
	w.rule(t, rita.id, u, true)
	a := admin.done(t, toRequestKeyIn, input{"name": "New", "kind": "OTHER", "reason": "We grow.", "unitId": u})
	q, _ := a.at(t, "requestApiKey.keyRequest.id").(string)
	a.is(t, `{"data":{"requestApiKey":{"userErrors":[],"keyRequest":{"id":"`+q+`","name":"New","unit":{"id":"`+u+`","name":"Europe","apiKeys":{"nodes":[{"name":"Sales"}]}}}}}}`)
	const read = `query($q: ID!, $a: ID) { node(id: $q) { ... on KeyRequest { unit { name } } } account(id: $a) { keyRequests { nodes { name unit { name apiKeys { nodes { name } } } } } } }`
	shown := func(keys string) string {
		return `{"data":{"node":{"unit":{"name":"Europe"}},"account":{"keyRequests":{"nodes":[{"name":"New","unit":{"name":"Europe","apiKeys":{"nodes":[` + keys + `]}}}]}}}}`
	}
	admin.expect(t, read, map[string]any{"q": q}, shown(`{"name":"Sales"}`))
	w.owner.expect(t, read, map[string]any{"q": q}, shown(`{"name":"Hidden"},{"name":"Sales"}`))
	provider.expect(t, read, map[string]any{"q": q, "a": w.account}, shown(`{"name":"Hidden"},{"name":"Sales"}`))
	hidden := `{"data":{"node":{"unit":null},"account":{"keyRequests":{"nodes":[{"name":"New","unit":null}]}}}}`
	peer.expect(t, read, map[string]any{"q": q}, hidden)
	w.pending(t, provider, q, "Europe")
	w.grant(t, admin.id, k, graph.GrantDisabled) // and asked for before
	admin.expect(t, read, map[string]any{"q": q}, hidden)

	approved := provider.post(t, `mutation($q: ID!) { approveKeyRequest(input: {keyRequestId: $q}) { userErrors { code } keyRequest { status unit { name } key { id unit { id name } } } } }`,
		map[string]any{"q": q})
	key, _ := approved.at(t, "approveKeyRequest.keyRequest.key.id").(string)
	approved.is(t, `{"data":{"approveKeyRequest":{"userErrors":[],"keyRequest":{"status":"APPROVED","unit":{"name":"Europe"},"key":{"id":"`+key+`","unit":{"id":"`+u+`","name":"Europe"}}}}}}`)
	admin.expect(t, read, map[string]any{"q": q}, shown(`{"name":"New"}`))
	if got := rita.names(t); len(got) != 4 {
		t.Errorf("with a rule for the unit one sees %v", got)
	}
}

// pending looks for a request among those that wait in all accounts, and compares the name of its unit.
func (w *world) pending(t testing.TB, provider client, request, unit string) {
	t.Helper()
	for after, more := any(nil), true; more; {
		page := provider.ask(t, `query($after: String) { pendingKeyRequests(first: 100, after: $after) { pageInfo { hasNextPage endCursor } nodes { id unit { name } } } }`,
			map[string]any{"after": after}, "pendingKeyRequests").(map[string]any)
		info := page["pageInfo"].(map[string]any)
		after, more = info["endCursor"], info["hasNextPage"] == true
		for _, n := range page["nodes"].([]any) {
			q := n.(map[string]any)
			if q["id"] != request {
				continue
			}
			if shown, _ := q["unit"].(map[string]any); text(shown, "name") != unit {
				t.Errorf("the unit of a waiting request is %v, want %q", q["unit"], unit)
			}
			return
		}
	}
	t.Errorf("request %s does not wait", request)
}

// requestKeyInGone: without its unit the key goes directly below the account.
func requestKeyInGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	provider := operator(t, graph.ScopeAdmin)
	u := w.unit(t, "Europe", "")
	a := w.owner.done(t, toRequestKeyIn, input{"name": "New", "kind": "OTHER", "reason": "We grow.", "unitId": u})
	q, _ := a.at(t, "requestApiKey.keyRequest.id").(string)
	w.owner.done(t, toDeleteUnit, input{"unitId": u})
	w.pending(t, provider, q, "")
	for range 2 { // done, repeated
		provider.expect(t, `mutation($q: ID!) { approveKeyRequest(input: {keyRequestId: $q}) { userErrors { code } keyRequest { status unit { name } key { name unit { id } } } } }`,
			map[string]any{"q": q}, `{"data":{"approveKeyRequest":{"userErrors":[],"keyRequest":{"status":"APPROVED","unit":null,"key":{"name":"New","unit":null}}}}}`)
	}
}
