package db_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"grantwood/db"
	"grantwood/graph"
)

func newUUID() (uuid.UUID, error) { return uuid.NewV7() }

// rounds is how often a race is run.
const rounds = 30

// TestNeverMoreKeysThanTheLimit: several people create at once where there is room for two, and delete to make room.
func TestNeverMoreKeysThanTheLimit(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	people := []*graph.Viewer{a.owner, a.user(t, graph.RoleAdministrator), a.user(t, graph.RoleAdministrator)}
	pool := db.Pool(a.db)
	if _, err := pool.ExecContext(t.Context(), `UPDATE accounts SET max_api_keys = 3 WHERE account_id = $1`, a.id); err != nil {
		t.Fatal(err)
	}
	for round := range rounds {
		made := make([]*graph.ApiKey, 6)
		var refused atomic.Int64
		together(len(made), func(i int) {
			k, _, err := a.db.CreateApiKey(t.Context(), people[i%len(people)], graph.CreateApiKeyInput{Name: fmt.Sprint(round, i), Kind: graph.OtherKind})
			switch {
			case err == nil:
				made[i] = k
			case graph.ErrorCode(err) == graph.LimitReached:
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
		var keys int
		if err := pool.GetContext(t.Context(), &keys, `SELECT count(*) FROM api_keys WHERE account_id = $1 AND deleted_at IS NULL`, a.id); err != nil || keys != 3 {
			t.Fatalf("round %d: %d keys where 3 may be (%v)", round, keys, err)
		}
		if refused.Load() != 4 {
			t.Fatalf("round %d: %d were refused, want 4", round, refused.Load())
		}
		for _, k := range made {
			if k == nil {
				continue
			}
			if err := remove(t, a, a.owner, k); err != nil { // makes room
				t.Fatal(err)
			}
		}
	}
}

// TestNeverThreeSecrets: several people rotate with grace at once; one gets a second secret, the others are refused.
func TestNeverThreeSecrets(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	master := must(a.db.MasterKey(t.Context(), a.owner, a.id)).ID()
	people := []*graph.Viewer{a.owner, a.user(t, graph.RoleDeveloper), a.user(t, graph.RoleAdministrator), a.owner}
	for round := range rounds {
		if _, _, err := a.db.RotateApiKeySecret(t.Context(), a.owner, graph.RotateApiKeySecretInput{KeyID: master}); err != nil {
			t.Fatal(err)
		}
		if n := alive(t, a, master); n != 1 {
			t.Fatalf("round %d: %d secrets after a rotation without grace", round, n)
		}
		var done atomic.Int64
		together(len(people), func(i int) {
			_, _, err := a.db.RotateApiKeySecret(t.Context(), people[i], graph.RotateApiKeySecretInput{KeyID: master, GraceMinutes: 10})
			switch {
			case err == nil:
				done.Add(1)
			case code(err) != "INVALID_STATE input.graceMinutes":
				t.Error(err)
			}
		})
		if n := alive(t, a, master); n != 2 || done.Load() != 1 {
			t.Fatalf("round %d: %d secrets work, %d rotations were done", round, n, done.Load())
		}
	}
}

// alive counts the secrets of a key that work.
func alive(t *testing.T, a account, key graph.ID) int {
	t.Helper()
	var n int
	err := db.Pool(a.db).GetContext(t.Context(), &n, `
		SELECT (secret_hash IS NOT NULL)::int + (previous_secret_hash IS NOT NULL AND previous_secret_expires_at > $3)::int
		FROM api_keys WHERE account_id = $1 AND key_id = $2`, a.id, key.Object, now().At)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSecretsEnd: after its grace the older secret makes room for another overlap.
func TestSecretsEnd(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	master := must(a.db.MasterKey(t.Context(), a.owner, a.id)).ID()
	in := graph.RotateApiKeySecretInput{KeyID: master, GraceMinutes: 10}
	for i, step := range []struct {
		minutes int
		want    string
	}{{0, ""}, {1, ""}, {5, "INVALID_STATE input.graceMinutes"}, {10, "INVALID_STATE input.graceMinutes"}, {11, ""}, {20, "INVALID_STATE input.graceMinutes"}} {
		_, _, err := a.db.RotateApiKeySecret(t.Context(), at(a.owner, time.Duration(step.minutes)*time.Minute), in)
		if code(err) != step.want {
			t.Errorf("step %d: %v, want %q", i, err, step.want)
		}
	}
}

// TestDecidedOnce: approved twice, rejected and withdrawn at the same time, a request has one outcome and at most one key.
func TestDecidedOnce(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	o, _, err := a.db.CreateOperator(t.Context(), "Test", graph.ScopeList{graph.ScopeAdmin})
	if err != nil {
		t.Fatal(err)
	}
	provider := &graph.Viewer{Kind: graph.KindOperator, Operator: o, Request: now()}
	admin := a.user(t, graph.RoleAdministrator)
	for round := range rounds {
		q, err := a.db.RequestApiKey(t.Context(), admin, graph.RequestApiKeyInput{Name: fmt.Sprint("Round ", round), Kind: graph.Region, Reason: "x"})
		if err != nil {
			t.Fatal(err)
		}
		decision := graph.DecideKeyRequestInput{KeyRequestID: q.ID()}
		outcomes := make([]graph.KeyRequestStatus, 5)
		together(len(outcomes), func(i int) {
			var made *graph.KeyRequest
			var err error
			switch {
			case i < 3:
				made, err = a.db.ApproveKeyRequest(t.Context(), provider, decision)
			case i == 3 && round%2 == 1:
				made, err = a.db.RejectKeyRequest(t.Context(), provider, decision)
			case i == 4 && round%3 == 1:
				made, err = a.db.CancelKeyRequest(t.Context(), admin, graph.KeyRequestIdInput{KeyRequestID: q.ID()})
			default:
				// The requester changes something of their own, which takes the same locks.
				_, _, err = a.db.CreateApiKey(t.Context(), admin, graph.CreateApiKeyInput{Name: "Own", Kind: graph.Region})
			}
			if err != nil && code(err) != "INVALID_STATE input.keyRequestId" {
				t.Errorf("round %d: %v", round, err)
			}
			if made != nil {
				outcomes[i] = made.Status
			}
		})
		var keys int
		err = db.Pool(a.db).GetContext(t.Context(), &keys, `SELECT count(*) FROM api_keys WHERE account_id = $1 AND name = $2`, a.id, fmt.Sprint("Round ", round))
		after := must(a.db.KeyRequests(t.Context(), a.owner, a.id, []graph.UUID{q.RequestID}))[0]
		if err != nil || keys > 1 || (keys == 1) != (after.Status == graph.KeyRequestApproved) || (after.Key != nil) != (keys == 1) {
			t.Fatalf("round %d: %d keys, the request is %s (%v)", round, keys, after.Status, err)
		}
		for _, s := range outcomes {
			if s != "" && s != after.Status {
				t.Errorf("round %d: answered %s, is %s", round, s, after.Status)
			}
		}
	}
}
