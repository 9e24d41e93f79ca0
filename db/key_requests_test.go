package db_test

import (
	"testing"

	"grantwood/db"
	"grantwood/graph"
)

// TestApprovedFor: who asked gets a grant for the new key only as an active additional user; the key is made anyway.
func TestApprovedFor(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	o, _, err := a.db.CreateOperator(t.Context(), "Test", graph.ScopeList{graph.ScopeAdmin})
	if err != nil {
		t.Fatal(err)
	}
	provider := &graph.Viewer{Kind: graph.KindOperator, Operator: o, Request: now()}
	active, disabled, gone := a.user(t, graph.RoleAdministrator), a.user(t, graph.RoleAdministrator), a.user(t, graph.RoleAdministrator)
	for _, row := range []struct {
		name     string
		v        *graph.Viewer
		after    string // what happens to who asked
		granted  int
		stillHas bool // the requester is named
	}{
		{"active", active, ``, 1, true},
		{"primary", a.owner, ``, 0, true},
		{"disabled", disabled, `UPDATE users SET status = 'DISABLED' WHERE account_id = $1 AND user_id = $2`, 0, true},
		{"gone", gone, `DELETE FROM users WHERE account_id = $1 AND user_id = $2`, 0, false},
	} {
		q, err := a.db.RequestApiKey(t.Context(), row.v, graph.RequestApiKeyInput{Name: row.name, Kind: graph.Region, Reason: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if row.after != "" {
			if _, err := db.Pool(a.db).ExecContext(t.Context(), row.after, a.id, row.v.UserID()); err != nil {
				t.Fatal(err)
			}
		}
		q, err = a.db.ApproveKeyRequest(t.Context(), provider, graph.DecideKeyRequestInput{KeyRequestID: q.ID()})
		if err != nil || q.Key == nil || q.Key.HasSecret() || (q.RequestedBy != nil) != row.stillHas {
			t.Fatalf("%s: %+v, %v", row.name, q, err)
		}
		var granted int
		err = db.Pool(a.db).GetContext(t.Context(), &granted, `
			SELECT count(*) FROM grants WHERE account_id = $1 AND key_id = $2 AND enabled AND updated_by IS NULL`, a.id, q.Key.KeyID)
		if err != nil || granted != row.granted {
			t.Errorf("%s: %d grants, want %d (%v)", row.name, granted, row.granted, err)
		}
	}
}

// TestSuspendedAccount: nothing about keys changes in a suspended account, not even by a repeat; the provider may decide.
func TestSuspendedAccount(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	master := must(a.db.MasterKey(t.Context(), a.owner, a.id)).ID()
	rotate := graph.RotateApiKeySecretInput{KeyID: master, IdempotencyKey: ptr("a repeated key")}
	must(a.db.RequestApiKey(t.Context(), a.owner, graph.RequestApiKeyInput{Name: "X", Kind: graph.Region, Reason: "x"}))
	if _, _, err := a.db.RotateApiKeySecret(t.Context(), a.owner, rotate); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Pool(a.db).ExecContext(t.Context(), `UPDATE accounts SET status = 'SUSPENDED' WHERE account_id = $1`, a.id); err != nil {
		t.Fatal(err)
	}
	_, _, rotated := a.db.RotateApiKeySecret(t.Context(), a.owner, rotate)
	_, updated := a.db.UpdateApiKey(t.Context(), a.owner, graph.UpdateApiKeyInput{KeyID: master})
	_, deleted := a.db.DeleteApiKey(t.Context(), a.owner, graph.ApiKeyIdInput{KeyID: master})
	_, requested := a.db.RequestApiKey(t.Context(), a.owner, graph.RequestApiKeyInput{Name: "X", Kind: graph.Region, Reason: "x"})
	_, cancelled := a.db.CancelKeyRequest(t.Context(), a.owner, graph.KeyRequestIdInput{})
	for i, err := range []error{rotated, updated, deleted, requested, cancelled} {
		if graph.ErrorCode(err) != graph.AccountSuspended {
			t.Errorf("change %d: %v", i, err)
		}
	}
}

// TestWaitingRequestsAreLimited: so that nobody fills the provider's desk; a withdrawn one makes room.
func TestWaitingRequestsAreLimited(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	in := graph.RequestApiKeyInput{Name: "X", Kind: graph.Region, Reason: "x"}
	var last *graph.KeyRequest
	for range graph.MaxPendingKeyRequests {
		last = must(a.db.RequestApiKey(t.Context(), a.owner, in))
	}
	if _, err := a.db.RequestApiKey(t.Context(), a.owner, in); graph.ErrorCode(err) != graph.LimitReached {
		t.Errorf("one too many: %v", err)
	}
	must(a.db.CancelKeyRequest(t.Context(), a.owner, graph.KeyRequestIdInput{KeyRequestID: last.ID()}))
	must(a.db.RequestApiKey(t.Context(), a.owner, in))
}
