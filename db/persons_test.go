package db_test

import (
	"fmt"
	"sync"
	"testing"

	"grantwood/graph"
)

// TestNoSessionOutlivesItsPassword signs in with a password while a link replaces it: either the sign-in came first and
// its session ended, or it was refused.
func TestNoSessionOutlivesItsPassword(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	old, ended, refused := "correct horse battery", 0, 0
	for i := range 30 {
		reset, err := a.db.RequestPasswordReset(t.Context(), &graph.Viewer{Request: graph.Request{At: now().At.AddDate(0, 0, i)}}, a.owner.User.Email)
		if err != nil {
			t.Fatal(err)
		}
		fresh := fmt.Sprintf("correct horse battery %d", i)
		var token string
		var wait sync.WaitGroup
		wait.Go(func() {
			s, err := a.db.SignIn(t.Context(), &graph.Viewer{Request: now()}, graph.SignInInput{Email: a.owner.User.Email, Password: old})
			switch {
			case err == nil:
				token = s.Token
			case graph.ErrorCode(err) != graph.InvalidCredentials:
				t.Error(err)
			}
		})
		wait.Go(func() {
			if err := a.db.ResetPassword(t.Context(), &graph.Viewer{Request: now()}, graph.ResetPasswordInput{Token: reset.Token, NewPassword: fresh}); err != nil {
				t.Error(err)
			}
		})
		wait.Wait()
		if token == "" {
			refused++
		} else {
			ended++
			if v := must(a.db.Authenticate(t.Context(), token, now())); v.Kind != graph.Nobody {
				t.Fatal("a session outlived its password")
			}
		}
		old = fresh
	}
	t.Logf("%d sessions ended, %d sign-ins refused", ended, refused)
}
