package resolvers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"grantwood/graph"
	"grantwood/graph/generated"
)

// hangThresholds keeps at each of n objects the thresholds on it, and reads what is wanted below them.
func (r *Resolver) hangThresholds(ctx context.Context, f graphql.CollectedField, found map[graph.UUID][]*graph.UsageThreshold, n int,
	object func(i int) (*graph.Nested, graph.UUID)) error {
	var all []*graph.UsageThreshold
	for i := range n {
		nested, id := object(i)
		list := found[id]
		if list == nil {
			list = []*graph.UsageThreshold{} // none is not unknown
		}
		nested.Put(f.Field, list)
		all = append(all, list...)
	}
	return r.lookThresholds(ctx, all, f.Selections)
}

// lookThresholds reads what the selections want below thresholds.
func (r *Resolver) lookThresholds(ctx context.Context, list []*graph.UsageThreshold, selections ast.SelectionSet) error {
	return r.lookBelow(ctx, selections, typesOfThreshold, nil, map[string][]*graph.ApiKey{
		"key": distinct(list, func(t *graph.UsageThreshold) *graph.ApiKey { return t.Key }),
	}, map[string][]*graph.Unit{
		"unit": distinct(list, func(t *graph.UsageThreshold) *graph.Unit { return t.Unit }),
	})
}

func (r apiKey) UsageThresholds(ctx context.Context, obj *graph.ApiKey) ([]*graph.UsageThreshold, error) {
	f := currentField(ctx)
	return nested[[]*graph.UsageThreshold](&obj.Nested, f.Field, func() error { return r.lookKeyField(ctx, []*graph.ApiKey{obj}, f) })
}

func (r unit) UsageThresholds(ctx context.Context, obj *graph.Unit) ([]*graph.UsageThreshold, error) {
	return nestedUnits[[]*graph.UsageThreshold](ctx, r.Resolver, obj)
}

func (r mutation) SetUsageThreshold(ctx context.Context, input graph.SetUsageThresholdInput) (*generated.SetUsageThresholdPayload, error) {
	t, err := r.DB.SetUsageThreshold(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.SetUsageThresholdPayload{UserErrors: problems}, err
	}
	return &generated.SetUsageThresholdPayload{UserErrors: problems, Threshold: t}, nil
}

func (r mutation) RemoveUsageThreshold(ctx context.Context, input graph.RemoveUsageThresholdInput) (*generated.RemoveUsageThresholdPayload, error) {
	id, err := r.DB.RemoveUsageThreshold(ctx, viewer(ctx), input.ThresholdID)
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.RemoveUsageThresholdPayload{UserErrors: problems}, err
	}
	return &generated.RemoveUsageThresholdPayload{UserErrors: problems, RemovedThresholdID: &id}, nil
}
