package server_test

import (
	"testing"

	"grantwood/graph"
)

// TestTokenRotatesSecrets: a partner who holds ROTATE_SECRETS replaces the secrets of the keys that their token lists, as long
// as the token's creator sees these and holds the capability; of other keys they learn nothing.
func TestTokenRotatesSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, asia := w.key(t, "Europe"), w.key(t, "Asia")
	admin := w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{europe}})
	partner, id := tokenOf(t, admin.client, []graph.Capability{graph.ViewUsage, graph.RotateSecrets}, europe)
	const rotate = `mutation($k: ID!, $i: String) { rotateApiKeySecret(input: {keyId: $k, idempotencyKey: $i}) { userErrors { code path } key { id } } }`
	done := `{"data":{"rotateApiKeySecret":{"userErrors":[],"key":{"id":"` + europe + `"}}}}`
	missing := `{"data":{"rotateApiKeySecret":{"userErrors":[{"code":"NOT_FOUND","path":["input","keyId"]}],"key":null}}}`
	partner.expect(t, rotate, map[string]any{"k": europe}, done)
	for _, k := range []string{asia, w.master, "nonsense"} {
		partner.expect(t, rotate, map[string]any{"k": k}, missing)
	}
	w.owner.expect(t, `query($k: ID!) { account { auditEvents(first: 2, filter: {actions: [SECRET_ROTATED], keyId: $k}) { nodes {
		actor { ... on AccessToken { id } } actorLabel } } } }`, map[string]any{"k": europe},
		`{"data":{"account":{"auditEvents":{"nodes":[{"actor":{"id":"`+id+`"},"actorLabel":"Partner"}]}}}}`)

	// The same call again, by the same token, is answered from memory; by the creator it is another call.
	const secret = `mutation($k: ID!, $i: String) { rotateApiKeySecret(input: {keyId: $k, idempotencyKey: $i}) { userErrors { code } secret } }`
	again := map[string]any{"k": europe, "i": "a call of the partner"}
	first := partner.text(t, secret, again, "rotateApiKeySecret.secret")
	if repeated := partner.text(t, secret, again, "rotateApiKeySecret.secret"); repeated != first {
		t.Error("a repeated call gets another secret")
	}
	if other := admin.text(t, secret, again, "rotateApiKeySecret.secret"); other == first {
		t.Error("somebody else gets the token's answer")
	}

	weak, _ := tokenOf(t, admin.client, usageOnly, europe)
	weak.expect(t, rotate, map[string]any{"k": europe}, deniedTo("rotateApiKeySecret", "FORBIDDEN", "This needs the capability ROTATE_SECRETS."))
	w.grant(t, admin.id, europe, graph.GrantDisabled)
	partner.expect(t, rotate, map[string]any{"k": europe}, missing)
}
