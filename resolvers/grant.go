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
