package server_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

var toCreateAPIKey = mutation{
	field: "createApiKey", inputType: "CreateApiKeyInput", results: []string{"secret", "key"},
	selection: `secret key { id key name kind isMaster status secretHint secretIssuedAt createdAt deletedAt viewerCanManage
		viewerGrant { enabled source user { id } } }`,
}

func TestCreateAPIKey(t *testing.T) {
	t.Parallel()
	bad := input{"name": "", "kind": "OTHER"}
	t.Run("done", createKeyDone)
	t.Run("repeated", createKeyRepeated)
	t.Run("unauthenticated", notSignedIn(toCreateAPIKey, bad))
	t.Run("forbidden", forbidden(toCreateAPIKey, graph.ManageKeys, bad))
	t.Run("invalid", createKeyInvalid)
	t.Run("limit", createKeyLimit)
	t.Run("without rotating", createKeyWithoutRotating)
}

var (
	secretForm    = regexp.MustCompile(`^[A-Z2-7]{26}$`)
	publicKeyForm = regexp.MustCompile(`^gwk[0-9a-v]{26}[0-9a-v]{13}$`)
)

// createKeyDone: the owner needs no grant; an additional user gets an explicit one for what they create, and nobody else
// does.
func createKeyDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.user(t, invitee{role: graph.RoleAdministrator})
	for _, c := range []struct {
		creator member
		name    string
		kind    graph.UnitKind
		grant   string
	}{
		{w.owner, "Europe", graph.Region, "null"},
		{admin, strings.Repeat("é", 100), graph.Application, `{"enabled":true,"source":"EXPLICIT","user":{"id":"` + admin.id + `"}}`},
	} {
		a := c.creator.done(t, toCreateAPIKey, input{"name": c.name, "kind": c.kind})
		got := func(field string) string { return fmt.Sprint(a.at(t, "createApiKey."+field)) }
		secret, hint := got("secret"), got("key.secretHint")
		if !secretForm.MatchString(secret) || !publicKeyForm.MatchString(got("key.key")) || hint != secret[len(secret)-4:] {
			t.Errorf("secret or key: %s", a.Body)
		}
		a.is(t, fmt.Sprintf(`{"data":{"createApiKey":{"userErrors":[],"secret":%q,"key":{"id":%q,"key":%q,"name":%q,"kind":%q,"isMaster":false,
			"status":"ENABLED","secretHint":%q,"secretIssuedAt":%[7]q,"createdAt":%[7]q,"deletedAt":null,"viewerCanManage":true,"viewerGrant":%[8]s}}}}`,
			secret, got("key.id"), got("key.key"), c.name, c.kind, hint, got("key.createdAt"), c.grant))
		by := event{Actor: c.creator.id, ActorLabel: c.creator.display(), Key: got("key.id"), IPAddress: "127.0.0.1"}
		created, granted := by, by
		created.Action, created.Summary = "KEY_CREATED", "Created the key "+c.name+"."
		granted.Action, granted.User, granted.Changes = "GRANT_ENABLED", c.creator.id, "state: INHERIT -> ENABLED"
		granted.Summary = "Enabled the key " + c.name + " for " + c.creator.display() + "."
		if c.grant == "null" {
			w.tells(t, a, created)
		} else {
			w.tells(t, a, created, granted)
		}
	}
	if diff := cmp.Diff([]string{"Master key", strings.Repeat("é", 100)}, admin.names(t)); diff != "" {
		t.Errorf("keys of the administrator (-want +got):\n%s", diff)
	}
}

// createKeyRepeated: names are not unique, so that a name says nothing about hidden keys; a repeat makes another key.
func createKeyRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := input{"name": "Europe", "kind": "REGION"}
	first, second := w.owner.done(t, toCreateAPIKey, in), w.owner.done(t, toCreateAPIKey, in)
	for _, field := range []string{"key.id", "key.key", "secret"} {
		if first.at(t, "createApiKey."+field) == second.at(t, "createApiKey."+field) {
			t.Errorf("two keys have one %s", field)
		}
	}
	if diff := cmp.Diff([]string{"Europe", "Europe", "Master key"}, w.owner.names(t)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func createKeyInvalid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.unchanged(t, func() {
		w.owner.fails(t, toCreateAPIKey, input{"name": "", "kind": "OTHER"}, toCreateAPIKey.refused(violation("input.name", "min=1")))
		w.owner.fails(t, toCreateAPIKey, input{"name": strings.Repeat("é", 101), "kind": "OTHER"},
			toCreateAPIKey.refused(violation("input.name", "max=100")))
		w.owner.fails(t, toCreateAPIKey, input{"name": "a\x00b", "kind": "OTHER"},
			`{"data":{"createApiKey":null},"errors":[{"path":["createApiKey"],"extensions":{"code":"BAD_USER_INPUT","argument":["input","name"]}}]}`)
		w.owner.fails(t, toCreateAPIKey, input{"name": "Europe", "kind": "CONTINENT"},
			`{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["in","kind"]}}]}`)
		w.owner.fails(t, toCreateAPIKey, input{"name": "Europe"},
			`{"errors":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","variable":["in","kind"]}}]}`)
	})
}

// createKeyLimit: the master key counts, deleted keys do not.
func createKeyLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit(t, `UPDATE accounts SET max_api_keys = 2 WHERE account_id = $1`)
	k := w.key(t, "Second")
	in := input{"name": "Third", "kind": "OTHER"}
	w.unchanged(t, func() {
		w.owner.fails(t, toCreateAPIKey, in, toCreateAPIKey.refused(limitReached(2)))
	})
	w.remove(t, k)
	w.owner.done(t, toCreateAPIKey, in)
}

// createKeyWithoutRotating: whoever creates a key gets its secret this once; later its hint needs ROTATE_SECRETS.
func createKeyWithoutRotating(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.user(t, invitee{capabilities: []graph.Capability{graph.ManageKeys}})
	a := u.done(t, toCreateAPIKey, input{"name": "Europe", "kind": "REGION"})
	if secret, _ := a.at(t, "createApiKey.secret").(string); !secretForm.MatchString(secret) {
		t.Errorf("secret %q", secret)
	}
	const query = `query($k: ID!) { node(id: $k) { ... on ApiKey { secretHint secretIssuedAt } } }`
	id := a.at(t, "createApiKey.key.id")
	u.expect(t, query, map[string]any{"k": id}, `{"data":{"node":{"secretHint":null,"secretIssuedAt":null}}}`)
	if hint := a.at(t, "createApiKey.key.secretHint"); hint != nil {
		t.Errorf("hint %v", hint)
	}
	if hint := w.owner.ask(t, query, map[string]any{"k": id}, "node.secretHint"); hint == nil {
		t.Error("the owner sees no hint")
	}
}
