package resolvers

import (
	"os"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

func schemaText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func load(t *testing.T, text string) *ast.Schema {
	t.Helper()
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: text})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestSchema(t *testing.T) {
	t.Parallel()
	for _, problem := range lintSchema(load(t, schemaText(t))) {
		t.Error(problem)
	}
}

// TestLintCatchesSabotage breaks one rule at a time: a lint that finds nothing is worth nothing.
func TestLintCatchesSabotage(t *testing.T) {
	t.Parallel()
	for _, s := range []struct{ name, from, to, want string }{
		{"guard missing on an edge", "  node: User! @visible", "  node: User!", "UserEdge.node can return"},
		{"guard missing on a list of edges", "  edges: [ApiKeyEdge!]! @visible", "  edges: [ApiKeyEdge!]!", "ApiKeyConnection.edges can return"},
		{"guard missing on a list", "  nodes: [Grant!]! @visible", "  nodes: [Grant!]!", "GrantConnection.nodes can return"},
		{"guard missing on an interface", "  ): Node @visible @requires", "  ): Node @requires", "Query.node can return"},
		{"guard missing on a list of an interface", "  ): [Node] @visible ", "  ): [Node] ", "Query.nodes can return"},
		{"guard missing on a union", "  actor: Actor @visible", "  actor: Actor", "AuditEvent.actor can return"},
		{"guard missing on a reference", "  invitedBy: User @visible", "  invitedBy: User", "Invitation.invitedBy can return"},
		{"guard missing in a payload", "  grant: Grant @visible\n}", "  grant: Grant\n}", "SetGrantPayload.grant can return"},
		{"root field without access rule", "  viewer: Viewer @requires(by: [USER, TOKEN, KEY, OPERATOR])", "  viewer: Viewer", "Query.viewer needs exactly one"},
		{"root field with both access rules", "): SignInPayload @cost(weight: 10) @public\n  \"Ends", "): SignInPayload @public @requires\n  \"Ends", "Mutation.signIn needs exactly one"},
		{"access decided after loading", "  ): Node @visible @requires(by: [USER, TOKEN, KEY, OPERATOR])", "  ): Node @requires(by: [USER, TOKEN, KEY, OPERATOR]) @visible", "Query.node: write @visible before @requires"},
		{"guard on a field of an interface", "interface Node {\n  \"Opaque global ID, unique over all types. Do not parse it.\"\n  id: ID!", "interface Node {\n  \"Opaque global ID, unique over all types. Do not parse it.\"\n  id: ID! @requires", "Node.id: @requires never runs"},
		{"protected type without a check", "type PageInfo {", "type PageInfo @subject {", "PageInfo has no model with VisibleTo"},
		{"union with a member without a check", "union Actor = User | AccessToken | Operator", "union Actor = User | AccessToken | Operator | ServerInfo", "ServerInfo has no model"},
		{"arguments that would be ignored", "  name: String!\n  \"State.\"\n  status: AccountStatus!", "  name(\"Most characters.\" max: Int): String!\n  \"State.\"\n  status: AccountStatus!", "Account.name has arguments"},
		{"directive without an implementation", "directive @public on FIELD_DEFINITION", "directive @public on FIELD_DEFINITION\n\"Nothing.\"\ndirective @nothing on OBJECT", "@nothing has no implementation"},
		{"field without a description", "  \"Display name; not unique.\"\n  name: String!", "  name: String!", "ApiKey.name has no description"},
		{"argument without a description", "  node(\n    \"Global ID.\"\n", "  node(\n", "Query.node(id) has no description"},
		{"value without a description", "  \"Enable.\"\n  ENABLED", "  ENABLED", "GrantState.ENABLED has no description"},
		{"rule that does not compile", "min=2,max=100", "min=2,longest=100", "does not compile"},
		{"guarded field that cannot be null", "  primaryUser: User @visible", "  primaryUser: User! @visible", "Account.primaryUser has @visible and must be nullable"},
		{"required field that cannot be null", "  status: UserStatus @requires", "  status: UserStatus! @requires", "User.status has @requires and must be nullable"},
		{"page that is not counted", "  ): InvitationConnection @cost(page: true)", "  ): InvitationConnection", "Account.invitations is a page"},
		{"secret that is not marked", "  password: String! @sensitive @constraint(rule: \"min=1", "  password: String! @constraint(rule: \"min=1", "SignInInput.password needs @sensitive"},
		{"mutation without a payload", "  ): SetGrantPayload", "  ): Grant @visible", "Mutation.setGrant gives a nullable type"},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			text := schemaText(t)
			if !strings.Contains(text, s.from) {
				t.Fatalf("the schema has no %q", s.from)
			}
			problems := strings.Join(lintSchema(load(t, strings.ReplaceAll(text, s.from, s.to))), "\n")
			if !strings.Contains(problems, s.want) {
				t.Errorf("the lint does not say %q, but:\n%s", s.want, problems)
			}
		})
	}
}
