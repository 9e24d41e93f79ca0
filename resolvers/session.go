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

func (r mutation) SwitchAccount(ctx context.Context, input graph.SwitchAccountInput) (*generated.SignInPayload, error) {
	s, err := r.DB.SwitchAccount(ctx, viewer(ctx), input.AccountID)
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

func (r mutation) SignOut(ctx context.Context, input graph.SignOutInput) (*generated.SignOutPayload, error) {
	v, signOut := viewer(ctx), r.DB.SignOut
	if input.Everywhere {
		signOut = r.DB.SignOutEverywhere
	}
	ended, err := signOut(ctx, v)
	if err != nil {
		return nil, err
	}
	caller(ctx).ended(v.Request)
	return &generated.SignOutPayload{UserErrors: []graph.UserError{}, EndedSessions: &ended}, nil
}

func (r mutation) RevokeSession(ctx context.Context, input graph.RevokeSessionInput) (*generated.RevokeSessionPayload, error) {
	v := viewer(ctx)
	problems, err := userErrors(r.DB.RevokeSession(ctx, v, input.SessionID))
	if err != nil || len(problems) > 0 {
		return &generated.RevokeSessionPayload{UserErrors: problems}, err
	}
	if input.SessionID.In(v.AccountID(), graph.KindSession) == v.SessionID {
		caller(ctx).ended(v.Request)
	}
	return &generated.RevokeSessionPayload{UserErrors: problems, RevokedSessionID: &input.SessionID}, nil
}

func (r viewerFields) Memberships(ctx context.Context, obj *graph.Viewer) ([]*graph.Membership, error) {
	return r.DB.Memberships(ctx, obj)
}

func (r viewerFields) Sessions(ctx context.Context, obj *graph.Viewer) ([]*graph.Session, error) {
	return r.DB.Sessions(ctx, obj)
}
