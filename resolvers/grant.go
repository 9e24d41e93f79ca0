package resolvers

import (
	"context"

	"grantwood/db"
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

func (r mutation) SetGrants(ctx context.Context, input graph.SetGrantsInput) (*generated.SetGrantsPayload, error) {
	operation, grants, err := r.DB.SetGrants(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.SetGrantsPayload{UserErrors: problems}, err
	}
	err = r.lookGrants(ctx, grants, below(ctx, currentField(ctx).Selections, nil, "grants"))
	return &generated.SetGrantsPayload{UserErrors: problems, Grants: grants, OperationID: operation}, err
}

func (r mutation) SetAccess(ctx context.Context, input graph.SetAccessInput) (*generated.GrantOperationPayload, error) {
	return operationPayload(r.DB.SetAccess(ctx, viewer(ctx), input))
}

func (r mutation) UndoGrantOperation(ctx context.Context, input graph.UndoGrantOperationInput) (*generated.GrantOperationPayload, error) {
	return operationPayload(r.DB.UndoGrantOperation(ctx, viewer(ctx), input))
}

func operationPayload(done db.GrantOperation, err error) (*generated.GrantOperationPayload, error) {
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.GrantOperationPayload{UserErrors: problems}, err
	}
	return &generated.GrantOperationPayload{UserErrors: problems, OperationID: done.ID, Enabled: &done.Enabled, Disabled: &done.Disabled,
		Matrix: done.Matrix}, nil
}

func (r account) AccessMatrix(ctx context.Context, obj *graph.Account, unitID *graph.ID) (*graph.AccessMatrix, error) {
	return r.DB.AccessMatrix(ctx, viewer(ctx), obj.AccountID, unitID)
}
