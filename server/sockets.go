package server

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"

	"grantwood/graph"
)

// Limits of sockets when nothing else is set: of the process, and of one address, or one /64 of IPv6.
const (
	DefaultMaxSockets           = 10_000
	DefaultMaxSocketsPerAddress = 2_000
)

// Limits of one socket.
const (
	maxOperations = 100 // at once
	maxMessage    = 1 << 20
)

// socketTimes are how long a socket may take for what.
type socketTimes struct {
	init  time.Duration // from the handshake to connection_init
	beat  time.Duration // between pings, with which the credentials are checked
	pong  time.Duration // from a ping to its pong
	read  time.Duration // from the first byte of a message to its last
	write time.Duration // for a message to leave; a peer that does not read is cut off then
	check time.Duration // for which credentials are good when the database does not answer
}

var usualTimes = socketTimes{init: 5 * time.Second, beat: 15 * time.Second, pong: 15 * time.Second, read: 15 * time.Second,
	write: 10 * time.Second, check: 30 * time.Second}

// SocketCounts says what sockets do and did, for metrics.
type SocketCounts struct {
	Open       int64 // now
	Operations int64 // that run now, subscriptions included
	Opened     int64 // since the start, as all that follow
	Refused    int64 // for want of room
	Started    int64 // operations
	Sent       int64 // messages
	Slow       int64 // cut off because they did not read
	Dead       int64 // cut off because they answered no ping
	Closed     map[int]int64
}

// sockets is the WebSocket transport: it admits sockets, counts them, and ends them when the server stops.
type sockets struct {
	*Server
	times   socketTimes
	closed  sync.WaitGroup // holds one for each that is open
	mu      sync.Mutex
	all     map[*socket]struct{}
	from    map[netip.Prefix]int // by network
	counts  SocketCounts
	stopped bool
}

func newSockets(s *Server) *sockets {
	s.MaxSockets = cmp.Or(s.MaxSockets, DefaultMaxSockets)
	s.MaxSocketsPerAddress = cmp.Or(s.MaxSocketsPerAddress, DefaultMaxSocketsPerAddress)
	t := &sockets{Server: s, times: usualTimes, all: map[*socket]struct{}{}, from: map[netip.Prefix]int{},
		counts: SocketCounts{Closed: map[int]int64{1000: 0, 1006: 0, 1012: 0}}} // metrics show these before they happen
	context.AfterFunc(s.draining, t.drain)
	return t
}

// socketsOr leads requests for a socket past authentication: a socket says later who it is, and says it again.
func (s *Server) socketsOr(exec graphql.GraphExecutor, other http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asksForSocket(r) {
			s.sockets.open(w, r, exec)
			return
		}
		other.ServeHTTP(w, r)
	})
}

// Sockets gives the counts of sockets.
func (s *Server) Sockets() SocketCounts {
	s.sockets.mu.Lock()
	defer s.sockets.mu.Unlock()
	c := s.sockets.counts
	c.Closed = maps.Clone(c.Closed)
	return c
}

// WaitForSockets waits, after Drain, until every socket has answered what it was asked and is closed, or ctx ends.
func (s *Server) WaitForSockets(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		s.sockets.closed.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// count changes the counts.
func (s *sockets) count(change func(*SocketCounts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.counts)
}

// admit makes room for a socket, or says why there is none.
func (s *sockets) admit(k *socket) *httpRefusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := network(k.address)
	switch {
	case s.stopped:
		return &httpRefusal{http.StatusServiceUnavailable, graph.Unavailable, "The server is about to restart; connect again."}
	case len(s.all) >= s.MaxSockets:
		s.counts.Refused++
		return &httpRefusal{http.StatusServiceUnavailable, graph.Unavailable, "There are too many sockets; try again later."}
	case s.from[n] >= s.MaxSocketsPerAddress:
		s.counts.Refused++
		return &httpRefusal{http.StatusTooManyRequests, graph.RateLimited, "There are too many sockets from this address."}
	}
	s.all[k] = struct{}{}
	s.from[n]++
	s.counts.Open++
	s.counts.Opened++
	s.closed.Add(1)
	return nil
}

// forget gives the room of a socket back.
func (s *sockets) forget(k *socket, code websocket.StatusCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := network(k.address)
	delete(s.all, k)
	if s.from[n]--; s.from[n] == 0 {
		delete(s.from, n)
	}
	s.counts.Open--
	s.counts.Closed[int(code)]++
	s.closed.Done()
}

// drain asks every socket to end when it has answered its queries and mutations.
func (s *sockets) drain() {
	s.mu.Lock()
	s.stopped = true
	open := maps.Clone(s.all)
	s.mu.Unlock()
	for k := range open {
		go k.endWhenIdle() // each waits for its peer
	}
}
