package resolvers

import (
	"context"

	"grantwood/graph"
	"grantwood/graph/generated"
)

func (r account) KeyRequests(ctx context.Context, obj *graph.Account, first *int, after *string,
	status *graph.KeyRequestStatus) (*graph.KeyRequestConnection, error) {
	w, err := graph.PageArgs{First: first, After: after}.Window(graph.ByCreationDes)
	if err != nil {
		return nil, err
	}
	selections := currentField(ctx).Selections
	page, err := r.DB.KeyRequestsOf(ctx, viewer(ctx), obj.AccountID, w, status, asked(ctx, selections))
	if err != nil {
		return nil, err
	}
	return page, r.lookKeyRequests(ctx, page.Nodes, elements(ctx, selections))
}

func (r query) PendingKeyRequests(ctx context.Context, first *int, after *string) (*graph.KeyRequestConnection, error) {
	w, err := graph.PageArgs{First: first, After: after}.Window(graph.ByCreation)
	if err != nil {
		return nil, err
	}
	selections := currentField(ctx).Selections
	page, err := r.DB.PendingKeyRequests(ctx, viewer(ctx), w, asked(ctx, selections))
	if err != nil {
		return nil, err
	}
	return page, r.lookKeyRequests(ctx, page.Nodes, elements(ctx, selections))
}

func (r mutation) RequestAPIKey(ctx context.Context, input graph.RequestApiKeyInput) (*generated.KeyRequestPayload, error) {
	return keyRequestPayload(r.DB.RequestApiKey(ctx, viewer(ctx), input))
}

func (r mutation) CancelKeyRequest(ctx context.Context, input graph.KeyRequestIdInput) (*generated.KeyRequestPayload, error) {
	return keyRequestPayload(r.DB.CancelKeyRequest(ctx, viewer(ctx), input))
}

func (r mutation) ApproveKeyRequest(ctx context.Context, input graph.DecideKeyRequestInput) (*generated.KeyRequestPayload, error) {
	return keyRequestPayload(r.DB.ApproveKeyRequest(ctx, viewer(ctx), input))
}

func (r mutation) RejectKeyRequest(ctx context.Context, input graph.DecideKeyRequestInput) (*generated.KeyRequestPayload, error) {
	return keyRequestPayload(r.DB.RejectKeyRequest(ctx, viewer(ctx), input))
}

func keyRequestPayload(q *graph.KeyRequest, err error) (*generated.KeyRequestPayload, error) {
	problems, err := userErrors(err)
	return &generated.KeyRequestPayload{UserErrors: problems, KeyRequest: q}, err
}
