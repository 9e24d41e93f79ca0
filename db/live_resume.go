package db

import (
	"context"
	"database/sql"
	"errors"
	"sort"

	"grantwood/graph"
)

// resumption is where a subscription goes on.
type resumption struct {
	before int64 // position of everything that is done
	event  graph.UUID
	pairs  int // how many pairs of the event are done
	// For usage: the window that was being told of, by its events, and the last key that was told of.
	first, last windowRow
	key         graph.UUID
}

// in gives how many pairs of an event are done.
func (r *resumption) in(event graph.UUID) int {
	if r == nil || r.event != event {
		return 0
	}
	return r.pairs
}

// notAfter is the one answer for an event that is unknown, of another account or topic, malformed, or too old.
func notAfter() error {
	return (&graph.Error{Code: graph.BadUserInput,
		Message: "There is no such event to go on after, or it is too old. Read anew what you follow, and subscribe without `after`."}).At("after")
}

// resume finds where to go on after an event that v received.
func (db *DB) resume(ctx context.Context, v *graph.Viewer, q LiveQuery) (*resumption, error) {
	id := *q.After
	event := id.In(v.AccountID(), graph.KindLiveEvent)
	var row liveRow
	err := db.pool.GetContext(ctx, &row, `
		SELECT `+liveColumns+`
		FROM live_events e
		WHERE e.account_id = $1 AND e.event_id = $2 AND e.position IS NOT NULL AND coalesce(e.due_at, e.at) > $3`,
		v.AccountID(), event, v.Request.At.Add(-graph.LiveMemory))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notAfter()
	}
	if err != nil {
		return nil, err
	}
	switch {
	case q.Topic == TopicUsage && row.Kind == liveUsage:
		return db.resumeUsage(ctx, v, id, row)
	case q.Topic == TopicKeys && row.Kind == liveKey, q.Topic == TopicGrants && (row.Kind == liveGrant || row.Kind == liveGrantEnd):
	default:
		return nil, notAfter()
	}
	users := []graph.UUID(row.UserIds)
	if row.Kind == liveKey {
		users = []graph.UUID{{}}
	}
	done := 0
	for _, key := range row.KeyIds {
		for _, user := range users {
			done++
			if graph.LiveEventID(id.Account, event, user, key) == id {
				return &resumption{before: row.Position - 1, event: event, pairs: done}, nil
			}
		}
	}
	return nil, notAfter()
}

// resumeUsage finds the window of which an event was the last that v received.
func (db *DB) resumeUsage(ctx context.Context, v *graph.Viewer, id graph.ID, last liveRow) (*resumption, error) {
	var rows []struct {
		EventID  graph.UUID
		Position int64
		KeyIds   uuidList
	}
	err := db.pool.SelectContext(ctx, &rows, `
		SELECT e.event_id, e.position, e.key_ids
		FROM live_events e
		WHERE e.account_id = $1 AND e.kind = 'USAGE' AND e.position <= $2
		ORDER BY e.position DESC
		LIMIT $3`, v.AccountID(), last.Position, rowsInWindow)
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		var none graph.UUID
		if mark := graph.LiveEventID(id.Account, none, r.EventID, none).Second; [8]byte(mark[:8]) != [8]byte(id.Second[:8]) {
			continue
		}
		for _, w := range rows[:i+1] {
			for _, key := range w.KeyIds {
				if graph.LiveEventID(id.Account, id.Object, r.EventID, key) == id {
					return &resumption{before: r.Position - 1, first: windowRow{r.EventID, r.Position},
						last: windowRow{last.EventID, last.Position}, key: key}, nil
				}
			}
		}
	}
	return nil, notAfter()
}

// takeUsage gives the window after the position, as far as it concerns v; nil when none does.
func (s *Subscription) takeUsage(ctx context.Context, v *graph.Viewer) (*liveWork, error) {
	for {
		w, err := s.nextWindow(ctx)
		if w == nil || err != nil {
			return nil, err
		}
		first, last := len(w.window.rows), -1
		for _, sum := range w.window.sums {
			if (s.only == nil || s.only[sum.key]) && v.SeesKey(v.AccountID(), sum.key) {
				w.pairs = append(w.pairs, Pair{Key: sum.key})
				first, last = min(first, sum.first), max(last, sum.last)
			}
		}
		if len(w.pairs) == 0 {
			continue
		}
		if w.ends == [2]graph.UUID{} {
			w.ends = [2]graph.UUID{w.window.rows[first].id, w.window.rows[last].id}
		}
		return w, nil
	}
}

// nextWindow gives the window after the position: the rest of the one within which the subscription goes on, one from memory, or one
// from the database, where what is in memory begins in the middle of another.
func (s *Subscription) nextWindow(ctx context.Context) (*liveWork, error) {
	st := s.stream
	if r := s.resumed; r != nil {
		s.resumed, s.position = nil, r.last.position
		rows, err := s.hub.db.liveRows(ctx, st.account, liveSpan{after: r.before, upTo: r.last.position, usage: true, limit: rowsInWindow})
		if err != nil || len(rows) == 0 {
			return nil, err
		}
		w, err := newUsageWindow(rows, &r.key)
		return &liveWork{window: w, since: s.hub.now(), ends: [2]graph.UUID{r.first.id, r.last.id}}, err
	}
	for {
		st.mu.Lock()
		upTo := st.usage.upTo
		if s.position >= st.usage.after {
			i := sort.Search(len(st.windows), func(i int) bool { return st.windows[i].last() > s.position })
			if i < len(st.windows) && st.windows[i].first() > s.position {
				w := st.windows[i]
				prepared := w.prepared
				s.position = w.last()
				st.mu.Unlock()
				return &liveWork{window: w, prepared: prepared, since: w.published}, nil
			}
			if i == len(st.windows) {
				st.mu.Unlock()
				return nil, nil
			}
		}
		st.mu.Unlock()
		if s.position >= upTo {
			return nil, nil
		}
		rows, err := s.hub.db.liveRows(ctx, st.account, liveSpan{after: s.position, upTo: upTo, usage: true, limit: rowsInWindow})
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			s.position = upTo
			continue
		}
		s.position = rows[len(rows)-1].Position
		w, err := newUsageWindow(rows, nil)
		return &liveWork{window: w, since: rows[0].At}, err
	}
}
