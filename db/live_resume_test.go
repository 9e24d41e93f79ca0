package db_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// heardUntil gives what a subscription tells, in words and with its IDs, until there is nothing more for a while, or so many events.
func (e *ear) heardUntil(t testing.TB, most int) (words []string) {
	t.Helper()
	for len(words) < most {
		ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
		_, x, err := e.Next(ctx)
		late := ctx.Err() != nil
		cancel()
		if err != nil && late {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		words = append(words, e.word(x)+" "+e.last.String())
	}
	return words
}

// budget is how long properties that wait are tried.
const budget = 20 * time.Second

// TestResume: whoever breaks off and goes on, again and again and wherever, hears what somebody hears who stays: nothing is lost and
// nothing comes twice. The broken subscriptions go through another process, whose memory is short.
func TestResume(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	other := dbtest.OpenNamed(t, dbtest.SharedName())
	db.BoundLive(other, 3, time.Minute)
	heard := 0
	defer func() {
		if heard == 0 {
			t.Error("nothing was ever heard")
		}
	}()
	begin := time.Now()
	rapid.Check(t, func(r *rapid.T) {
		if time.Since(begin) > budget { // it waits for silence
			return
		}
		q := rapid.SampledFrom([]db.LiveQuery{grantsOf, keysOf}).Draw(r, "topic")
		v := rapid.SampledFrom([]*graph.Viewer{s.owner, s.admin}).Draw(r, "viewer")
		stays := s.listen(t, s.db, v, q, s.names)
		breaks := s.listen(t, other, v, q, s.names)
		var want, got []string
		for range rapid.IntRange(1, 4).Draw(r, "rounds") {
			for range rapid.IntRange(1, 5).Draw(r, "changes") {
				switch rapid.IntRange(0, 2).Draw(r, "change") {
				case 0:
					s.toggle(t, s.db, rapid.SampledFrom([]string{"A", "B", "C", "D"}).Draw(r, "key"), rapid.Bool().Draw(r, "enabled"))
				case 1:
					s.set(t, s.reporter, rapid.SampledFrom([]string{"A", "B", "C", "D"}).Draw(r, "key"), rapid.SampledFrom([]graph.GrantState{graph.GrantEnabled, graph.GrantDisabled}).Draw(r, "state"))
				case 2:
					s.owner.Request = now()
					_, err := s.db.SetAccess(t.Context(), s.owner, graph.SetAccessInput{UserIds: []graph.ID{s.reporter.User.ID()},
						KeyIds: []graph.ID{s.keys["A"].ID(), s.keys["B"].ID(), s.keys["C"].ID()},
						State:  rapid.SampledFrom([]graph.GrantState{graph.GrantEnabled, graph.GrantDisabled}).Draw(r, "state")})
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			want = append(want, stays.heardUntil(t, 1000)...)
			got = append(got, breaks.heardUntil(t, rapid.IntRange(0, 4).Draw(r, "most"))...)
			if breaks.last != nil {
				after := breaks.last
				breaks = s.listen(t, other, v, db.LiveQuery{Topic: q.Topic, After: after}, s.names)
				breaks.last = after
			}
		}
		got = append(got, breaks.heardUntil(t, 1000)...)
		heard += len(want)
		// Events show how things are when they are sent: what is compared is which events these are.
		if diff := gocmp.Diff(ids(want), ids(got)); diff != "" {
			r.Fatalf("%s\nheard by who stayed, and by who broke off:\n%s\n%v\n%v", q.Topic, diff, want, got)
		}
	})
}

func ids(words []string) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = w[len(w)-graphIDLength:]
	}
	return list
}

var graphIDLength = len(graph.LiveEventID(graph.UUID{}, graph.UUID{}, graph.UUID{}, graph.UUID{}).String())

// TestResumeUsage does the same for usage, which is gathered: the sums of all that is heard are those of all that arrived.
func TestResumeUsage(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	meter := provider(t, s.db)
	n := 0
	begin := time.Now()
	rapid.Check(t, func(r *rapid.T) {
		if time.Since(begin) > budget { // it waits for silence
			return
		}
		v := rapid.SampledFrom([]*graph.Viewer{s.owner, s.admin}).Draw(r, "viewer")
		e := s.listen(t, s.db, v, usageOf, s.names)
		want, got, seen := map[string]int64{}, map[string]int64{}, map[graph.UUID]bool{}
		take := func(most int) {
			for range most {
				ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
				_, x, err := e.Next(ctx)
				late := ctx.Err() != nil
				cancel()
				if err != nil {
					if !late {
						t.Fatal(err)
					}
					return
				}
				u := x.(*graph.UsageAddedEvent)
				e.last = &u.EventID
				got[s.names[u.Key.KeyID]] += u.Totals.Records
				for _, record := range u.Records {
					if seen[record.RecordID] {
						r.Fatalf("a record came twice")
					}
					seen[record.RecordID] = true
				}
			}
		}
		for range rapid.IntRange(1, 3).Draw(r, "rounds") {
			for range rapid.IntRange(1, 4).Draw(r, "batches") {
				var batch []*graph.UsageRecordInput
				for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"A", "B", "C"}), 1, 3, rapid.ID[string]).Draw(r, "keys") {
					n++
					batch = append(batch, &graph.UsageRecordInput{Key: s.keys[key].Key, Reference: fmt.Sprint("r", n), Product: "SMS", Quantity: 1, Country: "DE", Status: graph.UsageSucceeded, OccurredAt: time.Now()})
					if key != "C" || v == s.owner {
						want[key]++
					}
				}
				meter.Request = now()
				if done, err := s.db.IngestUsage(t.Context(), meter, batch, true); err != nil || done.Accepted != len(batch) {
					t.Fatal(done, err)
				}
			}
			take(rapid.IntRange(0, 3).Draw(r, "most"))
			if e.last != nil {
				after := e.last
				e = s.listen(t, s.db, v, db.LiveQuery{Topic: db.TopicUsage, After: after}, s.names)
				e.last = after
			}
		}
		take(1000)
		if diff := gocmp.Diff(want, got); diff != "" {
			r.Fatalf("records that arrived, and that were heard of:\n%s", diff)
		}
	})
}

// TestNotAfter: what one cannot go on after gets one answer, whatever is wrong with it.
func TestNotAfter(t *testing.T) {
	t.Parallel()
	s, foreign := newScene(t), newScene(t)
	e, f := s.listen(t, s.db, s.owner, keysOf, s.names), foreign.listen(t, s.db, foreign.owner, keysOf, foreign.names)
	s.toggle(t, s.db, "A", false)
	foreign.toggle(t, s.db, "A", false)
	e.expect(t, "A DISABLED")
	f.expect(t, "A DISABLED")
	good, other := *e.last, *e.last
	other.Second[3]++
	unknown := graph.LiveEventID(s.id, newIDs(1)[0], graph.UUID{}, graph.UUID{})
	answers := map[string]bool{}
	for _, c := range []struct {
		after graph.ID
		topic db.Topic
	}{{*f.last, db.TopicKeys}, {other, db.TopicKeys}, {unknown, db.TopicKeys}, {graph.ID{}, db.TopicKeys}, {s.keys["A"].ID(), db.TopicKeys},
		{good, db.TopicGrants}, {good, db.TopicUsage}} {
		_, err := s.db.Follow(t.Context(), s.owner, db.LiveQuery{Topic: c.topic, After: &c.after})
		if graph.ErrorCode(err) != graph.BadUserInput {
			t.Errorf("%v %s: %v", c.after, c.topic, err)
			continue
		}
		answers[err.Error()] = true
	}
	db.Pool(s.db).MustExec(`UPDATE live_events SET at = at - interval '61 minutes' WHERE account_id = $1`, s.id)
	_, err := s.db.Follow(t.Context(), s.owner, db.LiveQuery{Topic: db.TopicKeys, After: &good})
	answers[fmt.Sprint(err)] = true
	if len(answers) != 1 {
		t.Errorf("several answers: %v", answers)
	}
	if _, err := s.db.ForgetLiveEvents(t.Context(), time.Now().Add(10*time.Minute)); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := db.Pool(s.db).Get(&left, `SELECT count(*) FROM live_events WHERE account_id = $1`, s.id); err != nil || left != 0 {
		t.Errorf("%d events are left, %v", left, err)
	}
}

// TestTooSlow: whoever is too far behind is told so, and can go on after the last event.
func TestTooSlow(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	d := dbtest.OpenNamed(t, dbtest.SharedName())
	db.BoundLive(d, 5, 300*time.Millisecond)
	e := s.listen(t, d, s.owner, keysOf, s.names)
	s.toggle(t, d, "A", false)
	e.expect(t, "A DISABLED")
	for i := range 8 {
		s.toggle(t, d, "B", i%2 == 1)
	}
	time.Sleep(600 * time.Millisecond)
	e.expect(t, string(graph.Unavailable))
	again := s.listen(t, d, s.owner, db.LiveQuery{Topic: db.TopicKeys, After: e.last}, s.names)
	for range 8 {
		again.expect(t, "B ENABLED") // as of now
	}
}

// TestListenersEnd goes through what ends a subscription, for those who wait and do not get an event.
func TestListenersEnd(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	token := func() *graph.Viewer {
		return must(s.db.Authenticate(t.Context(), s.token(t, s.owner, s.keys["A"]), now()))
	}
	key, secret := s.key(t, "K")
	machine := func() *graph.Viewer { return must(s.db.AuthenticateKey(t.Context(), key.Key, secret, now())) }
	pool := db.Pool(s.db)
	for _, c := range []struct {
		name string
		v    *graph.Viewer
		q    db.LiveQuery
		end  func(v *graph.Viewer) error
		want graph.Code
	}{
		{"signed out", s.user(t, graph.RoleReporting), keysOf, func(v *graph.Viewer) error { _, err := s.db.SignOut(t.Context(), v); return err }, graph.Unauthenticated},
		{"disabled", s.user(t, graph.RoleReporting), grantsOf, func(v *graph.Viewer) error {
			_, err := s.db.SetUserStatus(t.Context(), s.owner, graph.SetUserStatusInput{UserID: v.User.ID(), Status: graph.UserDisabled})
			return err
		}, graph.Unauthenticated},
		{"removed", s.user(t, graph.RoleReporting), usageOf, func(v *graph.Viewer) error {
			_, err := s.db.RemoveUser(t.Context(), s.owner, v.User.ID())
			return err
		}, graph.Unauthenticated},
		{"lost VIEW_USAGE", s.user(t, graph.RoleReporting), usageOf, func(v *graph.Viewer) error {
			_, err := s.db.SetUserCapabilities(t.Context(), s.owner, graph.SetUserCapabilitiesInput{UserID: v.User.ID(), Access: graph.AccessInput{Capabilities: []graph.Capability{}}})
			return err
		}, graph.Forbidden},
		{"revoked", token(), keysOf, func(v *graph.Viewer) error {
			_, err := s.db.RevokeAccessToken(t.Context(), s.owner, graph.AccessTokenIDInput{AccessTokenID: v.AccessToken.ID()})
			return err
		}, graph.Unauthenticated},
		{"expired", token(), usageOf, func(v *graph.Viewer) error {
			_, err := pool.Exec(`UPDATE access_tokens SET created_at = created_at - interval '2 days', expires_at = now() - interval '1 day' WHERE account_id = $1 AND token_id = $2`, s.id, v.AccessToken.TokenID)
			return err
		}, graph.Unauthenticated},
		{"another secret", machine(), usageOf, func(v *graph.Viewer) error {
			_, _, err := s.db.RotateApiKeySecret(t.Context(), s.owner, graph.RotateApiKeySecretInput{KeyID: key.ID()})
			return err
		}, graph.Unauthenticated},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.OpenNamed(t, dbtest.SharedName())
			db.RecheckLive(d, 100*time.Millisecond)
			e := s.listen(t, d, c.v, c.q, s.names)
			if err := c.end(c.v); err != nil {
				t.Fatal(err)
			}
			e.expect(t, string(c.want))
			if _, err := d.Follow(t.Context(), c.v, c.q); c.want == graph.Unauthenticated && graph.ErrorCode(err) != c.want {
				t.Errorf("followed again: %v", err)
			}
		})
	}
}

// TestHubForgets: nothing is kept of accounts that nobody follows any more, and closing the database ends who waits.
func TestHubForgets(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	d := dbtest.OpenNamed(t, dbtest.SharedName())
	e, err := d.Follow(t.Context(), s.owner.Again(now().At), keysOf)
	if err != nil || d.Subscribers() != 1 || db.HoldsLive(d) != 1 {
		t.Fatal(err, d.Subscribers(), db.HoldsLive(d))
	}
	e.Close()
	if d.Subscribers() != 0 || db.HoldsLive(d) != 0 {
		t.Error(d.Subscribers(), db.HoldsLive(d))
	}
	last := s.listen(t, d, s.owner, keysOf, s.names)
	go func() {
		time.Sleep(100 * time.Millisecond)
		_ = d.Close()
	}()
	last.expect(t, string(graph.Unavailable))
}
