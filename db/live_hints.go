package db

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"grantwood/graph"
)

const (
	hintChannel   = "grantwood_live"
	hintPause     = 20 * time.Millisecond // between two notifications of a process
	hintTimeout   = 5 * time.Second
	hintsInOne    = 200 // accounts that one notification names; PostgreSQL allows 8,000 bytes
	hintAboutAll  = "*"
	reconnectFrom = 100 * time.Millisecond
	reconnectTo   = 10 * time.Second
)

// hints tell the other processes which accounts have changed, by NOTIFY over the direct connection, and hear from them. A notification
// is sent after the transaction and not in it, because PostgreSQL lets transactions that notify commit only one after another. It may
// get lost; then the poll finds the events.
type hints struct {
	hub    *hub
	sender string // names this process, which need not hear itself

	mu       sync.Mutex // guards what follows
	pool     *sqlx.DB
	accounts map[graph.UUID]bool
	sending  bool
	closed   bool
	tasks    sync.WaitGroup
}

func newHints(h *hub) *hints {
	return &hints{hub: h, sender: newID().String(), accounts: map[graph.UUID]bool{}}
}

// send tells the others soon, and not more often than once in a while.
func (n *hints) send(accounts []graph.UUID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	for _, a := range accounts {
		n.accounts[a] = true
	}
	if !n.sending {
		n.sending = true
		n.tasks.Go(n.sendAll)
	}
}

// sendAll sends what there is until nothing comes any more.
func (n *hints) sendAll() {
	for {
		text, pool, err := n.take()
		if text == "" {
			return
		}
		if err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), hintTimeout)
			_, err = pool.ExecContext(ctx, `SELECT pg_notify($1, $2)`, hintChannel, n.sender+":"+text)
			cancel()
		}
		if err != nil {
			n.hub.db.log.Warn("other servers were not told of live events; they find them by themselves", "error", err)
		}
		time.Sleep(hintPause)
	}
}

// take gives the accounts that are to be told of, as text; empty, and nobody sends any more, when there are none.
func (n *hints) take() (string, *sqlx.DB, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.accounts) == 0 || n.closed {
		n.sending = false
		return "", nil, nil
	}
	names := make([]string, 0, len(n.accounts))
	for a := range n.accounts {
		names = append(names, a.String())
	}
	text := strings.Join(names, ",")
	if len(names) > hintsInOne {
		text = hintAboutAll
	}
	clear(n.accounts)
	if n.pool != nil {
		return text, n.pool, nil
	}
	pool, err := openPool(n.hub.db.adminURL, 1)
	if err != nil {
		return text, nil, err
	}
	pool.SetConnMaxIdleTime(time.Minute)
	n.pool = pool
	return text, pool, nil
}

func (n *hints) close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.tasks.Wait()
	if n.pool != nil {
		_ = n.pool.Close() // nothing is left to be told
	}
}

// listen hears from the others until ctx ends. The listener connects again by itself; what came meanwhile is looked for.
func (n *hints) listen(ctx context.Context) {
	l := pq.NewListener(n.hub.db.adminURL, reconnectFrom, reconnectTo, func(_ pq.ListenerEventType, err error) {
		if err != nil && ctx.Err() == nil {
			n.hub.db.log.Warn("the connection that hears of live events broke; it is made again", "error", err)
		}
	})
	stopped := make(chan struct{})
	go func() { // Listen waits for a connection, for ever if need be; closing ends that.
		defer close(stopped)
		<-ctx.Done()
		_ = l.Close()
	}()
	defer func() { <-stopped }()
	if err := l.Listen(hintChannel); err != nil {
		if ctx.Err() == nil {
			n.hub.db.log.Warn("cannot hear of live events from other servers; they are looked for each second", "error", err)
		}
		<-ctx.Done()
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case note, ok := <-l.Notify:
			if !ok {
				return
			}
			n.heard(note)
		}
	}
}

// heard looks at the accounts that a notification names; at all of them after a new connection, which is a nil one.
func (n *hints) heard(note *pq.Notification) {
	if note == nil {
		n.hub.hintAll()
		return
	}
	sender, text, _ := strings.Cut(note.Extra, ":")
	switch {
	case sender == n.sender:
		return
	case text == hintAboutAll:
		n.hub.hintAll()
		return
	}
	for name := range strings.SplitSeq(text, ",") {
		var account graph.UUID
		if err := account.Scan(name); err == nil {
			n.hub.hint(account)
		}
	}
}
