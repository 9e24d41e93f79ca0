package db

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// piece is a connection from which only can be read.
type piece struct {
	net.Conn
	in io.Reader
}

func (p piece) Read(b []byte) (int, error) { return p.in.Read(b) }

// TestBufferedConn reads, in pieces of any size, what arrives in pieces of any size: the same bytes come, then the error.
func TestBufferedConn(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	rapid.Check(t, func(r *rapid.T) {
		want := bytes.Repeat(rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(r, "bytes"), rapid.SampledFrom([]int{1, 100, 20_000}).Draw(r, "times"))
		arrives := io.MultiReader(bytes.NewReader(want), iotest.ErrReader(broken))
		switch rapid.IntRange(0, 2).Draw(r, "how") {
		case 0:
			arrives = iotest.HalfReader(arrives)
		case 1:
			arrives = iotest.DataErrReader(arrives) // the error comes with the last bytes
		}
		c := &bufferedConn{Conn: piece{in: arrives}}
		var got []byte
		var err error
		for err == nil && len(got) <= len(want) {
			b := make([]byte, rapid.SampledFrom([]int{1, 5, 4096, readAtOnce - 1, readAtOnce, readAtOnce + 1}).Draw(r, "room"))
			var n int
			if n, err = c.Read(b); n == 0 && err == nil {
				r.Fatal("nothing came, and no error")
			}
			got = append(got, b[:n]...)
		}
		if !bytes.Equal(got, want) || !errors.Is(err, broken) {
			r.Fatalf("%d of %d bytes, %v", len(got), len(want), err)
		}
	})
}

// TestBufferedConnDoesNotWait asks for more than has arrived.
func TestBufferedConnDoesNotWait(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	c, b := &bufferedConn{Conn: here}, make([]byte, 4096)
	for _, text := range []string{"one", "two"} {
		go func() { _, _ = there.Write([]byte(text)) }()
		if n, err := c.Read(b); err != nil || string(b[:n]) != text {
			t.Errorf("%q, %v", b[:n], err)
		}
	}
}
