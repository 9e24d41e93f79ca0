package resolvers

import (
	"cmp"
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"grantwood/db"
	"grantwood/graph"
	"grantwood/graph/scalar"
)

// Look-ahead: whoever has read a list looks at what the operation selects below it, and reads the nested pages of all
// elements at once. They hang at their parents by the field of the document that asked for them; the resolver of that
// field finds them there, and reads for its one parent when there is none.

// The type conditions that an object satisfies, as the executor collects its fields.
var (
	typesOfUser       = []string{"User", "Node", "Actor"}
	typesOfKey        = []string{"ApiKey", "Node"}
	typesOfGrant      = []string{"Grant", "Node"}
	typesOfEvent      = []string{"AuditEvent", "Node"}
	typesOfInvitation = []string{"Invitation", "Node"}
	typesOfKeyRequest = []string{"KeyRequest", "Node"}
	typesOfToken      = []string{"AccessToken", "Node", "Actor"}
	typesOfAccount    = []string{"Account", "Node"}
	typesOfUnit       = []string{"Unit", "Node"}
	typesOfUnitGrant  = []string{"UnitGrant", "Node"}
	typesOfUsage      = []string{"UsageRecord", "Node"}
	typesOfThreshold  = []string{"UsageThreshold", "Node"}
	typesOfChange     = []string{"GrantChange"}
)

// nestedPage is what a field asks for that gives a page below each of several parents.
type nestedPage struct {
	field  graphql.CollectedField
	window graph.Window
	flag   *bool // the one argument beside those of a page
	ask    db.Ask
}

// kept is what a page hangs at its parent by. What is asked of the page is a part: a field of a fragment that stands in two
// places is merged with others in each.
type kept struct {
	field *ast.Field
	ask   db.Ask
}

func currentField(ctx context.Context) graphql.CollectedField {
	return graphql.GetFieldContext(ctx).Field
}

// collect gives the fields of a selection set as the executor collects them, but without its cache: that knows a set by its
// address, and look-ahead makes sets on the way. When one of them is freed, the executor may meet another set at its address,
// and would answer it with the fields of the first.
func collect(ctx context.Context, selections ast.SelectionSet, types []string) []graphql.CollectedField {
	operation := graphql.GetOperationContext(ctx)
	return graphql.CollectFields(&graphql.OperationContext{Doc: operation.Doc, Variables: operation.Variables}, selections, types)
}

// below gives the selections below the fields with the name.
func below(ctx context.Context, selections ast.SelectionSet, types []string, name string) ast.SelectionSet {
	var found ast.SelectionSet
	for _, f := range collect(ctx, selections, types) {
		if f.Name == name {
			found = append(found, f.Selections...)
		}
	}
	return found
}

// elements gives the selections below the elements of a connection.
func elements(ctx context.Context, connection ast.SelectionSet) ast.SelectionSet {
	edges := below(ctx, connection, nil, "edges")
	return append(below(ctx, connection, nil, "nodes"), below(ctx, edges, nil, "node")...)
}

// asked says what a connection's selection wants to know beside its elements.
func asked(ctx context.Context, connection ast.SelectionSet) db.Ask {
	var a db.Ask
	for _, f := range collect(ctx, connection, nil) {
		switch f.Name {
		case "totalCount":
			a.Total = true
		case "pageInfo":
			for _, f := range collect(ctx, f.Selections, nil) {
				a.Previous = a.Previous || f.Name == "hasPreviousPage"
				a.Next = a.Next || f.Name == "hasNextPage"
			}
		}
	}
	return a
}

// lookUsers reads what the selections want below users.
func (r *Resolver) lookUsers(ctx context.Context, users []*graph.User, selections ast.SelectionSet) error {
	return look(ctx, users, selections, typesOfUser, func(u *graph.User) graph.UUID { return u.AccountID }, r.lookUserField)
}

func (r *Resolver) lookUserField(ctx context.Context, users []*graph.User, f graphql.CollectedField) error {
	switch f.Name {
	case "grants":
		p, err := grantsPage(ctx, f)
		if err != nil {
			return nil // the field's own resolver says so
		}
		pages, err := r.grantsOfUsers(ctx, users, p)
		for _, u := range users {
			u.Nested.Put(kept{f.Field, p.ask}, pages[u.UserID])
		}
		return err
	case "unitGrants":
		grants, err := r.DB.UnitGrantsOfUsers(ctx, viewer(ctx), users)
		if err != nil {
			return err
		}
		return r.hangUnitGrants(ctx, f, grants, len(users), func(i int) (*graph.Nested, graph.UUID) { return &users[i].Nested, users[i].UserID })
	}
	return nil
}

// lookKeys reads what the selections want below keys.
func (r *Resolver) lookKeys(ctx context.Context, keys []*graph.ApiKey, selections ast.SelectionSet) error {
	return look(ctx, keys, selections, typesOfKey, func(k *graph.ApiKey) graph.UUID { return k.AccountID }, r.lookKeyField)
}

func (r *Resolver) lookKeyField(ctx context.Context, keys []*graph.ApiKey, f graphql.CollectedField) error {
	switch f.Name {
	case "grants":
		p, err := grantsPage(ctx, f)
		if err != nil {
			return nil // the field's own resolver says so
		}
		pages, err := r.grantsOfKeys(ctx, keys, p)
		for _, k := range keys {
			k.Nested.Put(kept{f.Field, p.ask}, pages[k.KeyID])
		}
		return err
	case "viewerGrant":
		return r.lookOwnGrants(ctx, keys, f)
	case "usage":
		putSiblings[graph.UsageRecordConnection](f, keys, nestedOfKey)
	case "usageReport":
		putSiblings[graph.UsageReport](f, keys, nestedOfKey)
	case "usageThresholds":
		found, err := r.DB.UsageThresholdsOfKeys(ctx, viewer(ctx), keys)
		if err != nil {
			return err
		}
		return r.hangThresholds(ctx, f, found, len(keys), func(i int) (*graph.Nested, graph.UUID) { return &keys[i].Nested, keys[i].KeyID })
	case "unit":
		return hangUnits(ctx, r, f, keys[0].AccountID, keys, func(k *graph.ApiKey) (*graph.Nested, *graph.UUID) { return &k.Nested, k.UnitID })
	}
	return nil
}

func nestedOfKey(k *graph.ApiKey) *graph.Nested { return &k.Nested }

// look reads what the selections want below objects, field by field, for the objects of each account at once.
func look[T any](ctx context.Context, objects []*T, selections ast.SelectionSet, types []string, account func(*T) graph.UUID,
	field func(context.Context, []*T, graphql.CollectedField) error) error {
	if len(objects) == 0 {
		return nil
	}
	groups := byAccount(objects, account)
	for _, f := range collect(ctx, selections, types) {
		for _, group := range groups {
			if err := field(ctx, group, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// lookOwnGrants reads the caller's own grants for keys; null where there is none.
func (r *Resolver) lookOwnGrants(ctx context.Context, keys []*graph.ApiKey, f graphql.CollectedField) error {
	own, err := r.ownGrants(ctx, keys, f.Selections)
	for _, k := range keys {
		k.Nested.Put(f.Field, own[k.KeyID])
	}
	return err
}

// lookInvitations reads what the selections want below invitations.
func (r *Resolver) lookInvitations(ctx context.Context, list []*graph.Invitation, selections ast.SelectionSet) error {
	var keys []*graph.ApiKey
	for _, i := range list {
		keys = append(keys, i.Keys...)
	}
	return r.lookBelow(ctx, selections, typesOfInvitation, map[string][]*graph.User{
		"invitedBy": distinct(list, func(i *graph.Invitation) *graph.User { return i.InvitedBy }),
	}, map[string][]*graph.ApiKey{"keys": keys}, nil)
}

// lookKeyRequests reads what the selections want below key requests.
func (r *Resolver) lookKeyRequests(ctx context.Context, list []*graph.KeyRequest, selections ast.SelectionSet) error {
	return r.lookBelow(ctx, selections, typesOfKeyRequest, map[string][]*graph.User{
		"requestedBy": distinct(list, func(q *graph.KeyRequest) *graph.User { return q.RequestedBy }),
	}, map[string][]*graph.ApiKey{
		"key": distinct(list, func(q *graph.KeyRequest) *graph.ApiKey { return q.Key }),
	}, map[string][]*graph.Unit{
		"unit": distinct(list, func(q *graph.KeyRequest) *graph.Unit { return q.Unit }),
	})
}

// lookTokens reads what the selections want below access tokens.
func (r *Resolver) lookTokens(ctx context.Context, tokens []*graph.AccessToken, selections ast.SelectionSet) error {
	var keys []*graph.ApiKey
	for _, t := range tokens {
		keys = append(keys, t.Keys...)
	}
	return r.lookBelow(ctx, selections, typesOfToken, map[string][]*graph.User{
		"createdBy": distinct(tokens, func(t *graph.AccessToken) *graph.User { return t.CreatedBy }),
	}, map[string][]*graph.ApiKey{"keys": keys}, nil)
}

// lookAccounts reads the owners and master keys of accounts for an operator, and what is wanted below these.
func (r *Resolver) lookAccounts(ctx context.Context, accounts []*graph.Account, selections ast.SelectionSet) error {
	wanted := make([]graph.UUID, len(accounts))
	for i, a := range accounts {
		wanted[i] = a.AccountID
	}
	for _, f := range collect(ctx, selections, typesOfAccount) {
		var err error
		switch f.Name {
		case "primaryUser":
			var owners map[graph.UUID]*graph.User
			if owners, err = r.DB.PrimaryUsersOf(ctx, viewer(ctx), wanted); err == nil {
				err = r.lookUsers(ctx, hang(accounts, f, owners), f.Selections)
			}
		case "masterKey":
			var masters map[graph.UUID]*graph.ApiKey
			if masters, err = r.DB.MasterKeysOf(ctx, viewer(ctx), wanted); err == nil {
				err = r.lookKeys(ctx, hang(accounts, f, masters), f.Selections)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hang keeps at each account what a field of it gives, null where there is none, and gives all that there are.
func hang[T any](accounts []*graph.Account, f graphql.CollectedField, objects map[graph.UUID]*T) []*T {
	var all []*T
	for _, a := range accounts {
		o := objects[a.AccountID]
		a.Nested.Put(f.Field, o)
		if o != nil {
			all = append(all, o)
		}
	}
	return all
}

// lookBelow reads what the selections want below the users, keys and units that objects point to, by the name of the field
// that points to them.
func (r *Resolver) lookBelow(ctx context.Context, selections ast.SelectionSet, types []string, users map[string][]*graph.User,
	keys map[string][]*graph.ApiKey, units map[string][]*graph.Unit) error {
	for _, f := range collect(ctx, selections, types) {
		if err := r.lookUsers(ctx, users[f.Name], f.Selections); err != nil {
			return err
		}
		if err := r.lookKeys(ctx, keys[f.Name], f.Selections); err != nil {
			return err
		}
		if err := r.lookUnits(ctx, units[f.Name], f.Selections); err != nil {
			return err
		}
	}
	return nil
}

// grantsPage reads the arguments of a field `grants` from the document.
func grantsPage(ctx context.Context, f graphql.CollectedField) (nestedPage, error) {
	return documentPage(ctx, f, "enabled", graph.ByCreation)
}

// documentPage reads the arguments of a field that gives a page from the document, with the one beside those of the page.
// BadUserInput for arguments that the field's own resolver refuses.
func documentPage(ctx context.Context, f graphql.CollectedField, flag string, o graph.Order) (nestedPage, error) {
	args := f.ArgumentMap(graphql.GetOperationContext(ctx).Variables)
	first, err1 := optional(args["first"], scalar.UnmarshalInt)
	after, err2 := optional(args["after"], scalar.UnmarshalString)
	value, err3 := optional(args[flag], scalar.UnmarshalBoolean)
	if err := cmp.Or(err1, err2, err3); err != nil {
		return nestedPage{}, err
	}
	return newNestedPage(ctx, f, graph.PageArgs{First: first, After: after}, value, o)
}

func newNestedPage(ctx context.Context, f graphql.CollectedField, args graph.PageArgs, flag *bool, o graph.Order) (nestedPage, error) {
	w, err := args.Window(o)
	return nestedPage{field: f, window: w, flag: flag, ask: asked(ctx, f.Selections)}, err
}

func optional[T any](value any, read func(any) (T, error)) (*T, error) {
	if value == nil {
		return nil, nil
	}
	t, err := read(value)
	return &t, err
}

func nodesOf[C, T any](pages map[graph.UUID]*C, nodes func(*C) []*T) []*T {
	lists := make([][]*T, 0, len(pages))
	for _, p := range pages {
		lists = append(lists, nodes(p))
	}
	return slices.Concat(lists...)
}

// byAccount splits objects by their account, since one statement concerns one account.
func byAccount[T any](objects []*T, account func(*T) graph.UUID) map[graph.UUID][]*T {
	groups := map[graph.UUID][]*T{}
	if !slices.ContainsFunc(objects, func(o *T) bool { return account(o) != account(objects[0]) }) {
		if len(objects) > 0 {
			groups[account(objects[0])] = objects
		}
		return groups
	}
	for _, o := range objects {
		groups[account(o)] = append(groups[account(o)], o)
	}
	return groups
}

// distinct gives the objects that parents point to. Several parents may point to the same one, or to copies of it; every
// copy is kept, since each is asked for its pages.
func distinct[P, T any](parents []*P, object func(*P) *T) []*T {
	seen := map[*T]bool{}
	var list []*T
	for _, p := range parents {
		if o := object(p); o != nil && !seen[o] {
			seen[o] = true
			list = append(list, o)
		}
	}
	return list
}
