package resolvers

import (
	"context"

	"grantwood/graph"
	"grantwood/graph/generated"
)

func (r mutation) UpdateProfile(ctx context.Context, input graph.UpdateProfileInput) (*generated.UpdateProfilePayload, error) {
	u, err := r.DB.UpdateProfile(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	return &generated.UpdateProfilePayload{UserErrors: problems, User: u}, err
}

func (r mutation) ChangePassword(ctx context.Context, input graph.ChangePasswordInput) (*generated.ChangePasswordPayload, error) {
	ended, err := r.DB.ChangePassword(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.ChangePasswordPayload{UserErrors: problems}, err
	}
	return &generated.ChangePasswordPayload{UserErrors: problems, EndedSessions: &ended}, nil
}

func (r mutation) RequestPasswordReset(ctx context.Context, input graph.RequestPasswordResetInput) (*generated.RequestPasswordResetPayload, error) {
	if _, err := r.DB.RequestPasswordReset(ctx, viewer(ctx), input.Email); err != nil {
		return nil, err
	}
	return &generated.RequestPasswordResetPayload{UserErrors: []graph.UserError{}}, nil
}

func (r mutation) ResetPassword(ctx context.Context, input graph.ResetPasswordInput) (*generated.ResetPasswordPayload, error) {
	problems, err := userErrors(r.DB.ResetPassword(ctx, viewer(ctx), input))
	return &generated.ResetPasswordPayload{UserErrors: problems}, err
}
