package resolvers

import (
	"context"

	"grantwood/db"
	"grantwood/graph"
	"grantwood/graph/generated"
)

func (r user) Grants(ctx context.Context, obj *graph.User, first *int, after *string, enabled *bool) (*graph.GrantConnection, error) {
	f := currentField(ctx)
	if page, ok := graph.Loaded[*graph.GrantConnection](&obj.Nested, kept{f.Field, asked(ctx, f.Selections)}); ok {
		return page, nil
	}
	p, err := newNestedPage(ctx, f, graph.PageArgs{First: first, After: after}, enabled, graph.ByCreation)
	if err != nil {
		return nil, err
	}
	pages, err := r.grantsOfUsers(ctx, []*graph.User{obj}, p)
	return pages[obj.UserID], err
}

func (r user) Grant(ctx context.Context, obj *graph.User, keyID graph.ID) (*graph.Grant, error) {
	pairs := []db.Pair{{User: obj.UserID, Key: keyID.In(obj.AccountID, graph.KindKey)}}
	grants, err := r.DB.Grants(ctx, viewer(ctx), obj.AccountID, pairs)
	if err != nil || len(grants) == 0 {
		return nil, err
	}
	return grants[0], r.lookGrants(ctx, grants, currentField(ctx).Selections)
}

func (r mutation) InviteUser(ctx context.Context, input graph.InviteUserInput) (*generated.InviteUserPayload, error) {
	made, err := r.DB.InviteUser(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.InviteUserPayload{UserErrors: problems}, err
	}
	return &generated.InviteUserPayload{UserErrors: problems, Invitation: made.Invitation, Link: &made.Link}, nil
}
