package resolvers

import (
	"context"

	"grantwood/db"
	"grantwood/graph"
	"grantwood/graph/generated"
)

func (r mutation) SignIn(ctx context.Context, input graph.SignInInput) (*generated.SignInPayload, error) {
	s, err := r.DB.SignIn(ctx, viewer(ctx), input)
	return signedIn(ctx, s, err)
}

func (r mutation) AcceptInvitation(ctx context.Context, input graph.AcceptInvitationInput) (*generated.SignInPayload, error) {
	s, err := r.DB.AcceptInvitation(ctx, viewer(ctx), input)
	return signedIn(ctx, s, err)
}

// signedIn makes the person of a new session the caller and shows its token.
func signedIn(ctx context.Context, s *db.Session, err error) (*generated.SignInPayload, error) {
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.SignInPayload{UserErrors: problems}, err
	}
	caller(ctx).started(s)
	return &generated.SignInPayload{UserErrors: problems, SessionToken: &s.Token, ExpiresAt: &s.ExpiresAt, Viewer: s.Viewer}, nil
}

func (r mutation) SignOut(ctx context.Context) (*generated.SignOutPayload, error) {
	v := viewer(ctx)
	ended, err := r.DB.SignOut(ctx, v)
	if err != nil {
		return nil, err
	}
	caller(ctx).ended(v.Request)
	return &generated.SignOutPayload{UserErrors: []graph.UserError{}, EndedSessions: &ended}, nil
}
