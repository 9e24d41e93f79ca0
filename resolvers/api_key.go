package resolvers

import (
	"context"
	"time"

	"grantwood/graph"
	"grantwood/graph/generated"
)

func (r apiKey) ViewerGrant(ctx context.Context, obj *graph.ApiKey) (*graph.Grant, error) {
	f := currentField(ctx)
	if grant, ok := graph.Loaded[*graph.Grant](&obj.Nested, f.Field); ok {
		return grant, nil
	}
	own, err := r.ownGrants(ctx, []*graph.ApiKey{obj}, f.Selections)
	return own[obj.KeyID], err
}

func (r apiKey) PreviousSecretExpiresAt(ctx context.Context, obj *graph.ApiKey) (*time.Time, error) {
	return obj.PreviousSecretEnd(viewer(ctx).Request.At), nil
}

func (r apiKey) ViewerCanManage(ctx context.Context, obj *graph.ApiKey) (bool, error) {
	return viewer(ctx).CanManage(obj), nil
}

func (r apiKey) Grants(ctx context.Context, obj *graph.ApiKey, first *int, after *string, enabled *bool) (*graph.GrantConnection, error) {
	f := currentField(ctx)
	if page, ok := graph.Loaded[*graph.GrantConnection](&obj.Nested, kept{f.Field, asked(ctx, f.Selections)}); ok {
		return page, nil
	}
	p, err := newNestedPage(ctx, f, graph.PageArgs{First: first, After: after}, enabled, graph.ByCreation)
	if err != nil {
		return nil, err
	}
	pages, err := r.grantsOfKeys(ctx, []*graph.ApiKey{obj}, p)
	return pages[obj.KeyID], err
}

func (r mutation) CreateAPIKey(ctx context.Context, input graph.CreateApiKeyInput) (*generated.CreateAPIKeyPayload, error) {
	key, secret, err := r.DB.CreateApiKey(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.CreateAPIKeyPayload{UserErrors: problems}, err
	}
	return &generated.CreateAPIKeyPayload{UserErrors: problems, Secret: &secret, Key: key}, nil
}

func (r mutation) SetAPIKeyEnabled(ctx context.Context, input graph.SetApiKeyEnabledInput) (*generated.APIKeyPayload, error) {
	key, err := r.DB.SetApiKeyEnabled(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	return &generated.APIKeyPayload{UserErrors: problems, Key: key}, err
}

func (r mutation) UpdateAPIKey(ctx context.Context, input graph.UpdateApiKeyInput) (*generated.APIKeyPayload, error) {
	key, err := r.DB.UpdateApiKey(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	return &generated.APIKeyPayload{UserErrors: problems, Key: key}, err
}

func (r mutation) MoveAPIKey(ctx context.Context, input graph.MoveApiKeyInput) (*generated.APIKeyPayload, error) {
	key, err := r.DB.MoveApiKey(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	return &generated.APIKeyPayload{UserErrors: problems, Key: key}, err
}

func (r mutation) DeleteAPIKey(ctx context.Context, input graph.ApiKeyIdInput) (*generated.APIKeyPayload, error) {
	key, err := r.DB.DeleteApiKey(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	return &generated.APIKeyPayload{UserErrors: problems, Key: key}, err
}

func (r mutation) RotateAPIKeySecret(ctx context.Context, input graph.RotateApiKeySecretInput) (*generated.RotateAPIKeySecretPayload, error) {
	key, secret, err := r.DB.RotateApiKeySecret(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.RotateAPIKeySecretPayload{UserErrors: problems}, err
	}
	return &generated.RotateAPIKeySecretPayload{UserErrors: problems, Secret: &secret, Key: key}, nil
}
