package resolvers

import (
	"context"

	"grantwood/graph"
	"grantwood/graph/generated"
)

func (r mutation) SetUserCapabilities(ctx context.Context, input graph.SetUserCapabilitiesInput) (*generated.UserPayload, error) {
	u, err := r.DB.SetUserCapabilities(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	return &generated.UserPayload{UserErrors: problems, User: u}, err
}

func (r mutation) SetUserStatus(ctx context.Context, input graph.SetUserStatusInput) (*generated.UserPayload, error) {
	u, err := r.DB.SetUserStatus(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	return &generated.UserPayload{UserErrors: problems, User: u}, err
}

func (r mutation) RemoveUser(ctx context.Context, input graph.UserIDInput) (*generated.RemoveUserPayload, error) {
	id, err := r.DB.RemoveUser(ctx, viewer(ctx), input.UserID)
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.RemoveUserPayload{UserErrors: problems}, err
	}
	return &generated.RemoveUserPayload{UserErrors: problems, RemovedUserID: &id}, nil
}

func (r mutation) TransferOwnership(ctx context.Context, input graph.TransferOwnershipInput) (*generated.TransferOwnershipPayload, error) {
	a, err := r.DB.TransferOwnership(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	return &generated.TransferOwnershipPayload{UserErrors: problems, Account: a}, err
}
