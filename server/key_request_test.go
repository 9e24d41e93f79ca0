package server_test

import (
	"strings"
	"testing"

	"grantwood/graph"
)

const (
	requestKey    = `mutation($in: RequestApiKeyInput!) { requestApiKey(input: $in) { userErrors { code path } keyRequest { id } } }`
	cancelRequest = `mutation($in: KeyRequestIdInput!) { cancelKeyRequest(input: $in) { userErrors { code path } keyRequest { id status } } }`
	approve       = `mutation($in: DecideKeyRequestInput!) { approveKeyRequest(input: $in) { userErrors { code path } keyRequest { id status decisionNote key { name kind status secretHint } } } }`
	reject        = `mutation($in: DecideKeyRequestInput!) { rejectKeyRequest(input: $in) { userErrors { code path } keyRequest { id status decisionNote key { name } } } }`
)

// request asks for a key and gives the ID of the request.
func (c client) request(t testing.TB, name string) string {
	t.Helper()
	return c.text(t, requestKey, in("name", name, "kind", "REGION", "reason", "We grow."), "requestApiKey.keyRequest.id")
}

// lastEvents gives action, summary and changes of the newest events of the account about requests.
func (w *world) lastEvents(t testing.TB, n int) string {
	t.Helper()
	list, _ := w.owner.ask(t, `query($n: Int!) { account { auditEvents(first: $n, filter: {actions: [KEY_REQUESTED, KEY_REQUEST_DECIDED]}) { nodes { summary actorLabel user { email } key { id } changes { before after } } } } }`,
		map[string]any{"n": n}, "account.auditEvents.nodes").([]any)
	var lines []string
	for _, e := range list {
		event := e.(map[string]any)
		line := text(event, "actorLabel") + ": " + text(event, "summary")
		for _, c := range event["changes"].([]any) {
			line += " " + text(c.(map[string]any), "before") + "→" + text(c.(map[string]any), "after")
		}
		if event["key"] != nil || event["user"] == nil {
			line += " (unexpected key or no user)"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestRequestApiKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin, developer := w.user(t, invitee{role: graph.RoleAdministrator}), w.user(t, invitee{role: graph.RoleDeveloper})
	wish := in("name", "Africa", "kind", "REGION", "reason", "We grow.")
	nobody().expect(t, requestKey, wish, deniedAs("requestApiKey", "UNAUTHENTICATED", unauthenticated))
	developer.expect(t, requestKey, wish, deniedAs("requestApiKey", "FORBIDDEN", "This needs the capability MANAGE_KEYS."))
	operator(t, graph.ScopeAdmin).expect(t, requestKey, wish, deniedAs("requestApiKey", "FORBIDDEN", notForOperators))
	admin.expect(t, requestKey, in("name", "", "kind", "REGION", "reason", strings.Repeat("x", 2001)), `{"data":{"requestApiKey":{"userErrors":[
		{"code":"INVALID","path":["input","name"]},{"code":"INVALID","path":["input","reason"]}],"keyRequest":null}}}`)
	one, two := admin.request(t, "Africa"), admin.request(t, "Africa") // without an idempotency key, twice
	if one == two {
		t.Error("two wishes are one request")
	}
	name, _, _ := strings.Cut(admin.email, "@")
	sameText(t, "events", w.lastEvents(t, 3), name+": Requested a key.\n"+name+": Requested a key.")
	w.owner.expect(t, `query($q: ID!) { node(id: $q) { ... on KeyRequest { account { name } name kind reason status requestedBy { email } decidedAt decisionNote key { id } } } }`,
		map[string]any{"q": one}, `{"data":{"node":{"account":{"name":"Test"},"name":"Africa","kind":"REGION","reason":"We grow.","status":"PENDING",
			"requestedBy":{"email":"`+admin.email+`"},"decidedAt":null,"decisionNote":null,"key":null}}}`)
}

// TestWhoSeesKeyRequests is the row of the product's table: own, or MANAGE_KEYS, or operator; the key by its own rule.
func TestWhoSeesKeyRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin, second := w.user(t, invitee{role: graph.RoleAdministrator}), w.user(t, invitee{capabilities: []graph.Capability{graph.ManageKeys}})
	audit := w.user(t, invitee{capabilities: []graph.Capability{graph.ViewAudit}})
	q := admin.request(t, "Africa")
	operator(t, graph.ScopeAdmin).ask(t, approve, in("keyRequestId", q), "approveKeyRequest")
	const read = `query($q: ID!, $a: ID) { account(id: $a) { keyRequests(status: APPROVED) { totalCount nodes { name key { name } } } } node(id: $q) { ... on KeyRequest { name requestedBy { email } } } }`
	variables := map[string]any{"q": q, "a": w.account}
	seen := func(key, requester string) string {
		return `{"data":{"account":{"keyRequests":{"totalCount":1,"nodes":[{"name":"Africa","key":` + key + `}]}},"node":{"name":"Africa","requestedBy":` + requester + `}}}`
	}
	known := `{"email":"` + admin.email + `"}`
	for _, c := range []client{admin.client, w.owner.client, operator(t, graph.ScopeSupport), operator(t, graph.ScopeAdmin)} {
		c.expect(t, read, variables, seen(`{"name":"Africa"}`, known))
	}
	second.expect(t, read, variables, seen("null", "null")) // manages keys, and sees neither this one nor other users
	hidden := `{"data":{"account":{"keyRequests":{"totalCount":0,"nodes":[]}},"node":null}}`
	audit.expect(t, read, variables, hidden)
	variables["a"] = nil
	newWorld(t).owner.expect(t, read, variables, hidden)
	operator(t, graph.ScopeIngest).expect(t, `query($q: ID!) { node(id: $q) { id } }`, map[string]any{"q": q}, `{"data":{"node":null}}`)
	if body := string(audit.post(t, `{ account { auditEvents { nodes { summary changes { before after } } } } }`, nil).Body); strings.Contains(body, "Africa") {
		t.Errorf("the audit trail names what was asked for: %s", body)
	}
}

func TestCancelKeyRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin, audit := w.user(t, invitee{role: graph.RoleAdministrator}), w.user(t, invitee{capabilities: []graph.Capability{graph.ViewAudit}})
	provider := operator(t, graph.ScopeAdmin)
	q, of := admin.request(t, "Africa"), w.owner.request(t, "Asia")
	nobody().expect(t, cancelRequest, in("keyRequestId", q), deniedAs("cancelKeyRequest", "UNAUTHENTICATED", unauthenticated))
	provider.expect(t, cancelRequest, in("keyRequestId", q), deniedAs("cancelKeyRequest", "FORBIDDEN", notForOperators))
	missing := refusedAs("cancelKeyRequest", "NOT_FOUND", []string{"input", "keyRequestId"}, "keyRequest")
	audit.expect(t, cancelRequest, in("keyRequestId", q), missing)
	newWorld(t).owner.expect(t, cancelRequest, in("keyRequestId", q), missing)
	for _, id := range []string{w.master, "nonsense", "req_" + strings.Repeat("0", 52), w.account} {
		w.owner.expect(t, cancelRequest, in("keyRequestId", id), missing)
	}
	for range 2 { // done, repeated
		w.owner.expect(t, cancelRequest, in("keyRequestId", q), `{"data":{"cancelKeyRequest":{"userErrors":[],"keyRequest":{"id":"`+q+`","status":"CANCELLED"}}}}`)
	}
	sameText(t, "events", w.lastEvents(t, 1), ownerName(w)+": Withdrew a request for a key. PENDING→CANCELLED")
	provider.ask(t, reject, in("keyRequestId", of), "rejectKeyRequest")
	w.owner.expect(t, cancelRequest, in("keyRequestId", of), refusedAs("cancelKeyRequest", "INVALID_STATE", []string{"input", "keyRequestId"}, "keyRequest"))
}

func ownerName(w *world) string {
	name, _, _ := strings.Cut(w.owner.email, "@")
	return name
}

func TestApproveKeyRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.user(t, invitee{role: graph.RoleAdministrator})
	q, cancelled := admin.request(t, "Africa"), admin.request(t, "Asia")
	admin.ask(t, cancelRequest, in("keyRequestId", cancelled), "cancelKeyRequest")
	provider := operator(t, graph.ScopeAdmin)
	nobody().expect(t, approve, in("keyRequestId", q), deniedAs("approveKeyRequest", "UNAUTHENTICATED", unauthenticated))
	w.owner.expect(t, approve, in("keyRequestId", q), deniedAs("approveKeyRequest", "FORBIDDEN", "This is not for callers of the kind USER."))
	operator(t, graph.ScopeSupport).expect(t, approve, in("keyRequestId", q), deniedAs("approveKeyRequest", "FORBIDDEN", "This needs the scope ADMIN."))
	for _, id := range []string{w.master, "nonsense", "req_" + strings.Repeat("0", 52)} {
		provider.expect(t, approve, in("keyRequestId", id), refusedAs("approveKeyRequest", "NOT_FOUND", []string{"input", "keyRequestId"}, "keyRequest"))
	}
	provider.expect(t, approve, in("keyRequestId", q, "note", ""), refusedAs("approveKeyRequest", "INVALID", []string{"input", "note"}, "keyRequest"))
	provider.expect(t, approve, in("keyRequestId", cancelled), refusedAs("approveKeyRequest", "INVALID_STATE", []string{"input", "keyRequestId"}, "keyRequest"))
	for _, note := range []string{"Welcome.", "Ignored."} { // done, repeated
		provider.expect(t, approve, in("keyRequestId", q, "note", note), `{"data":{"approveKeyRequest":{"userErrors":[],"keyRequest":{"id":"`+q+`","status":"APPROVED",
			"decisionNote":"Welcome.","key":{"name":"Africa","kind":"REGION","status":"ENABLED","secretHint":null}}}}}`)
	}
	provider.expect(t, reject, in("keyRequestId", q), refusedAs("rejectKeyRequest", "INVALID_STATE", []string{"input", "keyRequestId"}, "keyRequest"))
	admin.expect(t, cancelRequest, in("keyRequestId", q), refusedAs("cancelKeyRequest", "INVALID_STATE", []string{"input", "keyRequestId"}, "keyRequest"))
	sameText(t, "events", w.lastEvents(t, 1), "Test provider: Approved a request for a key. PENDING→APPROVED")
	admin.expect(t, `{ account { apiKeys { totalCount nodes { name secretHint secretIssuedAt viewerGrant { enabled source } } } } }`, nil,
		`{"data":{"account":{"apiKeys":{"totalCount":2,"nodes":[{"name":"Africa","secretHint":null,"secretIssuedAt":null,"viewerGrant":{"enabled":true,"source":"EXPLICIT"}},
			{"name":"Master key","secretHint":null,"secretIssuedAt":null,"viewerGrant":{"enabled":true,"source":"DEFAULT"}}]}}}}`)
	key := admin.text(t, `query($q: ID!) { node(id: $q) { ... on KeyRequest { key { id } } } }`, map[string]any{"q": q}, "node.key.id")
	sameText(t, "events of the key", w.owner.events(t, key, 5), "GRANT_ENABLED: Enabled the key Africa for "+strings.TrimSuffix(admin.email, "@test.example")+
		". state INHERIT→ENABLED\nKEY_CREATED: Created the key Africa.")
	if secret := admin.text(t, rotateKey, in("keyId", key), "rotateApiKeySecret.secret"); secret == "" {
		t.Error("the requester cannot issue the secret")
	}
}

func TestRejectKeyRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := w.owner.request(t, "Africa")
	provider := operator(t, graph.ScopeAdmin)
	nobody().expect(t, reject, in("keyRequestId", q), deniedAs("rejectKeyRequest", "UNAUTHENTICATED", unauthenticated))
	w.owner.expect(t, reject, in("keyRequestId", q), deniedAs("rejectKeyRequest", "FORBIDDEN", "This is not for callers of the kind USER."))
	operator(t, graph.ScopeVerify).expect(t, reject, in("keyRequestId", q), deniedAs("rejectKeyRequest", "FORBIDDEN", "This needs the scope ADMIN."))
	for _, id := range []string{w.master, "nonsense", "req_" + strings.Repeat("0", 52)} {
		provider.expect(t, reject, in("keyRequestId", id), refusedAs("rejectKeyRequest", "NOT_FOUND", []string{"input", "keyRequestId"}, "keyRequest"))
	}
	provider.expect(t, reject, in("keyRequestId", q, "note", strings.Repeat("x", 2001)), refusedAs("rejectKeyRequest", "INVALID", []string{"input", "note"}, "keyRequest"))
	for _, note := range []string{"Use Europe.", "Ignored."} { // done, repeated
		provider.expect(t, reject, in("keyRequestId", q, "note", note), `{"data":{"rejectKeyRequest":{"userErrors":[],"keyRequest":{"id":"`+q+`","status":"REJECTED","decisionNote":"Use Europe.","key":null}}}}`)
	}
	sameText(t, "events", w.lastEvents(t, 1), "Test provider: Rejected a request for a key. PENDING→REJECTED")
	provider.expect(t, approve, in("keyRequestId", q), refusedAs("approveKeyRequest", "INVALID_STATE", []string{"input", "keyRequestId"}, "keyRequest"))
}

// TestPendingKeyRequests: operators read what waits in all accounts, the oldest first. Other tests' requests lie between.
func TestPendingKeyRequests(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	wanted := []string{w.owner.request(t, "One"), other.owner.request(t, "Two"), w.owner.request(t, "Three")}
	gone := w.owner.request(t, "Gone")
	w.owner.ask(t, cancelRequest, in("keyRequestId", gone), "cancelKeyRequest")
	const pending = `query($after: String) { pendingKeyRequests(first: 2, after: $after) { totalCount pageInfo { hasNextPage endCursor } nodes { id account { id } requestedBy { email } } } }`
	nobody().expect(t, pending, nil, deniedAs("pendingKeyRequests", "UNAUTHENTICATED", unauthenticated))
	w.owner.expect(t, pending, nil, deniedAs("pendingKeyRequests", "FORBIDDEN", "This is not for callers of the kind USER."))
	operator(t, graph.ScopeIngest).expect(t, pending, nil, deniedAs("pendingKeyRequests", "FORBIDDEN", "This needs the scope SUPPORT."))
	support := operator(t, graph.ScopeSupport)
	var found []string
	for after, more := any(nil), true; more; {
		page := support.ask(t, pending, map[string]any{"after": after}, "pendingKeyRequests").(map[string]any)
		info := page["pageInfo"].(map[string]any)
		for _, n := range page["nodes"].([]any) {
			q := n.(map[string]any)
			if text(q, "id") == gone {
				t.Error("a withdrawn request waits")
			}
			for i, id := range wanted {
				who := []*world{w, other, w}[i]
				if text(q, "id") != id {
					continue
				}
				found = append(found, id)
				if text(q["account"].(map[string]any), "id") != who.account || text(q["requestedBy"].(map[string]any), "email") != who.owner.email {
					t.Errorf("request %d is of %v", i, q)
				}
			}
		}
		after, more = info["endCursor"], info["hasNextPage"] == true
	}
	if strings.Join(found, " ") != strings.Join(wanted, " ") {
		t.Errorf("found %v, want %v", found, wanted)
	}
}
