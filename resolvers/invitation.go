package resolvers

import (
	"context"

	"grantwood/graph"
	"grantwood/graph/generated"
)

func (r query) InvitationPreview(ctx context.Context, token string) (*graph.InvitationPreview, error) {
	return r.DB.InvitationPreview(ctx, token, viewer(ctx).Request.At)
}

func (r mutation) ResendInvitation(ctx context.Context, input graph.InvitationIDInput) (*generated.InviteUserPayload, error) {
	made, err := r.DB.ResendInvitation(ctx, viewer(ctx), input.InvitationID)
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.InviteUserPayload{UserErrors: problems}, err
	}
	return &generated.InviteUserPayload{UserErrors: problems, Invitation: made.Invitation, Link: &made.Link}, nil
}

func (r mutation) RevokeInvitation(ctx context.Context, input graph.InvitationIDInput) (*generated.InvitationPayload, error) {
	i, err := r.DB.RevokeInvitation(ctx, viewer(ctx), input.InvitationID)
	problems, err := userErrors(err)
	return &generated.InvitationPayload{UserErrors: problems, Invitation: i}, err
}
