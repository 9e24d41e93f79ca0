package graph

import (
	"math"
	"net/netip"
	"time"
)

// Wrong passwords slow down whoever tries, without locking the person out: some are free, then each further try has to
// wait twice as long as the one before, at most a minute, and after a quarter of an hour without one all is forgotten.
const (
	longestWait = time.Minute
	forgetAfter = 15 * time.Minute

	// FreeOfPair is for one address from one source, which is what a person mistypes.
	FreeOfPair = 10
	// FreeOfSource is for one source whatever the addresses: somebody tries a common password on everybody.
	FreeOfSource = 30
	// FreeOfAddress is for one address whatever the sources: somebody with many machines tries one person. It is large, so
	// that they do not take the person's turn.
	FreeOfAddress = 100
	// FreeResets is for links for a new password to one address.
	FreeResets = 3
)

// Failures is how many wrong passwords were given, and when the last was. A try counts from its beginning on, so that many
// at the same time gain nothing; a right password takes it back.
type Failures struct {
	Count  int
	LastAt time.Time
}

// Wait gives how long after at the next try may come when so many are free; zero when it may come at once.
func (f Failures) Wait(free int, at time.Time) time.Duration {
	if f.Count < free || f.forgotten(at) {
		return 0
	}
	wait := longestWait
	if over := f.Count - free + 1; over < 6 {
		wait = time.Duration(math.Exp2(float64(over))) * time.Second
	}
	return max(0, f.LastAt.Add(wait).Sub(at))
}

// And gives the failures with one more.
func (f Failures) And(at time.Time) Failures {
	if f.forgotten(at) {
		f.Count = 0
	}
	if at.Before(f.LastAt) {
		at = f.LastAt
	}
	return Failures{f.Count + 1, at}
}

func (f Failures) forgotten(at time.Time) bool { return !at.Before(f.LastAt.Add(forgetAfter)) }

// ForgottenBefore gives the time before which failures count no more.
func ForgottenBefore(at time.Time) time.Time { return at.Add(-forgetAfter) }

// Source names the network that a request came from, as far as it tells people apart: an address of IPv4, the first half
// of one of IPv6. Nothing for addresses of private networks and of the machine itself: behind a proxy they are everybody's.
func (r Request) Source() string {
	a, err := netip.ParseAddr(r.Address)
	if err != nil {
		return ""
	}
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return ""
	}
	if a.Is6() {
		return netip.PrefixFrom(a, 64).Masked().String()
	}
	return a.String()
}

// TooManyTries is the answer to a try that has to wait.
func TooManyTries(wait time.Duration) *Error {
	e := refuse(RateLimited, "", "Too many tries; wait a little before the next.")
	e.RetryAfter = wait
	return e
}
