package db

import (
	"context"
	"slices"
	"sync"
	"time"

	"grantwood/graph"
)

// liveStream is what the process knows of the events of one account while somebody follows it: the newest ones, shared by all
// subscriptions, and the listeners with what they may see.
type liveStream struct {
	account graph.UUID
	reading sync.Mutex // held by who reads for the stream, one at a time

	mu        sync.Mutex // guards what follows
	opened    bool
	uses      int // subscriptions; guarded by hub.mu
	ofUsage   int // subscriptions to usage
	listeners map[listenerID]*listener
	head      int64          // last position that was read
	published chan struct{}  // closed, and replaced, when there is something new, also in what listeners may see
	events    []*liveEntry   // of grants and keys
	complete  int64          // events after this position and up to head are all there
	windows   []*usageWindow // of usage
	usage     completeness   // of windows
	gathering []*liveRow     // usage that is not yet in a window
	closed    time.Time      // when the newest window was
	checked   time.Time      // when the listeners were last looked at
}

// completeness says between which positions windows are all there.
type completeness struct{ after, upTo int64 }

// liveEntry is an event of grants or a key.
type liveEntry struct {
	row       *liveRow
	published time.Time
	prepared  *prepared
}

// prepared is what was read for all listeners at once about events that were new then.
type prepared struct {
	at      time.Time
	keys    index[graph.ApiKey]
	grants  map[Pair]*graph.Grant
	records map[graph.UUID][]*graph.UsageRecord // by key
	seen    map[sight]bool                      // what the database confirms
}

// good reports whether what was prepared may still be used. Later everybody reads anew, since rights may have changed.
func (p *prepared) good(now time.Time) bool { return p != nil && now.Sub(p.at) < preparedFor }

// read reads what is new for the stream, looks at what its listeners may see, and lets them know. The rights are read after the
// events, so that nobody is told of one under rights that it has ended.
func (s *liveStream) read(ctx context.Context, h *hub) error {
	s.reading.Lock()
	defer s.reading.Unlock()
	now := h.now()
	head, err := h.db.numberEvents(ctx, s.account, now)
	if err != nil {
		return err
	}
	for more := true; more; {
		s.mu.Lock()
		from, ofUsage := s.head, s.ofUsage > 0
		s.mu.Unlock()
		var rows []*liveRow
		if head > from {
			rows, err = h.db.liveRows(ctx, s.account, liveSpan{after: from, upTo: head, both: ofUsage, limit: rowsAtOnce})
			if err != nil {
				return err
			}
		}
		more = len(rows) == rowsAtOnce
		upTo := head
		if more {
			upTo = rows[len(rows)-1].Position
		}
		if err := s.publish(ctx, h, rows, upTo); err != nil {
			return err
		}
	}
	return nil
}

// publish puts rows, up to a position, before the listeners.
func (s *liveStream) publish(ctx context.Context, h *hub, rows []*liveRow, upTo int64) error {
	now := h.now()
	listeners := s.everybody()
	if err := h.db.renew(ctx, s.account, listeners, now); err != nil {
		return err
	}
	var entries []*liveEntry
	var usage []*liveRow
	for _, r := range rows {
		if r.Kind == liveUsage {
			usage = append(usage, r)
			continue
		}
		entries = append(entries, &liveEntry{row: r, published: now})
	}
	windows, waiting, err := s.gather(ctx, h, usage, listeners)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		p, err := h.db.prepareEvents(ctx, s.account, entries, listeners, now)
		if err != nil {
			return err
		}
		for _, e := range entries {
			e.prepared = p
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.head, s.checked = upTo, now
	s.events = append(s.events, entries...)
	s.windows, s.gathering = append(s.windows, windows...), waiting
	if len(windows) > 0 {
		s.usage.upTo, s.closed = windows[len(windows)-1].last(), now
	}
	s.trim(now, h.bounds)
	close(s.published)
	s.published = make(chan struct{})
	if len(rows) > 0 {
		h.lag.Store(int64(h.now().Sub(rows[0].At)))
	}
	return nil
}

// trim lets go what is more than the bounds, and what was prepared for what is no longer new.
func (s *liveStream) trim(now time.Time, b liveBounds) {
	if extra := len(s.events) - b.events; extra > 0 {
		s.complete = s.events[extra-1].row.Position
		s.events = slices.Delete(s.events, 0, extra)
	}
	if extra := len(s.windows) - b.windows; extra > 0 {
		s.usage.after = s.windows[extra-1].last()
		s.windows = slices.Delete(s.windows, 0, extra)
	}
	for _, e := range s.events {
		if !e.prepared.good(now) {
			e.prepared = nil
		}
	}
	for _, w := range s.windows {
		if !w.prepared.good(now) {
			w.prepared = nil
		}
	}
}

func (s *liveStream) everybody() []*listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*listener, 0, len(s.listeners))
	for _, l := range s.listeners {
		list = append(list, l)
	}
	return list
}

// gather puts usage into windows: at once when nothing came for a while, and else what comes within that while together. It gives
// the windows, and what has to wait.
func (s *liveStream) gather(ctx context.Context, h *hub, rows []*liveRow, listeners []*listener) (windows []*usageWindow, waiting []*liveRow, err error) {
	now := h.now()
	s.mu.Lock()
	waiting = append(slices.Clone(s.gathering), rows...)
	wait := s.closed.Add(h.bounds.gather).Sub(now)
	s.mu.Unlock()
	if len(waiting) == 0 || wait > 0 && len(waiting) < rowsInWindow {
		if len(rows) > 0 {
			time.AfterFunc(wait, func() { h.hint(s.account) })
		}
		return nil, waiting, nil
	}
	for part := range slices.Chunk(waiting, rowsInWindow) {
		w, err := newUsageWindow(part, nil)
		if err != nil {
			return nil, nil, err
		}
		w.published = now
		if w.prepared, err = h.db.prepareUsage(ctx, s.account, w, listeners, now); err != nil {
			return nil, nil, err
		}
		windows = append(windows, w)
	}
	return windows, nil, nil
}
