package resolvers

import (
	"context"

	"grantwood/graph"
	"grantwood/graph/generated"
)

func (r mutation) SetGrant(ctx context.Context, input graph.SetGrantInput) (*generated.SetGrantPayload, error) {
	grant, err := r.DB.SetGrant(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	return &generated.SetGrantPayload{UserErrors: problems, Grant: grant}, err
}

func (r mutation) SetUnitGrant(ctx context.Context, input graph.SetUnitGrantInput) (*generated.SetUnitGrantPayload, error) {
	made, err := r.DB.SetUnitGrant(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.SetUnitGrantPayload{UserErrors: problems}, err
	}
	return &generated.SetUnitGrantPayload{UserErrors: problems, UnitGrant: made.Grant, AffectedKeys: &made.Affected}, nil
}
