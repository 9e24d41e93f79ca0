package db_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"grantwood/db"
	"grantwood/graph"
)

// guesser tries passwords at times and from sources of its choice.
type guesser struct {
	db    *db.DB
	email string
	from  string
	at    time.Time
}

var sources atomic.Int64

// source is a network that nobody has tried from.
func source() string { return fmt.Sprintf("2001:db8:1:%x::1", sources.Add(1)) }

func (g guesser) try(t testing.TB, password string) graph.Code {
	t.Helper()
	_, err := g.db.SignIn(t.Context(), &graph.Viewer{Request: graph.Request{ID: "test", Address: g.from, At: g.at}},
		graph.SignInInput{Email: g.email, Password: password})
	if err == nil {
		return "in"
	}
	return graph.ErrorCode(err)
}

func (g guesser) fail(t testing.TB, times int) {
	t.Helper()
	for i := range times {
		if got := g.try(t, "a wrong password"); got != graph.InvalidCredentials {
			t.Fatalf("try %d: %s", i+1, got)
		}
	}
}

func (g guesser) after(d time.Duration) guesser {
	g.at = g.at.Add(d)
	return g
}

// TestWaitsEnd: whoever has the right password gets in as soon as the wait is over, and then all is forgotten. Somebody
// who is unknown waits alike.
func TestWaitsEnd(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	for _, email := range []string{a.owner.User.Email, <-addresses} {
		for _, from := range []string{"", source()} {
			g := guesser{a.db, email, from, now().At}
			g.fail(t, graph.FreeOfPair)
			if got := g.try(t, "correct horse battery"); got != graph.RateLimited {
				t.Errorf("from %q at once: %s", from, got)
			}
			if got := g.after(2*time.Second-time.Microsecond).try(t, "a wrong password"); got != graph.RateLimited {
				t.Errorf("from %q too early: %s", from, got)
			}
			g.after(2*time.Second).fail(t, 1)
			if got := g.after(5*time.Second).try(t, "a wrong password"); got != graph.RateLimited {
				t.Errorf("from %q, the wait has not doubled: %s", from, got)
			}
			want := graph.Code("in")
			if email != a.owner.User.Email {
				want = graph.InvalidCredentials
			}
			if got := g.after(6*time.Second).try(t, "correct horse battery"); got != want {
				t.Errorf("from %q after the wait: %s, want %s", from, got, want)
			}
			if want == "in" {
				g.after(6*time.Second).fail(t, graph.FreeOfPair) // as if nothing had happened
			}
		}
	}
}

// TestOthersDoNotWait: somebody who guesses from elsewhere does not take the person's turn, unless from very many places.
func TestOthersDoNotWait(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	g := guesser{a.db, a.owner.User.Email, source(), now().At}
	g.fail(t, graph.FreeOfPair)
	home := guesser{a.db, g.email, source(), g.at}
	if got := home.try(t, "correct horse battery"); got != "in" {
		t.Fatalf("the person: %s", got)
	}
	for range graph.FreeOfAddress {
		g.from = source()
		g.fail(t, 1)
	}
	if got := home.try(t, "correct horse battery"); got != graph.RateLimited {
		t.Errorf("after guesses from everywhere: %s", got)
	}
}

// TestOneSourceWaits: a common password tried on everybody.
func TestOneSourceWaits(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	g := guesser{a.db, a.owner.User.Email, source(), now().At}
	for range 5 { // right ones do not count
		if got := g.try(t, "correct horse battery"); got != "in" {
			t.Fatal(got)
		}
	}
	for range graph.FreeOfSource {
		g.email = <-addresses
		g.fail(t, 1)
	}
	g.email = a.owner.User.Email
	if got := g.try(t, "correct horse battery"); got != graph.RateLimited {
		t.Errorf("the next address: %s", got)
	}
	g.from = source()
	if got := g.try(t, "correct horse battery"); got != "in" {
		t.Errorf("from elsewhere: %s", got)
	}
}

// TestManyAtOnceGainNothing: a try counts before its outcome is known.
func TestManyAtOnceGainNothing(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	g := guesser{a.db, a.owner.User.Email, "", now().At}
	var looked atomic.Int64
	var wait sync.WaitGroup
	for range 4 * graph.FreeOfPair {
		wait.Go(func() {
			if g.try(t, "a wrong password") == graph.InvalidCredentials {
				looked.Add(1)
			}
		})
	}
	wait.Wait()
	if looked.Load() != graph.FreeOfPair {
		t.Errorf("%d passwords were looked at", looked.Load())
	}
}
