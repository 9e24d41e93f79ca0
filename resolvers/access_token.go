package resolvers

import (
	"context"

	"grantwood/graph"
	"grantwood/graph/generated"
)

func (r viewerFields) AccessToken(ctx context.Context, obj *graph.Viewer) (*graph.AccessToken, error) {
	if obj.AccessToken == nil {
		return nil, nil
	}
	list, err := r.DB.AccessTokens(ctx, obj, obj.AccountID(), []graph.UUID{obj.AccessToken.TokenID})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], r.lookTokens(ctx, list, currentField(ctx).Selections)
}

func (r query) VerifyAPIKey(ctx context.Context, key, secret string) (*graph.ApiKeyVerification, error) {
	answer, err := r.DB.VerifyApiKey(ctx, viewer(ctx), key, secret)
	return &answer, err
}

func (r mutation) CreateAccessToken(ctx context.Context, input graph.CreateAccessTokenInput) (*generated.CreateAccessTokenPayload, error) {
	token, text, err := r.DB.CreateAccessToken(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.CreateAccessTokenPayload{UserErrors: problems}, err
	}
	return &generated.CreateAccessTokenPayload{UserErrors: problems, Token: &text, AccessToken: token}, nil
}

func (r mutation) RevokeAccessToken(ctx context.Context, input graph.AccessTokenIDInput) (*generated.AccessTokenPayload, error) {
	token, err := r.DB.RevokeAccessToken(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	return &generated.AccessTokenPayload{UserErrors: problems, AccessToken: token}, err
}
