package db

import (
	"context"

	"grantwood/graph"
)

// What calls with an idempotency key remember, and how a repeated one is answered: with the objects as they are now.

// repeatedKey is the path of a refusal that concerns the answer to a repeated call.
const repeatedKey = "input.idempotencyKey"

// only gives the one object that a repeated call is answered with; when it is no longer visible, NotFound at the path
// like for every other hidden object.
func only[T any](list []*T, err error, path string) (*T, error) {
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, graph.Missing(path)
	}
	return list[0], nil
}

// keyWithSecret is the answer to a call that issued a secret.
type keyWithSecret struct {
	Key    graph.UUID
	Secret string
}

// keyAgain answers a repeated call with the key as it is now, and the secret that was issued then. NotFound when the key
// is no longer visible.
func (db *DB) keyAgain(ctx context.Context, v *graph.Viewer, answer keyWithSecret, path string) (*graph.ApiKey, string, error) {
	keys, err := db.Keys(ctx, v, v.AccountID(), []graph.UUID{answer.Key})
	key, err := only(keys, err, path)
	if err != nil {
		return nil, "", err
	}
	return key, answer.Secret, nil
}

// createdToken is the answer to a call that made an access token.
type createdToken struct {
	Token graph.UUID
	Text  string
}

// tokenAgain answers a repeated call with the access token as it is now, and its text.
func (db *DB) tokenAgain(ctx context.Context, v *graph.Viewer, answer createdToken) (*graph.AccessToken, string, error) {
	tokens, err := db.AccessTokens(ctx, v, v.AccountID(), []graph.UUID{answer.Token})
	token, err := only(tokens, err, repeatedKey)
	if err != nil {
		return nil, "", err
	}
	return token, answer.Text, nil
}

// sentInvitation is the answer to a call that sent an invitation.
type sentInvitation struct {
	Invitation graph.UUID
	Token      string
}

// invitationAgain answers a repeated call with the invitation as it is now, and the token of that time.
func (db *DB) invitationAgain(ctx context.Context, v *graph.Viewer, account graph.UUID, answer sentInvitation) (NewInvitation, error) {
	list, err := db.Invitations(ctx, v, account, []graph.UUID{answer.Invitation})
	i, err := only(list, err, repeatedKey)
	return NewInvitation{Invitation: i, Token: answer.Token, Link: v.Request.Links.Invitation(answer.Token)}, err
}

// createdAccount is the answer to a call that made an account.
type createdAccount struct {
	Account    graph.UUID
	Invitation sentInvitation
}

// accountAgain answers a repeated call with account and invitation as they are now.
func (db *DB) accountAgain(ctx context.Context, v *graph.Viewer, answer createdAccount) (NewAccount, error) {
	a, err := db.Account(ctx, v, answer.Account)
	if err != nil {
		return NewAccount{}, err
	}
	i, err := db.invitationAgain(ctx, v, answer.Account, answer.Invitation)
	return NewAccount{Account: a, Invitation: i}, err
}
