package db

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"grantwood/graph"
)

const (
	rowsAtOnce      = 500    // events that are read in one statement
	rowsInWindow    = 100    // events that are gathered into one
	pairsPrepared   = 64     // pairs of users and keys, and keys, that are prepared for all listeners
	recordsPrepared = 2_000  // records
	sightsPrepared  = 20_000 // listeners times keys
	preparedFor     = time.Second
	streamsAtOnce   = 2
)

// liveBounds are bounds of subscriptions.
type liveBounds struct {
	poll    time.Duration // how often accounts that somebody follows are looked at, without a hint
	recheck time.Duration // how long after a listener loses its rights this is found out at the latest, without a hint
	gather  time.Duration // for how long usage is gathered
	behind  time.Duration // how far behind a subscription may be
	events  int           // how many events of an account are kept in memory
	windows int           // how many windows of usage are
}

var defaultBounds = liveBounds{poll: time.Second, recheck: 20 * time.Second, gather: time.Second, behind: 30 * time.Second, events: 1000, windows: 30}

// hub is the one reader of live events of the process: for every account that somebody follows it reads what is new once, for all
// subscriptions. It is in this room because what an event shows is decided by the statements, and by the rights that they read.
type hub struct {
	db     *DB
	bounds liveBounds
	hints  *hints

	mu       sync.Mutex // guards what follows
	streams  map[graph.UUID]*liveStream
	hinted   map[graph.UUID]bool
	everyone bool // look at all accounts
	running  bool
	closed   bool
	end      context.CancelFunc

	wake        chan struct{} // something was hinted
	done        chan struct{} // closed with the database
	tasks       sync.WaitGroup
	subscribers atomic.Int64
	lag         atomic.Int64
}

func newHub(db *DB) *hub {
	h := &hub{db: db, bounds: defaultBounds, streams: map[graph.UUID]*liveStream{}, hinted: map[graph.UUID]bool{}, wake: make(chan struct{}, 1),
		done: make(chan struct{}), end: func() {}}
	h.hints = newHints(h)
	return h
}

func (h *hub) now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Subscribers is how many subscriptions there are.
func (db *DB) Subscribers() int { return int(db.live.subscribers.Load()) }

// Lag is how long after its change the newest event was put before subscribers: what the outbox lags behind.
func (db *DB) Lag() time.Duration { return time.Duration(db.live.lag.Load()) }

// changed says that transactions of this process have changed something in accounts.
func (h *hub) changed(accounts ...graph.UUID) {
	h.hint(accounts...)
	h.hints.send(accounts)
}

// hint lets accounts be looked at soon, as far as anybody follows them.
func (h *hub) hint(accounts ...graph.UUID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range accounts {
		if h.streams[a] != nil {
			h.hinted[a] = true
		}
	}
	if len(h.hinted) > 0 {
		h.rouse()
	}
}

// hintAll is hint for every account.
func (h *hub) hintAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.everyone = true
	h.rouse()
}

func (h *hub) rouse() {
	select {
	case h.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// start starts the reader, which runs until the database is closed.
func (h *hub) start() {
	if h.running {
		return
	}
	h.running = true
	ctx, end := context.WithCancel(context.Background())
	h.end = end
	h.tasks.Go(func() { h.run(ctx) })
	h.tasks.Go(func() { h.hints.listen(ctx) })
}

func (h *hub) close() {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.done)
	}
	h.end()
	h.mu.Unlock()
	h.tasks.Wait()
	h.hints.close()
}

func (h *hub) run(ctx context.Context) {
	ticker := time.NewTicker(h.bounds.poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		case <-ticker.C:
			if err := h.poll(ctx); err != nil && ctx.Err() == nil {
				println("DBGP", err.Error())
				h.db.log.WarnContext(ctx, "cannot look for live events; tried again", "error", err)
			}
		}
		h.readHinted(ctx)
	}
}

// poll finds accounts with something new of which no hint came, and those whose listeners were not looked at for a while.
func (h *hub) poll(ctx context.Context) error {
	now := h.now()
	var accounts, stale []graph.UUID
	var heads []int64
	h.mu.Lock()
	for account, s := range h.streams {
		s.mu.Lock()
		if s.opened {
			accounts, heads = append(accounts, account), append(heads, s.head)
		}
		if now.Sub(s.checked) > h.bounds.recheck {
			stale = append(stale, account)
		}
		s.mu.Unlock()
	}
	h.mu.Unlock()
	news, err := h.db.newsOf(ctx, accounts, heads, now)
	if err != nil {
		return err
	}
	h.hint(append(news, stale...)...)
	return nil
}

// readHinted reads for the accounts of which hints came.
func (h *hub) readHinted(ctx context.Context) {
	var streams errgroup.Group
	streams.SetLimit(streamsAtOnce)
	for _, s := range h.takeHinted() {
		streams.Go(func() error {
			if err := s.read(ctx, h); err != nil && ctx.Err() == nil {
				println("DBG", err.Error())
				h.db.log.WarnContext(ctx, "cannot read live events; tried again", "error", err)
			}
			return nil
		})
	}
	_ = streams.Wait() // none gives an error
}

func (h *hub) takeHinted() []*liveStream {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []*liveStream
	for account, s := range h.streams {
		if h.everyone || h.hinted[account] {
			list = append(list, s)
		}
	}
	h.everyone = false
	clear(h.hinted)
	return list
}

// join makes v a listener of its account, with the rights of now: Unauthenticated when there are none.
func (h *hub) join(ctx context.Context, v *graph.Viewer, kind Topic) (*liveStream, *listener, error) {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil, nil, stopping()
	}
	h.start()
	s := h.streams[v.AccountID()]
	if s == nil {
		s = &liveStream{account: v.AccountID(), listeners: map[listenerID]*listener{}, published: make(chan struct{})}
		h.streams[s.account] = s
	}
	s.uses++
	h.mu.Unlock()
	h.subscribers.Add(1)
	l, err := s.admit(ctx, h, v, kind)
	if err != nil {
		h.leave(s, nil, kind)
		return nil, nil, err
	}
	if err := l.rights.Load().end; err != nil {
		h.leave(s, l, kind)
		return nil, nil, err
	}
	return s, l, nil
}

// admit opens the stream, if it is new, and adds a listener to it.
func (s *liveStream) admit(ctx context.Context, h *hub, v *graph.Viewer, kind Topic) (*listener, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if !s.opened {
		if err := h.db.openHead(ctx, s.account); err != nil {
			return nil, err
		}
		head, err := h.db.numberEvents(ctx, s.account, h.now())
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.opened, s.head, s.complete, s.checked = true, head, head, h.now()
		s.mu.Unlock()
	}
	fresh := &listener{id: listenerOf(v)}
	fresh.rights.Store(&liveRights{viewer: v})
	if err := h.db.renew(ctx, s.account, []*listener{fresh}, h.now()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listeners[fresh.id]
	if l == nil {
		l = fresh
		s.listeners[l.id] = l
	}
	l.rights.Store(fresh.rights.Load())
	l.uses++
	if kind == TopicUsage {
		if s.ofUsage == 0 {
			s.usage, s.windows, s.gathering = completeness{s.head, s.head}, nil, nil
		}
		s.ofUsage++
	}
	return l, nil
}

// leave ends a subscription of a listener, nil when it was not admitted.
func (h *hub) leave(s *liveStream, l *listener, kind Topic) {
	h.subscribers.Add(-1)
	h.mu.Lock()
	defer h.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if l != nil {
		if l.uses--; l.uses == 0 {
			delete(s.listeners, l.id)
		}
		if kind == TopicUsage {
			s.ofUsage--
		}
	}
	if s.uses--; s.uses == 0 && h.streams[s.account] == s {
		delete(h.streams, s.account)
	}
}
