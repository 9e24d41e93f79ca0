package resolvers

import (
	"context"

	"grantwood/db"
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
	reset, err := r.DB.RequestPasswordReset(ctx, viewer(ctx), input.Email)
	if err != nil {
		return nil, err
	}
	r.passwordResetRequested(ctx, reset)
	return &generated.RequestPasswordResetPayload{UserErrors: []graph.UserError{}}, nil
}

// passwordResetRequested is where a link for a new password leaves for whoever has the address: nobody when reset.Known is
// false. What it does must take as long for these.
func (r *Resolver) passwordResetRequested(ctx context.Context, _ db.PasswordReset) {
	r.Log.InfoContext(ctx, "a link for a new password was asked for", "request", viewer(ctx).Request.ID)
}

func (r mutation) ResetPassword(ctx context.Context, input graph.ResetPasswordInput) (*generated.ResetPasswordPayload, error) {
	problems, err := userErrors(r.DB.ResetPassword(ctx, viewer(ctx), input))
	return &generated.ResetPasswordPayload{UserErrors: problems}, err
}
