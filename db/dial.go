package db

import (
	"context"
	"net"
	"time"

	"github.com/lib/pq"
)

// readAtOnce is how much of an answer is taken from the system at once. The driver asks for 4 KiB, half of what PostgreSQL sends at a time: for
// an answer of many rows that is twice as many calls.
const readAtOnce = 32 << 10

// dialer opens the connections of pools.
type dialer struct{ net.Dialer }

var (
	_ pq.Dialer        = dialer{}
	_ pq.DialerContext = dialer{}
)

// DialContext connects.
func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &bufferedConn{Conn: c}, nil
}

// DialTimeout connects within the time.
func (d dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// Dial connects.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// bufferedConn reads ahead what has arrived. One goroutine at a time reads, as for the driver.
type bufferedConn struct {
	net.Conn
	room []byte // made when first needed: connections that only cancel never read much
	rest []byte // of room, what was not given yet
}

// Read gives what was read ahead, and reads when there is nothing. It never waits for more than there is.
func (c *bufferedConn) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		if len(b) >= readAtOnce {
			return c.Conn.Read(b)
		}
		if c.room == nil {
			c.room = make([]byte, readAtOnce)
		}
		n, err := c.Conn.Read(c.room)
		if c.rest = c.room[:n]; n == 0 { // an error that comes with data comes again
			return 0, err
		}
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
