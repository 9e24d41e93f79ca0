package resolvers

import (
	"context"

	"grantwood/graph"
	"grantwood/graph/generated"
)

// order gives the order of a list by a field's name and direction.
func order(byName bool, d graph.OrderDirection) graph.Order {
	switch {
	case byName && d == graph.Descending:
		return graph.ByNameDesc
	case byName:
		return graph.ByName
	case d == graph.Descending:
		return graph.ByCreationDes
	}
	return graph.ByCreation
}

// given is the value of an optional filter: the empty one when nothing was given.
func given[T any](filter *T) T {
	if filter == nil {
		var none T
		return none
	}
	return *filter
}

func (r account) PrimaryUser(ctx context.Context, obj *graph.Account) (*graph.User, error) {
	if owner, ok := graph.Loaded[*graph.User](&obj.Nested, currentField(ctx).Field); ok {
		return owner, nil
	}
	return r.DB.PrimaryUser(ctx, viewer(ctx), obj.AccountID)
}

func (r account) Users(ctx context.Context, obj *graph.Account, first *int, after *string, last *int, before *string,
	filter *graph.UserFilter, orderBy generated.UserOrder) (*graph.UserConnection, error) {
	w, err := graph.PageArgs{First: first, After: after, Last: last, Before: before}.
		Window(order(orderBy.Field == generated.UserOrderFieldName, orderBy.Direction))
	if err != nil {
		return nil, err
	}
	selections := currentField(ctx).Selections
	page, err := r.DB.UsersOf(ctx, viewer(ctx), obj.AccountID, w, given(filter), asked(ctx, selections))
	if err != nil {
		return nil, err
	}
	return page, r.lookUsers(ctx, page.Nodes, elements(ctx, selections))
}

func (r account) MasterKey(ctx context.Context, obj *graph.Account) (*graph.ApiKey, error) {
	if key, ok := graph.Loaded[*graph.ApiKey](&obj.Nested, currentField(ctx).Field); ok {
		return key, nil
	}
	return r.DB.MasterKey(ctx, viewer(ctx), obj.AccountID)
}

func (r account) APIKeys(ctx context.Context, obj *graph.Account, first *int, after *string, last *int, before *string,
	filter *graph.ApiKeyFilter, orderBy generated.APIKeyOrder) (*graph.ApiKeyConnection, error) {
	w, err := graph.PageArgs{First: first, After: after, Last: last, Before: before}.
		Window(order(orderBy.Field == generated.APIKeyOrderFieldName, orderBy.Direction))
	if err != nil {
		return nil, err
	}
	selections := currentField(ctx).Selections
	page, err := r.DB.KeysOf(ctx, viewer(ctx), obj.AccountID, w, given(filter), asked(ctx, selections))
	if err != nil {
		return nil, err
	}
	return page, r.lookKeys(ctx, page.Nodes, elements(ctx, selections))
}

func (r account) Grants(ctx context.Context, obj *graph.Account, first *int, after *string, filter *graph.GrantFilter) (*graph.GrantConnection, error) {
	w, err := graph.PageArgs{First: first, After: after}.Window(graph.ByUserAndKey)
	if err != nil {
		return nil, err
	}
	selections := currentField(ctx).Selections
	page, err := r.DB.GrantsOf(ctx, viewer(ctx), obj.AccountID, w, given(filter), asked(ctx, selections))
	if err != nil {
		return nil, err
	}
	return page, r.lookGrants(ctx, page.Nodes, elements(ctx, selections))
}

func (r account) Invitations(ctx context.Context, obj *graph.Account, first *int, after *string,
	status *graph.InvitationStatus) (*graph.InvitationConnection, error) {
	w, err := graph.PageArgs{First: first, After: after}.Window(graph.ByCreationDes)
	if err != nil {
		return nil, err
	}
	selections := currentField(ctx).Selections
	page, err := r.DB.InvitationsOf(ctx, viewer(ctx), obj.AccountID, w, status, asked(ctx, selections))
	if err != nil {
		return nil, err
	}
	return page, r.lookInvitations(ctx, page.Nodes, elements(ctx, selections))
}

func (r account) AuditEvents(ctx context.Context, obj *graph.Account, first *int, after *string,
	filter *graph.AuditEventFilter) (*graph.AuditEventConnection, error) {
	w, err := graph.PageArgs{First: first, After: after}.Window(graph.ByCreationDes)
	if err != nil {
		return nil, err
	}
	selections := currentField(ctx).Selections
	page, err := r.DB.AuditEventsOf(ctx, viewer(ctx), obj.AccountID, w, given(filter), asked(ctx, selections))
	if err != nil {
		return nil, err
	}
	return page, r.lookEvents(ctx, page.Nodes, elements(ctx, selections))
}

func (r account) AccessTokens(ctx context.Context, obj *graph.Account, first *int, after *string) (*graph.AccessTokenConnection, error) {
	w, err := graph.PageArgs{First: first, After: after}.Window(graph.ByCreationDes)
	if err != nil {
		return nil, err
	}
	selections := currentField(ctx).Selections
	page, err := r.DB.AccessTokensOf(ctx, viewer(ctx), obj.AccountID, w, asked(ctx, selections))
	if err != nil {
		return nil, err
	}
	return page, r.lookTokens(ctx, page.Nodes, elements(ctx, selections))
}

func (r query) Accounts(ctx context.Context, first *int, after *string, search *string) (*graph.AccountConnection, error) {
	w, err := graph.PageArgs{First: first, After: after}.Window(graph.ByName)
	if err != nil {
		return nil, err
	}
	selections := currentField(ctx).Selections
	page, err := r.DB.Accounts(ctx, viewer(ctx), w, search, asked(ctx, selections))
	if err != nil {
		return nil, err
	}
	return page, r.lookAccounts(ctx, page.Nodes, elements(ctx, selections))
}

func (r mutation) UpdateAccount(ctx context.Context, input graph.UpdateAccountInput) (*generated.AccountPayload, error) {
	a, err := r.DB.UpdateAccount(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.AccountPayload{UserErrors: problems}, err
	}
	return &generated.AccountPayload{UserErrors: problems, Account: a}, nil
}

func (r mutation) CreateAccount(ctx context.Context, input graph.CreateAccountInput) (*generated.CreateAccountPayload, error) {
	made, err := r.DB.CreateAccount(ctx, viewer(ctx), input)
	problems, err := userErrors(err)
	if err != nil || len(problems) > 0 {
		return &generated.CreateAccountPayload{UserErrors: problems}, err
	}
	return &generated.CreateAccountPayload{UserErrors: problems, Account: made.Account, Invitation: made.Invitation.Invitation,
		Link: &made.Invitation.Link}, nil
}
