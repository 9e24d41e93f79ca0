package db_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// TestLookupsAreShared: two run at once, whoever comes then shares one that begins later, with a time that is not before theirs. Other keys
// do not wait, nor does who has no time, and a panic is everybody's error.
func TestLookupsAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := db.NewLookups()
		var reads atomic.Int64
		release := make(chan struct{})
		slow := func(_ context.Context, at time.Time) (int, error) {
			n := int(reads.Add(1))
			<-release
			if at.After(time.Now()) {
				t.Error("a time that is not yet")
			}
			return n, nil
		}
		got := make([]int, 10)
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				asked := time.Now()
				n, err := l.Read(t.Context(), 1, asked, func(ctx context.Context, at time.Time) (int, error) {
					if at.Before(asked) {
						t.Error("a look-up of before the request")
					}
					return slow(ctx, at)
				})
				if got[i] = n; err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(time.Minute)
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.Read(impatient, 1, time.Now(), slow); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who has no time: %v", err)
		}
		if n, err := l.Read(t.Context(), 2, time.Now(), func(context.Context, time.Time) (int, error) { return 7, nil }); n != 7 || err != nil {
			t.Errorf("another key: %d, %v", n, err)
		}
		close(release)
		all.Wait()
		for i, n := range got {
			if want := min(i+1, 3); n != want {
				t.Errorf("caller %d: look-up %d, want %d", i, n, want)
			}
		}
		synctest.Wait()
		if l.Known() != 0 {
			t.Error("keys are kept")
		}
		hold := make(chan struct{})
		var failing atomic.Int64
		fails := func(context.Context, time.Time) (int, error) {
			if <-hold; failing.Add(1) > 2 {
				panic("broken")
			}
			return 0, nil
		}
		for range 2 {
			all.Go(func() { _, _ = l.Read(t.Context(), 3, time.Now(), fails) })
		}
		synctest.Wait()
		all.Go(func() {
			if _, err := l.Read(t.Context(), 3, time.Now(), fails); err == nil {
				t.Error("a panic is no error")
			}
		})
		synctest.Wait()
		close(hold)
		all.Wait()
	})
}

// TestSharedLookupsSeeEveryChange: while many ask with the same token, who asks after it was revoked is refused each time.
func TestSharedLookupsSeeEveryChange(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t)
	label := "Busy " + fmt.Sprint(time.Now().UnixNano())
	_, token, err := d.CreateOperator(t.Context(), label, graph.ScopeList{graph.ScopeVerify})
	if err != nil {
		t.Fatal(err)
	}
	kind := func() graph.PrincipalKind {
		v, err := d.Authenticate(t.Context(), token, graph.Request{At: time.Now()})
		if err != nil {
			t.Error(err)
			return ""
		}
		return v.Kind
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					kind()
				}
			}
		})
	}
	for i := range 40 {
		if k := kind(); k != graph.KindOperator {
			t.Errorf("%d: %q before it is revoked", i, k)
		}
		if _, err := d.RevokeOperators(t.Context(), label); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if k := kind(); k == graph.KindOperator {
				t.Fatalf("%d: a token is good after it was revoked", i)
			}
		}
		if _, err := db.Pool(d).ExecContext(t.Context(), `UPDATE operators SET revoked_at = NULL WHERE label = $1`, label); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	all.Wait()
}
