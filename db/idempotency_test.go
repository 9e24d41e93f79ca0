package db_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"grantwood/db"
	"grantwood/graph"
)

func ptr[T any](v T) *T { return &v }

// at gives the viewer as they are some time later.
func at(v *graph.Viewer, later time.Duration) *graph.Viewer {
	c := *v
	c.Request.At = c.Request.At.Add(later)
	return &c
}

// code is the code of a refusal with its path; empty when there was none.
func code(err error) string {
	if e, ok := errors.AsType[*graph.Error](err); ok {
		return string(e.Code) + " " + strings.Join(e.Path, ".")
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// TestAnswersAreKeptADay: the same answer within a day, a new one afterwards; and what is over is swept.
func TestAnswersAreKeptADay(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	in := graph.CreateApiKeyInput{Name: "Europe", Kind: graph.Region, IdempotencyKey: ptr("a repeated key")}
	create := func(v *graph.Viewer, in graph.CreateApiKeyInput) (graph.UUID, string) {
		t.Helper()
		k, secret, err := a.db.CreateApiKey(t.Context(), v, in)
		if err != nil {
			t.Fatal(err)
		}
		return k.KeyID, secret
	}
	day := 24 * time.Hour
	id, secret := create(a.owner, in)
	for _, later := range []time.Duration{0, -time.Minute, day - time.Microsecond} {
		if again, shown := create(at(a.owner, later), in); again != id || shown != secret {
			t.Errorf("after %v: another answer", later)
		}
	}
	other := in
	other.IdempotencyKey = ptr("another key")
	create(a.owner, other)
	if next, shown := create(at(a.owner, day), in); next == id || shown == secret {
		t.Error("after a day: the same answer")
	}
	var records int
	err := db.Pool(a.db).GetContext(t.Context(), &records, `SELECT count(*) FROM idempotency_keys WHERE account_id = $1`, a.id)
	if err != nil || records != 1 {
		t.Errorf("%d records are left, want the one that is not over: %v", records, err)
	}
}

// TestStolenRecordsBetrayNothing: neither the secret nor the idempotency key is in what is stored.
func TestStolenRecordsBetrayNothing(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	key := "an idempotency key"
	_, secret, err := a.db.CreateApiKey(t.Context(), a.owner, graph.CreateApiKeyInput{Name: "Europe", Kind: graph.Region, IdempotencyKey: &key})
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct{ Record []byte }
	err = db.Pool(a.db).SelectContext(t.Context(), &rows, `
		SELECT key_hash || input_hash || answer AS record FROM idempotency_keys WHERE account_id = $1`, a.id)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d records: %v", len(rows), err)
	}
	for _, trace := range []string{secret, key, "Europe", "Secret"} {
		if bytes.Contains(rows[0].Record, []byte(trace)) {
			t.Errorf("the record holds %s", trace)
		}
	}
}

// TestRepeatsByOthers: an idempotency key means something for one caller and one mutation only.
func TestRepeatsByOthers(t *testing.T) {
	t.Parallel()
	a, b := newAccount(t), newAccount(t)
	admin := a.user(t, graph.RoleAdministrator)
	in := graph.CreateApiKeyInput{Name: "Europe", Kind: graph.Region, IdempotencyKey: ptr("a common key")}
	secrets := map[string]bool{}
	for _, v := range []*graph.Viewer{a.owner, admin, b.owner} {
		_, secret, err := a.db.CreateApiKey(t.Context(), v, in)
		if err != nil {
			t.Fatal(err)
		}
		secrets[secret] = true
	}
	if len(secrets) != 3 {
		t.Errorf("three callers got %d secrets", len(secrets))
	}
	_, err := a.db.RequestApiKey(t.Context(), a.owner, graph.RequestApiKeyInput{Name: "Europe", Kind: graph.Region, Reason: "x", IdempotencyKey: in.IdempotencyKey})
	if err != nil {
		t.Errorf("another mutation: %v", err)
	}
	in.Kind = graph.Application
	if _, _, err := a.db.CreateApiKey(t.Context(), a.owner, in); code(err) != "IDEMPOTENCY_MISMATCH input.idempotencyKey" {
		t.Errorf("other input: %v", err)
	}
}

// TestRepeatAfterHiding: who no longer sees the key gets neither it nor the secret again.
func TestRepeatAfterHiding(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	admin := a.user(t, graph.RoleAdministrator)
	create := graph.CreateApiKeyInput{Name: "Europe", Kind: graph.Region, IdempotencyKey: ptr("a repeated key")}
	k, _, err := a.db.CreateApiKey(t.Context(), admin, create)
	if err != nil {
		t.Fatal(err)
	}
	rotate := graph.RotateApiKeySecretInput{KeyID: k.ID(), IdempotencyKey: ptr("a repeated key")}
	if _, _, err := a.db.RotateApiKeySecret(t.Context(), admin, rotate); err != nil {
		t.Fatal(err)
	}
	_, err = a.db.SetGrant(t.Context(), a.owner, graph.SetGrantInput{UserID: admin.User.ID(), KeyID: k.ID(), State: graph.GrantDisabled})
	if err != nil {
		t.Fatal(err)
	}
	if k, secret, err := a.db.CreateApiKey(t.Context(), admin, create); code(err) != "NOT_FOUND input.idempotencyKey" || k != nil || secret != "" {
		t.Errorf("create: %v %q %v", k, secret, err)
	}
	if k, secret, err := a.db.RotateApiKeySecret(t.Context(), admin, rotate); code(err) != "NOT_FOUND input.keyId" || k != nil || secret != "" {
		t.Errorf("rotate: %v %q %v", k, secret, err)
	}
}

// TestRefusalsAreNotKept: the key of a refused call is free.
func TestRefusalsAreNotKept(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	in := graph.RotateApiKeySecretInput{KeyID: a.owner.User.ID(), IdempotencyKey: ptr("a repeated key")}
	if _, _, err := a.db.RotateApiKeySecret(t.Context(), a.owner, in); code(err) != "NOT_FOUND input.keyId" {
		t.Fatal(err)
	}
	in.KeyID = must(a.db.MasterKey(t.Context(), a.owner, a.id)).ID()
	if _, _, err := a.db.RotateApiKeySecret(t.Context(), a.owner, in); err != nil {
		t.Error(err)
	}
}

// together runs do several times at once.
func together(n int, do func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	all.Wait()
}

// TestRepeatsAtTheSameTime: one of them does it, all give its answer.
func TestRepeatsAtTheSameTime(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	admin := a.user(t, graph.RoleAdministrator)
	o, _, err := a.db.CreateOperator(t.Context(), "Test", graph.ScopeList{graph.ScopeAdmin})
	if err != nil {
		t.Fatal(err)
	}
	provider := &graph.Viewer{Kind: graph.KindOperator, Operator: o, Request: now()}
	role := graph.RoleReporting
	for range 30 {
		key := ptr(graph.UUID(must(newUUID())).String())
		email := <-addresses
		for name, do := range map[string]func() (string, error){
			"create": func() (string, error) {
				k, secret, err := a.db.CreateApiKey(t.Context(), admin, graph.CreateApiKeyInput{Name: "X", Kind: graph.Region, IdempotencyKey: key})
				if err != nil {
					return "", err
				}
				return k.ID().String() + secret, remove(t, a, admin, k)
			},
			"request": func() (string, error) {
				q, err := a.db.RequestApiKey(t.Context(), admin, graph.RequestApiKeyInput{Name: "X", Kind: graph.Region, Reason: "x", IdempotencyKey: key})
				if err != nil {
					return "", err
				}
				_, err = a.db.CancelKeyRequest(t.Context(), admin, graph.KeyRequestIdInput{KeyRequestID: q.ID()})
				return q.ID().String(), err
			},
			"rotate": func() (string, error) {
				k, secret, err := a.db.RotateApiKeySecret(t.Context(), admin, graph.RotateApiKeySecretInput{
					KeyID: graph.ID{Kind: graph.KindKey, Account: a.id, Object: must(a.db.MasterKey(t.Context(), a.owner, a.id)).KeyID}, IdempotencyKey: key})
				if err != nil {
					return "", err
				}
				return k.ID().String() + secret, nil
			},
			"invite": func() (string, error) {
				made, err := a.db.InviteUser(t.Context(), admin, graph.InviteUserInput{Email: email, Access: graph.AccessInput{Role: &role}, ValidDays: 1, IdempotencyKey: key})
				if err != nil {
					return "", err
				}
				return made.Invitation.ID().String() + made.Token, nil
			},
			"account": func() (string, error) {
				made, err := a.db.CreateAccount(t.Context(), provider, graph.CreateAccountInput{Name: "X", Currency: "EUR", PrimaryEmail: email, IdempotencyKey: key})
				if err != nil {
					return "", err
				}
				return made.Account.ID().String() + made.Invitation.Token, nil
			},
		} {
			answers := make([]string, 4)
			together(len(answers), func(i int) {
				answer, err := do()
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				answers[i] = answer
			})
			for _, answer := range answers {
				if answer != answers[0] {
					t.Errorf("%s: %q", name, answers)
				}
			}
		}
	}
}

func remove(t *testing.T, a account, v *graph.Viewer, k *graph.ApiKey) error {
	_, err := a.db.DeleteApiKey(t.Context(), v, graph.ApiKeyIdInput{KeyID: k.ID()})
	return err
}
