package db

import (
	"context"
	"sort"
	"time"

	"grantwood/graph"
)

// Topic is what a subscription is about.
type Topic string

// The topics.
const (
	TopicGrants Topic = "grants"
	TopicKeys   Topic = "keys"
	TopicUsage  Topic = "usage"
)

// LiveQuery says what somebody follows.
type LiveQuery struct {
	Topic Topic
	Keys  []graph.ID // for usage: only these keys, when not nil
	After *graph.ID  // the event after which to go on
}

// Subscription gives the events of one account that a viewer may see, one after another. What they may see is decided for each event
// anew. It holds no events back for a slow reader: it reads them from what the process keeps in memory for all, and from the database.
type Subscription struct {
	hub      *hub
	stream   *liveStream
	listener *listener
	query    LiveQuery
	request  graph.Request
	only     map[graph.UUID]bool // keys; nil for all

	position int64 // events up to it were looked at
	resumed  *resumption
	catching bool       // goes on after an event, and has not yet come to what is new
	stored   []*liveRow // read from the database, after the position
	work     *liveWork  // what was taken last
}

// LiveEvent is a *graph.GrantChangedEvent, a *graph.KeyToggledEvent or a *graph.UsageAddedEvent.
type LiveEvent any

// Follow subscribes v, a user, an access token or a key. Unauthenticated when v may no longer call, BadUserInput when one cannot go on
// after the event that is named. Close the subscription.
func (db *DB) Follow(ctx context.Context, v *graph.Viewer, q LiveQuery) (*Subscription, error) {
	s := &Subscription{hub: db.live, query: q, request: v.Request}
	if q.Keys != nil {
		s.only = map[graph.UUID]bool{}
		for _, id := range q.Keys {
			s.only[id.In(v.AccountID(), graph.KindKey)] = true
		}
	}
	if q.After != nil {
		r, err := db.resume(ctx, v, q)
		if err != nil {
			return nil, fault("go on after a live event", err)
		}
		s.resumed, s.catching = r, true
	}
	var err error
	if s.stream, s.listener, err = db.live.join(ctx, v, q.Topic); err != nil {
		return nil, fault("follow an account", err)
	}
	s.stream.mu.Lock()
	defer s.stream.mu.Unlock()
	switch {
	case s.resumed != nil:
		s.position = s.resumed.before
	case q.Topic == TopicUsage:
		s.position = s.stream.usage.upTo
	default:
		s.position = s.stream.head
	}
	return s, nil
}

// Close ends the subscription. Nobody may wait in Next any more.
func (s *Subscription) Close() { s.hub.leave(s.stream, s.listener, s.query.Topic) }

// Next waits for an event and gives it with the viewer as of now. Unauthenticated when the viewer has signed out, was disabled or
// revoked or has expired; Forbidden when they may no longer follow the topic; Unavailable when the reader is too slow, or the
// database is closed.
func (s *Subscription) Next(ctx context.Context) (*graph.Viewer, LiveEvent, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		s.stream.mu.Lock()
		published := s.stream.published
		s.stream.mu.Unlock()
		v, err := s.viewer()
		if err != nil {
			return nil, nil, err
		}
		if s.work == nil {
			if s.work, err = s.take(ctx, v); err != nil {
				return nil, nil, fault("read live events", err)
			}
		}
		if s.work == nil {
			s.catching = false
			select {
			case <-ctx.Done():
			case <-published:
			case <-s.hub.done:
				return nil, nil, stopping()
			}
			continue
		}
		if late := s.hub.now().Sub(s.work.since); late > s.hub.bounds.behind && !s.catching {
			return nil, nil, readsTooSlowly()
		}
		e, err := s.nextOf(ctx, s.work)
		if err != nil {
			return nil, nil, fault("read live events", err)
		}
		if e == nil {
			s.work = nil
			continue
		}
		if v, err = s.viewer(); err != nil {
			return nil, nil, err
		}
		return v, e, nil
	}
}

// viewer gives who listens, as far as it is known now, or why there is nothing more to hear.
func (s *Subscription) viewer() (*graph.Viewer, error) {
	r := s.listener.rights.Load()
	if r.end != nil {
		return nil, r.end
	}
	v := *r.viewer
	v.Request = s.request
	v.Request.At = s.hub.now()
	if s.query.Topic == TopicUsage && !v.SeesUsage() {
		return nil, &graph.Error{Code: graph.Forbidden, Message: "This needs the capability " + string(graph.ViewUsage) + "."}
	}
	return &v, nil
}

// renew reads the rights now, for what was not prepared for all.
func (s *Subscription) renew(ctx context.Context) error {
	return s.hub.db.renew(ctx, s.stream.account, []*listener{s.listener}, s.hub.now())
}

// take gives what comes after the position, as far as it concerns v; nil when nothing does.
func (s *Subscription) take(ctx context.Context, v *graph.Viewer) (*liveWork, error) {
	if s.query.Topic == TopicUsage {
		return s.takeUsage(ctx, v)
	}
	for {
		row, prepared, since, err := s.nextRow(ctx)
		if row == nil || err != nil {
			return nil, err
		}
		s.position = row.Position
		w := &liveWork{row: row, prepared: prepared, since: since, pairs: s.pairsOf(v, row)}
		s.resumed = nil
		if len(w.pairs) > 0 {
			return w, nil
		}
	}
}

// nextRow gives the event after the position: from memory when it is there, else from the database.
func (s *Subscription) nextRow(ctx context.Context) (*liveRow, *prepared, time.Time, error) {
	st := s.stream
	for {
		if len(s.stored) > 0 {
			row := s.stored[0]
			s.stored = s.stored[1:]
			return row, nil, row.At, nil
		}
		st.mu.Lock()
		if s.position >= st.complete {
			i := sort.Search(len(st.events), func(i int) bool { return st.events[i].row.Position > s.position })
			var e liveEntry
			if i < len(st.events) {
				e = *st.events[i]
			} else {
				s.position = max(s.position, st.head)
			}
			st.mu.Unlock()
			return e.row, e.prepared, e.published, nil
		}
		head := st.head
		st.mu.Unlock()
		rows, err := s.hub.db.liveRows(ctx, st.account, liveSpan{after: s.position, upTo: head, limit: rowsStored})
		if err != nil {
			return nil, nil, time.Time{}, err
		}
		if s.stored = rows; len(rows) == 0 {
			s.position = head
		}
	}
}

// rowsStored is how many events one subscription reads at once from the database.
const rowsStored = 50

func stopping() error {
	return &graph.Error{Code: graph.Unavailable, Message: "The server is going to stop: subscribe again after the last event that you received."}
}

func readsTooSlowly() error {
	return &graph.Error{Code: graph.Unavailable, Message: "You are too far behind: subscribe again after the last event that you received, and read faster."}
}
