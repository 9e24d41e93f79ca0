package resolvers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"grantwood/db"
	"grantwood/graph"
	"grantwood/graph/generated"
)

// lookUsage reads what the selections want below usage records.
func (r *Resolver) lookUsage(ctx context.Context, records []*graph.UsageRecord, selections ast.SelectionSet) error {
	return look(ctx, records, selections, typesOfUsage, func(u *graph.UsageRecord) graph.UUID { return u.AccountID }, r.lookUsageField)
}

func (r *Resolver) lookUsageField(ctx context.Context, records []*graph.UsageRecord, f graphql.CollectedField) error {
	if f.Name != "key" {
		return nil
	}
	wanted := map[graph.UUID]bool{}
	for _, u := range records {
		wanted[u.KeyID] = true
	}
	list := make([]graph.UUID, 0, len(wanted))
	for id := range wanted {
		list = append(list, id)
	}
	keys, err := r.DB.Keys(ctx, viewer(ctx), records[0].AccountID, list)
	if err != nil {
		return err
	}
	found := make(map[graph.UUID]*graph.ApiKey, len(keys))
	for _, k := range keys {
		found[k.KeyID] = k
	}
	for _, u := range records {
		u.Nested.Put(f.Field, found[u.KeyID])
	}
	return r.lookKeys(ctx, keys, f.Selections)
}

func (r usageRecord) Key(ctx context.Context, obj *graph.UsageRecord) (*graph.ApiKey, error) {
	f := currentField(ctx)
	return nested[*graph.ApiKey](&obj.Nested, f.Field, func() error { return r.lookUsageField(ctx, []*graph.UsageRecord{obj}, f) })
}

func (r account) Usage(ctx context.Context, obj *graph.Account, first *int, after *string, filter *graph.UsageFilter) (*graph.UsageRecordConnection, error) {
	w, err := graph.PageArgs{First: first, After: after, Most: r.MaxPageSize}.Window(graph.ByTimeDesc)
	if err != nil {
		return nil, err
	}
	selections := currentField(ctx).Selections
	page, err := r.DB.Usage(ctx, viewer(ctx), obj.AccountID, w, given(filter), asked(ctx, selections))
	if err != nil {
		return nil, err
	}
	return page, r.lookUsage(ctx, page.Nodes, elements(ctx, selections))
}

func (r apiKey) Usage(ctx context.Context, obj *graph.ApiKey, first *int, after *string, filter *graph.UsageFilter) (*graph.UsageRecordConnection, error) {
	return usageBelow(ctx, r.Resolver, &obj.Nested, obj, obj.KeyID, graph.PageArgs{First: first, After: after, Most: r.MaxPageSize}, filter, r.DB.UsageOfKeys)
}

func (r unit) Usage(ctx context.Context, obj *graph.Unit, first *int, after *string, filter *graph.UsageFilter) (*graph.UsageRecordConnection, error) {
	return usageBelow(ctx, r.Resolver, &obj.Nested, obj, obj.UnitID, graph.PageArgs{First: first, After: after, Most: r.MaxPageSize}, filter, r.DB.UsageOfUnits)
}

// usageBelow gives the page below one object, read together with those below its siblings.
func usageBelow[P any](ctx context.Context, r *Resolver, n *graph.Nested, object *P, id graph.UUID, args graph.PageArgs, filter *graph.UsageFilter,
	read func(context.Context, *graph.Viewer, []*P, graph.Window, graph.UsageFilter, db.Ask) (map[graph.UUID]*graph.UsageRecordConnection, error)) (*graph.UsageRecordConnection, error) {
	w, err := args.Window(graph.ByTimeDesc)
	if err != nil {
		return nil, err
	}
	f := currentField(ctx)
	ask := asked(ctx, f.Selections)
	return together(n, f.Field, object, id, ask, func(all []*P) (map[graph.UUID]*graph.UsageRecordConnection, error) {
		pages, err := read(ctx, viewer(ctx), all, w, given(filter), ask)
		if err != nil {
			return nil, err
		}
		return pages, r.lookUsage(ctx, nodesOf(pages, func(c *graph.UsageRecordConnection) []*graph.UsageRecord { return c.Nodes }), elements(ctx, f.Selections))
	})
}

func (r query) Products(ctx context.Context) ([]*graph.Product, error) {
	return r.DB.Products(ctx, viewer(ctx))
}

func (r mutation) DefineProduct(ctx context.Context, input graph.DefineProductInput) (*generated.DefineProductPayload, error) {
	product, err := r.DB.DefineProduct(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	return &generated.DefineProductPayload{UserErrors: problems, Product: product}, err
}

func (r mutation) IngestUsage(ctx context.Context, input graph.IngestUsageInput) (*generated.IngestUsagePayload, error) {
	done, err := r.DB.IngestUsage(ctx, viewer(ctx), input.Records, input.Strict)
	if err != nil {
		return nil, err
	}
	if problems := done.Problems(input.Strict); len(problems) > 0 {
		return &generated.IngestUsagePayload{UserErrors: problems, Refused: done.Refused}, nil
	}
	return &generated.IngestUsagePayload{UserErrors: []graph.UserError{}, Accepted: &done.Accepted, Duplicates: &done.Duplicates, Refused: done.Refused}, nil
}
