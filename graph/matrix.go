package graph

import (
	"encoding/base64"
	"fmt"
	"math/bits"
)

// AccessMatrix says which of some keys are enabled for which of some additional users.
type AccessMatrix struct {
	UserIds []ID
	KeyIds  []ID
	Enabled []Bits // by user, a bit for each key
}

// Rows gives the bits of each user in base64.
func (m *AccessMatrix) Rows() []string {
	rows := make([]string, len(m.Enabled))
	for i, b := range m.Enabled {
		rows[i] = base64.StdEncoding.EncodeToString(b.Sized(len(m.KeyIds)))
	}
	return rows
}

// Changed counts what is enabled in a later matrix of the same users and keys and not in m, and the other way round.
func (m *AccessMatrix) Changed(later *AccessMatrix) (enabled, disabled int) {
	for i, before := range m.Enabled {
		was, is := before.Sized(len(m.KeyIds)), later.Enabled[i].Sized(len(m.KeyIds))
		for at := range was {
			enabled += bits.OnesCount8(is[at] &^ was[at])
			disabled += bits.OnesCount8(was[at] &^ is[at])
		}
	}
	return enabled, disabled
}

// Bits is a set of small numbers: n is in it when bit n%8 of byte n/8 is set, the lowest first. In the database it is an array of
// the numbers.
type Bits []byte

// Set adds a number.
func (b *Bits) Set(n int) {
	if n/8 >= len(*b) {
		*b = b.Sized((n + 1) * 2)
	}
	(*b)[n/8] |= 1 << (n % 8)
}

// Has reports whether the number is in the set.
func (b Bits) Has(n int) bool { return n/8 < len(b) && b[n/8]>>(n%8)&1 == 1 }

// Sized gives the set with room for the numbers below n, and for no other byte.
func (b Bits) Sized(n int) Bits {
	sized := make(Bits, (n+7)/8)
	copy(sized, b)
	return sized
}

// Scan reads a PostgreSQL array of numbers; null is the empty set.
func (b *Bits) Scan(src any) error {
	*b = nil
	if src == nil {
		return nil
	}
	text, ok := src.([]byte)
	if !ok {
		return fmt.Errorf("scan numbers: unexpected %T", src)
	}
	n, digits := 0, false
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			n, digits = n*10+int(c-'0'), true
		case digits:
			b.Set(n)
			n, digits = 0, false
		}
	}
	return nil
}
