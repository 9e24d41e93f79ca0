package server_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"grantwood/graph"
)

// everything selects all that is to be read about an account.
const everything = `query($id: ID!) { serverInfo { version } viewer { kind capabilities operator { label scopes } user { ...U } account { id } }
	account(id: $id) { ...A } again: node(id: $id) { id } }
	fragment A on Account { id name status currency createdAt limits { maxUsers maxApiKeys } primaryUser { ...U } masterKey { ...K }
		users(first: 10) { totalCount pageInfo { ...P } edges { cursor node { ...U grants { nodes { ...G } } } } }
		apiKeys(first: 10, filter: {statuses: [ENABLED, DISABLED, DELETED]}) { totalCount pageInfo { ...P } edges { cursor node { ...K grants { nodes { ...G } } } } }
		grants(first: 100) { totalCount pageInfo { ...P } edges { cursor node { ...G } } }
		invitations(first: 100) { totalCount pageInfo { ...P } edges { cursor node { id email capabilities role keys { ...K } status invitedBy { ...U } sentAt expiresAt } } }
		auditEvents(first: 100) { pageInfo { ...P } edges { cursor node { id action occurredAt actor { ... on User { ...U } ... on Operator { label scopes } } actorLabel
			user { ...U } key { ...K } summary ipAddress requestId } } } }
	fragment U on User { id displayName email role isPrimary status capabilities lastSignInAt createdAt }
	fragment K on ApiKey { id key name kind isMaster status secretHint secretIssuedAt createdAt deletedAt viewerGrant { ...G } viewerCanManage }
	fragment G on Grant { id user { id } key { id } enabled source expiresAt updatedAt }
	fragment P on PageInfo { hasNextPage hasPreviousPage startCursor endCursor }`

// issued are the secrets that a world with everything in it has given out, by what they are.
func issued(t testing.TB) (w *world, provider client, joinedAs string, secrets map[string]string) {
	t.Helper()
	provider = operator(t, graph.ScopeAdmin)
	joinedAs = address()
	email := address()
	account := provider.done(t, toCreateAccount, input{"name": "Test", "currency": "EUR", "primaryEmail": email})
	first := fmt.Sprint(account.at(t, "createAccount.link"))
	w = &world{account: fmt.Sprint(account.at(t, "createAccount.account.id")), owner: join(t, first, email)}
	key := w.owner.done(t, toCreateAPIKey, input{"name": "Europe", "kind": "REGION"})
	used := w.send(t, joinedAs, fmt.Sprint(key.at(t, "createApiKey.key.id")))
	const chosen = "a password of their own"
	joined := nobody().done(t, toAcceptInvitation, input{"token": used, "password": chosen})
	again := nobody().done(t, toSignIn, input{"email": joinedAs, "password": chosen})
	return w, provider, joinedAs, map[string]string{
		"operator's token": provider.token, "first invitation": tokenOfLink(t, first), "invitation": used, "waiting invitation": w.send(t, "waiting@test.example"),
		"owner's session": w.owner.token, "joining session": fmt.Sprint(joined.at(t, "acceptInvitation.sessionToken")),
		"session": fmt.Sprint(again.at(t, "signIn.sessionToken")), "key's secret": fmt.Sprint(key.at(t, "createApiKey.secret")),
		"password": chosen, "owner's password": password,
	}
}

// TestSecretsAreShownOnce: what was shown at its making is in no other answer and, as it is, in no row of any table.
func TestSecretsAreShownOnce(t *testing.T) {
	t.Parallel()
	w, provider, email, secrets := issued(t)
	member := client{w.owner.api, secrets["session"]}
	var texts []string
	for name, c := range map[string]client{"owner": w.owner.client, "operator": provider, "user": member} {
		a := c.post(t, everything, map[string]any{"id": w.account})
		if a.at(t, "account.apiKeys.edges.0.node.name") != "Europe" {
			t.Fatalf("%s: %s", name, a.Body)
		}
		texts = append(texts, string(a.Body), fmt.Sprint(a.Header))
	}
	for _, m := range []mutation{toInviteUser, toAcceptInvitation, toSignIn} {
		in := map[string]input{
			"inviteUser":       {"email": email, "access": input{"role": "REPORTING"}},
			"acceptInvitation": {"token": secrets["invitation"], "password": secrets["password"]},
			"signIn":           {"email": email, "password": secrets["password"] + "!"},
		}[m.field]
		a := w.owner.run(t, m, in)
		if a.succeeded() {
			t.Errorf("%s succeeded", m.field)
		}
		texts = append(texts, string(a.Body))
	}
	mustLack(t, "answers", texts, secrets)
	rows := dump(t)
	mustLack(t, "tables", rows, secrets)
	if !strings.Contains(strings.Join(rows, "\n"), email) {
		t.Error("the tables lack an address: they were not read")
	}
}

// dump gives every row of every table as text.
func dump(t testing.TB) []string {
	t.Helper()
	var rows []string
	for _, table := range texts(t, `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`) {
		rows = append(rows, texts(t, `SELECT x::text FROM "`+table+`" x`)...)
	}
	if len(rows) < 10 {
		t.Fatalf("only %d rows", len(rows))
	}
	return rows
}

// mustLack looks for secrets: as they are, without their prefix, and the random part of tokens in the form of bytea.
func mustLack(t testing.TB, where string, texts []string, secrets map[string]string) {
	t.Helper()
	all := strings.Join(texts, "\n")
	for name, secret := range secrets {
		forms := []string{secret, hex.EncodeToString([]byte(secret))}
		if prefix, body, ok := strings.Cut(secret, "_"); ok && len(prefix) == 3 {
			forms = append(forms, body, hex.EncodeToString(bytesOf(t, secret)[32:]))
		}
		for _, form := range forms {
			if strings.Contains(all, form) {
				t.Errorf("the %s is in the %s", name, where)
			}
		}
	}
}
