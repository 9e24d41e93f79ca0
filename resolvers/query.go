package resolvers

import (
	"context"

	"grantwood/graph"
	"grantwood/graph/generated"
)

func (r query) ServerInfo(context.Context) (*generated.ServerInfo, error) {
	return &generated.ServerInfo{Version: r.Version, MaxPageSize: r.MaxPageSize, MaxOperationCost: r.MaxCost}, nil
}

func (r query) Viewer(ctx context.Context) (*graph.Viewer, error) { return viewer(ctx), nil }

func (r query) Account(ctx context.Context, id *graph.ID) (*graph.Account, error) {
	v := viewer(ctx)
	if id == nil {
		return v.Account, nil
	}
	if id.Kind != graph.KindAccount {
		return nil, nil
	}
	return r.DB.Account(ctx, v, id.Account)
}

func (r query) Node(ctx context.Context, id graph.ID) (graph.Node, error) {
	found, err := r.find(ctx, []graph.ID{id})
	return found[id], err
}

func (r query) Nodes(ctx context.Context, ids []*graph.ID) ([]graph.Node, error) {
	wanted := make([]graph.ID, len(ids))
	for i, id := range ids {
		wanted[i] = *id
	}
	found, err := r.find(ctx, wanted)
	list := make([]graph.Node, len(ids))
	for i, id := range wanted {
		list[i] = found[id]
	}
	return list, err
}
