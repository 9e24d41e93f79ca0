package server_test

import (
	"fmt"
	"strings"
	"testing"

	"grantwood/graph"
)

const (
	updateKey = `mutation($in: UpdateApiKeyInput!) { updateApiKey(input: $in) { userErrors { code path } key { name kind status } } }`
	deleteKey = `mutation($in: ApiKeyIdInput!) { deleteApiKey(input: $in) { userErrors { code path } key { id status secretHint secretIssuedAt viewerCanManage } } }`
	rotateKey = `mutation($in: RotateApiKeySecretInput!) { rotateApiKeySecret(input: $in) { userErrors { code path } secret key { id } } }`
)

// in makes the variables of a mutation: names and values by turns.
func in(values ...any) map[string]any {
	fields := map[string]any{}
	for i := 0; i < len(values); i += 2 {
		fields[values[i].(string)] = values[i+1]
	}
	return map[string]any{"in": fields}
}

// refusedAs is the whole answer of a mutation that was refused with an error of the caller, with null in all other fields.
func refusedAs(mutation, code string, path []string, nulls ...string) string {
	text := fmt.Sprintf(`{"data":{%q:{"userErrors":[{"code":%q,"path":["%s"]}]`, mutation, code, strings.Join(path, `","`))
	for _, n := range nulls {
		text += fmt.Sprintf(`,%q:null`, n)
	}
	return text + `}}}`
}

// deniedAs is the whole answer of a root field that the caller may not use.
func deniedAs(field, code, message string) string {
	return fmt.Sprintf(`{"data":{%q:null},"errors":[{"message":%q,"path":[%q],"extensions":{"code":%q}}]}`, field, message, field, code)
}

const (
	unauthenticated = "Sign in first, or again: the credentials are missing or no longer valid."
	notForOperators = "This is not for callers of the kind OPERATOR."
	missingKey      = "key_" + "0000000000000000000000000000000000000000000000000000"
)

// events gives action, summary and changes of the newest events about a key, as its owner sees them.
func (c client) events(t testing.TB, key string, n int) string {
	t.Helper()
	list, _ := c.ask(t, `query($k: ID!, $n: Int!) { account { auditEvents(first: $n, filter: {keyId: $k}) { nodes { action summary changes { field before after } } } } }`,
		map[string]any{"k": key, "n": n}, "account.auditEvents.nodes").([]any)
	var lines []string
	for _, e := range list {
		event := e.(map[string]any)
		line := fmt.Sprint(event["action"], ": ", event["summary"])
		for _, c := range event["changes"].([]any) {
			change := c.(map[string]any)
			line += fmt.Sprintf(" %v %v→%v", change["field"], change["before"], change["after"])
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func sameText(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}

func TestUpdateApiKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, hidden := w.key(t, "Europe"), w.key(t, "Hidden")
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{k}})
	done := `{"data":{"updateApiKey":{"userErrors":[],"key":{"name":"Europe and Africa","kind":"REGION","status":"ENABLED"}}}}`
	for range 2 { // done, repeated
		admin.expect(t, updateKey, in("keyId", k, "name", "Europe and Africa", "kind", "REGION"), done)
	}
	admin.expect(t, updateKey, in("keyId", k), done)
	admin.expect(t, updateKey, in("keyId", k, "name", nil, "kind", nil), done)
	sameText(t, "events", admin.events(t, k, 3), "KEY_UPDATED: Changed the key Europe. name Europe→Europe and Africa kind OTHER→REGION\n"+
		"KEY_CREATED: Created the key Europe.")
	admin.expect(t, updateKey, in("keyId", k, "kind", "REGION", "name", "Africa"), strings.ReplaceAll(done, "Europe and Africa", "Africa"))

	developer := w.user(t, invitee{role: graph.RoleDeveloper, keys: []string{k}})
	nobody().expect(t, updateKey, in("keyId", k), deniedAs("updateApiKey", "UNAUTHENTICATED", unauthenticated))
	developer.expect(t, updateKey, in("keyId", k), deniedAs("updateApiKey", "FORBIDDEN", "This needs the capability MANAGE_KEYS."))
	operator(t, graph.ScopeAdmin).expect(t, updateKey, in("keyId", k), deniedAs("updateApiKey", "FORBIDDEN", notForOperators))
	foreign := newWorld(t)
	for _, id := range []string{hidden, missingKey, "nonsense", foreign.master, w.account, w.owner.id} {
		admin.expect(t, updateKey, in("keyId", id, "name", "X"), refusedAs("updateApiKey", "NOT_FOUND", []string{"input", "keyId"}, "key"))
	}
	for _, name := range []string{"", strings.Repeat("x", 101)} {
		admin.expect(t, updateKey, in("keyId", hidden, "name", name), refusedAs("updateApiKey", "INVALID", []string{"input", "name"}, "key"))
	}
	w.owner.ask(t, deleteKey, in("keyId", k), "deleteApiKey")
	admin.expect(t, updateKey, in("keyId", k, "name", "X"), refusedAs("updateApiKey", "INVALID_STATE", []string{"input", "keyId"}, "key"))
}

func TestDeleteApiKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, hidden := w.key(t, "Europe"), w.key(t, "Hidden")
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{k}})
	developer := w.user(t, invitee{role: graph.RoleDeveloper, keys: []string{k}})
	nobody().expect(t, deleteKey, in("keyId", k), deniedAs("deleteApiKey", "UNAUTHENTICATED", unauthenticated))
	developer.expect(t, deleteKey, in("keyId", k), deniedAs("deleteApiKey", "FORBIDDEN", "This needs the capability MANAGE_KEYS."))
	operator(t, graph.ScopeAdmin).expect(t, deleteKey, in("keyId", k), deniedAs("deleteApiKey", "FORBIDDEN", notForOperators))
	for _, id := range []string{hidden, missingKey, "nonsense", newWorld(t).master} {
		admin.expect(t, deleteKey, in("keyId", id), refusedAs("deleteApiKey", "NOT_FOUND", []string{"input", "keyId"}, "key"))
	}
	for _, c := range []client{admin.client, w.owner.client} {
		c.expect(t, deleteKey, in("keyId", w.master), refusedAs("deleteApiKey", "NOT_ALLOWED", []string{"input", "keyId"}, "key"))
	}
	w.owner.ask(t, rotateKey, in("keyId", k, "graceMinutes", 60), "rotateApiKeySecret")
	for range 2 { // done, repeated
		admin.expect(t, deleteKey, in("keyId", k), `{"data":{"deleteApiKey":{"userErrors":[],
			"key":{"id":"`+k+`","status":"DELETED","secretHint":null,"secretIssuedAt":null,"viewerCanManage":false}}}}`)
	}
	sameText(t, "events", admin.events(t, k, 1), "KEY_DELETED: Deleted the key Europe. status ENABLED→DELETED")
	sameText(t, "events before", admin.events(t, k, 2), "KEY_DELETED: Deleted the key Europe. status ENABLED→DELETED\nSECRET_ROTATED: Issued a new secret for the key Europe.")
}

// TestDeletedKeys: they leave the lists that do not ask for them, and stay reachable for those who saw them.
func TestDeletedKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, hidden := w.key(t, "Europe"), w.key(t, "Hidden")
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{k}})
	w.owner.ask(t, deleteKey, in("keyId", k), "deleteApiKey")
	w.owner.ask(t, deleteKey, in("keyId", hidden), "deleteApiKey")
	admin.expect(t, `query($k: ID!, $h: ID!, $u: ID!) { gone: node(id: $k) { ... on ApiKey { name status grants { totalCount } } } hidden: node(id: $h) { id }
		account { all: apiKeys { totalCount nodes { name } } deleted: apiKeys(filter: {statuses: [DELETED]}) { totalCount nodes { name status } }
			search: apiKeys(filter: {search: "europe"}) { totalCount } mine: apiKeys(filter: {enabledForUserId: $u}) { totalCount }
			grants(filter: {keyId: $k}) { totalCount } user: users(filter: {search: "person"}) { nodes { grants(enabled: true) { nodes { key { name } } } } } } }`,
		map[string]any{"k": k, "h": hidden, "u": admin.id}, `{"data":{"gone":{"name":"Europe","status":"DELETED","grants":{"totalCount":1}},"hidden":null,
			"account":{"all":{"totalCount":1,"nodes":[{"name":"Master key"}]},"deleted":{"totalCount":1,"nodes":[{"name":"Europe","status":"DELETED"}]},
			"search":{"totalCount":0},"mine":{"totalCount":1},"grants":{"totalCount":0},
			"user":{"nodes":[{"grants":{"nodes":[]}},{"grants":{"nodes":[{"key":{"name":"Master key"}}]}}]}}}}`)
	for _, state := range []graph.GrantState{graph.GrantEnabled, graph.GrantDisabled, graph.GrantInherit} {
		w.owner.expect(t, `mutation($in: SetGrantInput!) { setGrant(input: $in) { userErrors { code path } grant { id } } }`,
			in("userId", admin.id, "keyId", k, "state", state), refusedAs("setGrant", "INVALID_STATE", []string{"input", "keyId"}, "grant"))
	}
	admin.expect(t, `mutation($in: SetApiKeyEnabledInput!) { setApiKeyEnabled(input: $in) { userErrors { code path } key { id } } }`,
		in("keyId", k, "enabled", true), refusedAs("setApiKeyEnabled", "INVALID_STATE", []string{"input", "keyId"}, "key"))
}

func TestRotateApiKeySecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, hidden := w.key(t, "Europe"), w.key(t, "Hidden")
	developer := w.user(t, invitee{role: graph.RoleDeveloper, keys: []string{k}})
	reporting := w.user(t, invitee{role: graph.RoleReporting, keys: []string{k}})
	nobody().expect(t, rotateKey, in("keyId", k), deniedAs("rotateApiKeySecret", "UNAUTHENTICATED", unauthenticated))
	reporting.expect(t, rotateKey, in("keyId", k), deniedAs("rotateApiKeySecret", "FORBIDDEN", "This needs the capability ROTATE_SECRETS."))
	operator(t, graph.ScopeAdmin).expect(t, rotateKey, in("keyId", k), deniedAs("rotateApiKeySecret", "FORBIDDEN", notForOperators))
	for _, id := range []string{hidden, missingKey, "nonsense", newWorld(t).master} {
		developer.expect(t, rotateKey, in("keyId", id), refusedAs("rotateApiKeySecret", "NOT_FOUND", []string{"input", "keyId"}, "secret", "key"))
	}
	for _, minutes := range []int{-1, 10081} {
		developer.expect(t, rotateKey, in("keyId", k, "graceMinutes", minutes), refusedAs("rotateApiKeySecret", "INVALID", []string{"input", "graceMinutes"}, "secret", "key"))
	}
	const state = `query($k: ID!) { node(id: $k) { ... on ApiKey { secretHint secretIssuedAt previousSecretExpiresAt } } }`
	hint := func() string { return developer.text(t, state, map[string]any{"k": k}, "node.secretHint") }
	previous := func() any {
		return developer.ask(t, state, map[string]any{"k": k}, "node.previousSecretExpiresAt")
	}
	rotate := func(minutes int) string {
		t.Helper()
		secret := developer.text(t, rotateKey, in("keyId", k, "graceMinutes", minutes), "rotateApiKeySecret.secret")
		if !strings.HasSuffix(secret, hint()) || hint() == secret {
			t.Errorf("the hint of %s is %s", secret, hint())
		}
		return secret
	}
	first := rotate(0)
	if previous() != nil {
		t.Error("without grace the old secret lives on")
	}
	second := rotate(10080)
	if previous() == nil || first == second {
		t.Error("with grace the old secret does not live on")
	}
	developer.expect(t, rotateKey, in("keyId", k, "graceMinutes", 1), refusedAs("rotateApiKeySecret", "INVALID_STATE", []string{"input", "graceMinutes"}, "secret", "key"))
	rotate(0) // ends both
	if previous() != nil {
		t.Error("without grace one of the old secrets lives on")
	}
	events := w.owner.events(t, k, 3)
	sameText(t, "events", events, strings.TrimSuffix(strings.Repeat("SECRET_ROTATED: Issued a new secret for the key Europe.\n", 3), "\n"))
	reporting.expect(t, state, map[string]any{"k": k}, `{"data":{"node":{"secretHint":null,"secretIssuedAt":null,"previousSecretExpiresAt":null}}}`)
	w.owner.ask(t, deleteKey, in("keyId", k), "deleteApiKey")
	developer.expect(t, rotateKey, in("keyId", k), refusedAs("rotateApiKeySecret", "INVALID_STATE", []string{"input", "keyId"}, "secret", "key"))
}

// TestFirstSecret: the master key has none in the beginning; nothing is left of it when it gets its first.
func TestFirstSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if secret := w.owner.text(t, rotateKey, in("keyId", w.master, "graceMinutes", 60), "rotateApiKeySecret.secret"); len(secret) < 26 {
		t.Errorf("the secret %q is short", secret)
	}
	w.owner.expect(t, `{ account { masterKey { previousSecretExpiresAt } } }`, nil, `{"data":{"account":{"masterKey":{"previousSecretExpiresAt":null}}}}`)
}
