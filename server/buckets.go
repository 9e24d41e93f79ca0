package server

import (
	"errors"
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"grantwood/graph"
)

// RateLimits say how much a caller may ask: a bucket of points that fills again. Each process of the server counts for itself. A
// bucket of 0 points limits nothing.
type RateLimits struct {
	Bucket           int `name:"rate-limit" help:"Points that a caller may spend at once; 0 limits nobody." default:"1000000" env:"GRANTWOOD_RATE_LIMIT"`
	Restore          int `name:"rate-restore" help:"Points that a caller gets back each second." default:"20000" env:"GRANTWOOD_RATE_RESTORE"`
	AnonymousBucket  int `name:"anonymous-rate-limit" help:"Points that callers without credentials may spend at once, by source address; 0 limits nobody." default:"10000" env:"GRANTWOOD_ANONYMOUS_RATE_LIMIT"`
	AnonymousRestore int `name:"anonymous-rate-restore" help:"Points that these get back each second." default:"100" env:"GRANTWOOD_ANONYMOUS_RATE_RESTORE"`
}

// DefaultRateLimits are the limits when nothing is set.
var DefaultRateLimits = RateLimits{Bucket: 1_000_000, Restore: 20_000, AnonymousBucket: 10_000, AnonymousRestore: 100}

// Check refuses limits that cannot work.
func (l RateLimits) Check() error {
	if l.Bucket < 0 || l.AnonymousBucket < 0 || l.Bucket > 0 && l.Restore < 1 || l.AnonymousBucket > 0 && l.AnonymousRestore < 1 {
		return errors.New("limits of a caller are numbers of 0 and above, and a bucket fills again by 1 point each second at least")
	}
	return nil
}

const (
	rememberedCallers = 100_000 // those heard of last; the bucket of another is full
	refusedCost       = 10      // of an operation that could not be run
)

// buckets hold what callers may still ask. A caller is a session's user, a token, a key or an operator; without credentials it is
// the source address, for IPv6 the network of 64 bits, which one customer has.
type buckets struct {
	limits  RateLimits
	callers *lru.Cache[callerKey, *rate.Limiter]
}

func newBuckets(l RateLimits) *buckets {
	callers, _ := lru.New[callerKey, *rate.Limiter](rememberedCallers) // fails for sizes below one only
	return &buckets{limits: l, callers: callers}
}

// take takes points off the caller's bucket and gives what is left; or after what time there will be enough. An operation that costs more
// than the whole bucket takes a full one.
func (b *buckets) take(v *graph.Viewer, cost int) (limit *graph.RateLimit, wait time.Duration) {
	size, restore := b.limits.Bucket, b.limits.Restore
	if v.Kind == graph.Nobody {
		size, restore = b.limits.AnonymousBucket, b.limits.AnonymousRestore
	}
	if size == 0 {
		return &graph.RateLimit{Cost: cost}, 0
	}
	bucket, now := b.of(v, size, restore), time.Now()
	points := min(cost, size)
	if !bucket.AllowN(now, points) {
		missing := float64(points) - bucket.TokensAt(now)
		return nil, max(time.Millisecond, time.Duration(missing/float64(restore)*float64(time.Second)))
	}
	return &graph.RateLimit{Cost: cost, Limit: size, Remaining: max(0, int(bucket.TokensAt(now))), RestoreRate: restore}, 0
}

// punish takes the cost of an operation that could not be run, as far as there is any left.
func (b *buckets) punish(v *graph.Viewer) { b.take(v, refusedCost) }

func (b *buckets) of(v *graph.Viewer, size, restore int) *rate.Limiter {
	name := keyOf(v)
	if bucket, known := b.callers.Get(name); known {
		return bucket
	}
	bucket := rate.NewLimiter(rate.Limit(restore), size)
	if before, known, _ := b.callers.PeekOrAdd(name, bucket); known {
		return before
	}
	return bucket
}

// callerKey names a caller.
type callerKey struct {
	kind    graph.PrincipalKind
	id      graph.UUID
	address netip.Prefix
}

func keyOf(v *graph.Viewer) callerKey {
	switch v.Kind {
	case graph.Nobody:
		return callerKey{address: network(v.Request.Address)}
	case graph.KindOperator:
		return callerKey{kind: v.Kind, id: v.Operator.OperatorID}
	}
	return callerKey{kind: v.Kind, id: v.Self()}
}

func network(source string) netip.Prefix {
	address, _ := netip.ParseAddr(source) // one bucket for all whose address is none
	address = address.Unmap().WithZone("")
	bits := address.BitLen()
	if address.Is6() {
		bits = 64
	}
	prefix, _ := address.Prefix(bits)
	return prefix
}
