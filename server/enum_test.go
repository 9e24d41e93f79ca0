package server_test

import (
	"testing"

	"grantwood/graph"
)

// TestEnumsInVariables: a value of an enum is written as in the schema, wherever it stands. Another case is no other name for
// it: taken as it is, "enabled" would disable.
func TestEnumsInVariables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.user(t, invitee{role: graph.RoleReporting})
	w.unchanged(t, func() {
		for _, c := range []struct {
			m    mutation
			in   input
			path string
		}{
			{toSetGrant, input{"userId": u.id, "keyId": w.master, "state": "enabled"}, `"state"`},
			{toCreateAPIKey, input{"name": "Europe", "kind": "region"}, `"kind"`},
			{toInviteUser, input{"email": "a@test.example", "access": input{"role": "Reporting"}}, `"access","role"`},
			{toInviteUser, input{"email": "a@test.example", "access": input{"capabilities": []string{"VIEW_USAGE", "view_audit"}}},
				`"access","capabilities","1"`},
		} {
			w.owner.fails(t, c.m, c.in, `{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["in",`+c.path+`]}}]}`)
		}
		w.owner.expect(t, `query($d: OrderDirection!) { account { apiKeys(orderBy: {field: NAME, direction: $d}) { totalCount } } }`,
			map[string]any{"d": "desc"}, `{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["d"]}}]}`)
		w.owner.expect(t, `query($s: [ApiKeyStatus!]) { account { apiKeys(filter: {statuses: $s}) { totalCount } } }`,
			map[string]any{"s": "enabled"}, `{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["s"]}}]}`)
	})
}
