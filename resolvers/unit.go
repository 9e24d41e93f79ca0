package resolvers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"grantwood/graph"
	"grantwood/graph/generated"
)

// lookUnits reads what the selections want below units.
func (r *Resolver) lookUnits(ctx context.Context, units []*graph.Unit, selections ast.SelectionSet) error {
	return look(ctx, units, selections, typesOfUnit, func(u *graph.Unit) graph.UUID { return u.AccountID }, r.lookUnitField)
}

func (r *Resolver) lookUnitField(ctx context.Context, units []*graph.Unit, f graphql.CollectedField) error {
	switch f.Name {
	case "parent", "ancestors":
		return r.hangAncestors(ctx, units, f)
	case "children":
		return r.hangChildren(ctx, units, f)
	case "apiKeys":
		return r.hangKeys(ctx, units, f)
	case "usage":
		putSiblings[graph.UsageRecordConnection](f, units, nestedOfUnit)
	case "usageReport":
		putSiblings[graph.UsageReport](f, units, nestedOfUnit)
	case "usageThresholds":
		found, err := r.DB.UsageThresholdsOfUnits(ctx, viewer(ctx), units)
		if err != nil {
			return err
		}
		return r.hangThresholds(ctx, f, found, len(units), func(i int) (*graph.Nested, graph.UUID) { return &units[i].Nested, units[i].UnitID })
	case "unitGrants":
		grants, err := r.DB.UnitGrantsOfUnits(ctx, viewer(ctx), units)
		if err != nil {
			return err
		}
		return r.hangUnitGrants(ctx, f, grants, len(units), func(i int) (*graph.Nested, graph.UUID) { return &units[i].Nested, units[i].UnitID })
	}
	return nil
}

func nestedOfUnit(u *graph.Unit) *graph.Nested { return &u.Nested }

func (r *Resolver) hangAncestors(ctx context.Context, units []*graph.Unit, f graphql.CollectedField) error {
	above, err := r.DB.AncestorsOf(ctx, viewer(ctx), units)
	if err != nil {
		return err
	}
	var all []*graph.Unit
	for _, u := range units {
		list := above[u.UnitID]
		if f.Name == "ancestors" {
			u.Nested.Put(f.Field, list)
			all = append(all, list...)
			continue
		}
		var parent *graph.Unit
		if len(list) > 0 {
			parent = list[len(list)-1]
			all = append(all, parent)
		}
		u.Nested.Put(f.Field, parent)
	}
	return r.lookUnits(ctx, all, f.Selections)
}

func (r *Resolver) hangChildren(ctx context.Context, units []*graph.Unit, f graphql.CollectedField) error {
	p, err := documentPage(ctx, f, "", graph.ByName)
	if err != nil {
		return nil // the field's own resolver says so
	}
	pages, err := r.DB.ChildrenOf(ctx, viewer(ctx), units, p.window, p.ask)
	if err != nil {
		return err
	}
	for _, u := range units {
		u.Nested.Put(kept{f.Field, p.ask}, pages[u.UnitID])
	}
	return r.lookUnits(ctx, nodesOf(pages, func(c *graph.UnitConnection) []*graph.Unit { return c.Nodes }), elements(ctx, f.Selections))
}

func (r *Resolver) hangKeys(ctx context.Context, units []*graph.Unit, f graphql.CollectedField) error {
	p, err := documentPage(ctx, f, "includeDescendants", graph.ByName)
	if err != nil {
		return nil // the field's own resolver says so
	}
	pages, err := r.DB.KeysOfUnits(ctx, viewer(ctx), units, p.window, given(p.flag), p.ask)
	if err != nil {
		return err
	}
	for _, u := range units {
		u.Nested.Put(kept{f.Field, p.ask}, pages[u.UnitID])
	}
	return r.lookKeys(ctx, nodesOf(pages, func(c *graph.ApiKeyConnection) []*graph.ApiKey { return c.Nodes }), elements(ctx, f.Selections))
}

// hangUnits keeps at each object of one account the unit that it points to, nil where it points to none or to a hidden one,
// and reads what is wanted below.
func hangUnits[T any](ctx context.Context, r *Resolver, f graphql.CollectedField, account graph.UUID, objects []*T,
	pointer func(*T) (*graph.Nested, *graph.UUID)) error {
	var wanted []graph.UUID
	for _, o := range objects {
		if _, id := pointer(o); id != nil {
			wanted = append(wanted, *id)
		}
	}
	units, err := r.DB.Units(ctx, viewer(ctx), account, wanted)
	if err != nil {
		return err
	}
	found := make(map[graph.UUID]*graph.Unit, len(units))
	for _, u := range units {
		found[u.UnitID] = u
	}
	for _, o := range objects {
		nested, id := pointer(o)
		var unit *graph.Unit
		if id != nil {
			unit = found[*id]
		}
		nested.Put(f.Field, unit)
	}
	return r.lookUnits(ctx, units, f.Selections)
}

// hangUnitGrants keeps at each of n objects its rules for units, and reads what is wanted below them.
func (r *Resolver) hangUnitGrants(ctx context.Context, f graphql.CollectedField, grants map[graph.UUID][]*graph.UnitGrant, n int,
	object func(i int) (*graph.Nested, graph.UUID)) error {
	var all []*graph.UnitGrant
	for i := range n {
		nested, id := object(i)
		list := grants[id]
		if list == nil {
			list = []*graph.UnitGrant{} // none is not unknown
		}
		nested.Put(f.Field, list)
		all = append(all, list...)
	}
	return r.lookUnitGrants(ctx, all, f.Selections)
}

// lookUnitGrants reads what the selections want below rules for units.
func (r *Resolver) lookUnitGrants(ctx context.Context, grants []*graph.UnitGrant, selections ast.SelectionSet) error {
	return r.lookBelow(ctx, selections, typesOfUnitGrant, map[string][]*graph.User{
		"user": distinct(grants, func(g *graph.UnitGrant) *graph.User { return g.User }),
	}, nil, map[string][]*graph.Unit{
		"unit": distinct(grants, func(g *graph.UnitGrant) *graph.Unit { return g.Unit }),
	})
}

// nested gives what hangs at an object by a key. When nothing does, it is read for this object alone.
func nested[P any](n *graph.Nested, key any, read func() error) (P, error) {
	p, ok := graph.Loaded[P](n, key)
	if ok {
		return p, nil
	}
	err := read()
	p, _ = graph.Loaded[P](n, key)
	return p, err
}

// nestedUnits gives a field of a unit as nested does.
func nestedUnits[P any](ctx context.Context, r *Resolver, u *graph.Unit) (P, error) {
	f := currentField(ctx)
	return nested[P](&u.Nested, f.Field, func() error { return r.lookUnitField(ctx, []*graph.Unit{u}, f) })
}

// nestedUnitPage gives a page below a unit as nested does.
func nestedUnitPage[P any](ctx context.Context, r *Resolver, u *graph.Unit, args graph.PageArgs) (P, error) {
	f := currentField(ctx)
	if _, err := args.Window(graph.ByName); err != nil {
		var none P
		return none, err
	}
	return nested[P](&u.Nested, kept{f.Field, asked(ctx, f.Selections)}, func() error { return r.lookUnitField(ctx, []*graph.Unit{u}, f) })
}

func (r unit) Parent(ctx context.Context, obj *graph.Unit) (*graph.Unit, error) {
	return nestedUnits[*graph.Unit](ctx, r.Resolver, obj)
}

func (r unit) Ancestors(ctx context.Context, obj *graph.Unit) ([]*graph.Unit, error) {
	return nestedUnits[[]*graph.Unit](ctx, r.Resolver, obj)
}

func (r unit) Children(ctx context.Context, obj *graph.Unit, first *int, after *string) (*graph.UnitConnection, error) {
	return nestedUnitPage[*graph.UnitConnection](ctx, r.Resolver, obj, graph.PageArgs{First: first, After: after})
}

func (r unit) APIKeys(ctx context.Context, obj *graph.Unit, first *int, after *string, _ bool) (*graph.ApiKeyConnection, error) {
	return nestedUnitPage[*graph.ApiKeyConnection](ctx, r.Resolver, obj, graph.PageArgs{First: first, After: after})
}

func (r unit) UnitGrants(ctx context.Context, obj *graph.Unit) ([]*graph.UnitGrant, error) {
	return nestedUnits[[]*graph.UnitGrant](ctx, r.Resolver, obj)
}

func (r account) Units(ctx context.Context, obj *graph.Account, first *int, after *string, last *int, before *string,
	parentID *graph.ID) (*graph.UnitConnection, error) {
	w, err := graph.PageArgs{First: first, After: after, Last: last, Before: before}.Window(graph.ByName)
	if err != nil {
		return nil, err
	}
	selections := currentField(ctx).Selections
	page, err := r.DB.UnitsOf(ctx, viewer(ctx), obj.AccountID, w, parentID, asked(ctx, selections))
	if err != nil {
		return nil, err
	}
	return page, r.lookUnits(ctx, page.Nodes, elements(ctx, selections))
}

func (r user) UnitGrants(ctx context.Context, obj *graph.User) ([]*graph.UnitGrant, error) {
	f := currentField(ctx)
	return nested[[]*graph.UnitGrant](&obj.Nested, f.Field, func() error { return r.lookUserField(ctx, []*graph.User{obj}, f) })
}

func (r apiKey) Unit(ctx context.Context, obj *graph.ApiKey) (*graph.Unit, error) {
	f := currentField(ctx)
	return nested[*graph.Unit](&obj.Nested, f.Field, func() error { return r.lookKeyField(ctx, []*graph.ApiKey{obj}, f) })
}

func (r grant) InheritedFrom(ctx context.Context, obj *graph.Grant) (*graph.Unit, error) {
	f := currentField(ctx)
	return nested[*graph.Unit](&obj.Nested, f.Field, func() error { return r.lookGrantField(ctx, []*graph.Grant{obj}, f) })
}

func (r grant) Explanation(ctx context.Context, obj *graph.Grant) ([]*graph.AccessStep, error) {
	f := currentField(ctx)
	return nested[[]*graph.AccessStep](&obj.Nested, f.Field, func() error { return r.lookGrantField(ctx, []*graph.Grant{obj}, f) })
}

func (r grant) UpdatedBy(ctx context.Context, obj *graph.Grant) (graph.Actor, error) {
	f := currentField(ctx)
	by, err := nested[actor](&obj.Nested, f.Field, func() error { return r.lookGrantField(ctx, []*graph.Grant{obj}, f) })
	return by.Actor, err
}

func (r mutation) CreateUnit(ctx context.Context, input graph.CreateUnitInput) (*generated.UnitPayload, error) {
	u, err := r.DB.CreateUnit(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	return &generated.UnitPayload{UserErrors: problems, Unit: u}, err
}

func (r mutation) UpdateUnit(ctx context.Context, input graph.UpdateUnitInput) (*generated.UnitPayload, error) {
	u, err := r.DB.UpdateUnit(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	return &generated.UnitPayload{UserErrors: problems, Unit: u}, err
}

func (r mutation) MoveUnit(ctx context.Context, input graph.MoveUnitInput) (*generated.UnitPayload, error) {
	u, affected, err := r.DB.MoveUnit(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.UnitPayload{UserErrors: problems}, err
	}
	return &generated.UnitPayload{UserErrors: problems, Unit: u, AffectedGrants: &affected}, nil
}

func (r mutation) DeleteUnit(ctx context.Context, input graph.UnitIDInput) (*generated.DeleteUnitPayload, error) {
	id, err := r.DB.DeleteUnit(ctx, viewer(ctx), input.UnitID)
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.DeleteUnitPayload{UserErrors: problems}, err
	}
	return &generated.DeleteUnitPayload{UserErrors: problems, DeletedUnitID: &id}, nil
}
