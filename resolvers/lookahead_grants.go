package resolvers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"grantwood/db"
	"grantwood/graph"
)

// lookGrants reads what the selections want below grants.
func (r *Resolver) lookGrants(ctx context.Context, grants []*graph.Grant, selections ast.SelectionSet) error {
	if err := look(ctx, grants, selections, typesOfGrant, func(g *graph.Grant) graph.UUID { return g.Key.AccountID }, r.lookGrantField); err != nil {
		return err
	}
	return r.lookBelow(ctx, selections, typesOfGrant, map[string][]*graph.User{
		"user": distinct(grants, func(g *graph.Grant) *graph.User { return g.User }),
	}, map[string][]*graph.ApiKey{
		"key": distinct(grants, func(g *graph.Grant) *graph.ApiKey { return g.Key }),
	}, nil)
}

func (r *Resolver) lookGrantField(ctx context.Context, grants []*graph.Grant, f graphql.CollectedField) error {
	switch f.Name {
	case "inheritedFrom":
		return hangUnits(ctx, r, f, grants[0].Key.AccountID, grants, func(g *graph.Grant) (*graph.Nested, *graph.UUID) { return &g.Nested, g.UnitID })
	case "explanation":
		return r.explain(ctx, grants, f)
	case "updatedBy":
		return r.hangUpdaters(ctx, grants, f)
	}
	return nil
}

// hangUpdaters keeps at each grant of one account who set it, nil where that is nobody or nobody who is visible, and reads what
// is wanted below.
func (r *Resolver) hangUpdaters(ctx context.Context, grants []*graph.Grant, f graphql.CollectedField) error {
	var wanted []graph.UUID
	for _, g := range grants {
		if g.UpdaterID != nil {
			wanted = append(wanted, *g.UpdaterID)
		}
	}
	users, err := r.DB.Users(ctx, viewer(ctx), grants[0].Key.AccountID, wanted)
	if err != nil {
		return err
	}
	found := make(map[graph.UUID]graph.Actor, len(users))
	for _, u := range users {
		found[u.UserID] = u
	}
	for _, g := range grants {
		var by graph.Actor
		if g.UpdaterID != nil {
			by = found[*g.UpdaterID]
		}
		g.Nested.Put(f.Field, actor{by})
	}
	return r.lookUsers(ctx, users, f.Selections)
}

// actor wraps who did something, for that nobody, too, can hang at an object.
type actor struct{ graph.Actor }

// explain keeps at each grant of one account why it is so, and reads what is wanted below the units that it names.
func (r *Resolver) explain(ctx context.Context, grants []*graph.Grant, f graphql.CollectedField) error {
	why, err := r.DB.Explanations(ctx, viewer(ctx), grants)
	if err != nil {
		return err
	}
	var units []*graph.Unit
	for _, g := range grants {
		steps := why[db.Pair{User: g.User.UserID, Key: g.Key.KeyID}]
		g.Nested.Put(f.Field, steps)
		for _, s := range steps {
			if s.Unit != nil {
				units = append(units, s.Unit)
			}
		}
	}
	return r.lookUnits(ctx, units, below(ctx, f.Selections, nil, "unit"))
}

// grantsOfUsers reads a page of grants for each of the users of one account, and what is wanted below these.
func (r *Resolver) grantsOfUsers(ctx context.Context, users []*graph.User, p nestedPage) (map[graph.UUID]*graph.GrantConnection, error) {
	pages, err := r.DB.GrantsOfUsers(ctx, viewer(ctx), users, p.window, p.flag, p.ask)
	if err != nil {
		return nil, err
	}
	return pages, r.lookGrants(ctx, nodesOf(pages, func(c *graph.GrantConnection) []*graph.Grant { return c.Nodes }), elements(ctx, p.field.Selections))
}

// grantsOfKeys reads a page of grants for each of the keys of one account, and what is wanted below these.
func (r *Resolver) grantsOfKeys(ctx context.Context, keys []*graph.ApiKey, p nestedPage) (map[graph.UUID]*graph.GrantConnection, error) {
	pages, err := r.DB.GrantsOfKeys(ctx, viewer(ctx), keys, p.window, p.flag, p.ask)
	if err != nil {
		return nil, err
	}
	return pages, r.lookGrants(ctx, nodesOf(pages, func(c *graph.GrantConnection) []*graph.Grant { return c.Nodes }), elements(ctx, p.field.Selections))
}

// ownGrants reads the caller's own grants for keys of one account, and what is wanted below these.
func (r *Resolver) ownGrants(ctx context.Context, keys []*graph.ApiKey, selections ast.SelectionSet) (map[graph.UUID]*graph.Grant, error) {
	v := viewer(ctx)
	if v.Kind != graph.KindOfUser || v.IsPrimary() {
		return nil, nil
	}
	pairs := make([]db.Pair, len(keys))
	for i, k := range keys {
		pairs[i] = db.Pair{User: v.UserID(), Key: k.KeyID}
	}
	grants, err := r.DB.Grants(ctx, v, keys[0].AccountID, pairs)
	if err != nil {
		return nil, err
	}
	own := make(map[graph.UUID]*graph.Grant, len(grants))
	for _, g := range grants {
		own[g.Key.KeyID] = g
	}
	return own, r.lookGrants(ctx, grants, selections)
}
