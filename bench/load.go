package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// answerTimeout is how long one answer may take.
const answerTimeout = 2 * time.Minute

// connection is one client that keeps its connection and waits for each answer before it asks again.
type connection struct {
	net.Conn
	in   *bufio.Reader
	body bytes.Buffer
}

func connect(addr string) (*connection, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &connection{Conn: c, in: bufio.NewReaderSize(c, 64<<10)}, nil
}

// ask sends a request as it is on the wire and gives the body of its answer, which is good until the next one. An answer that is
// not the data that were asked for is an error.
func (c *connection) ask(request []byte, must string) ([]byte, error) {
	if err := c.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return nil, err
	}
	if _, err := c.Write(request); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, err
	}
	c.body.Reset()
	_, err = io.Copy(&c.body, res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	body := c.body.Bytes()
	if res.StatusCode != http.StatusOK || !bytes.HasPrefix(body, []byte(`{"data":{`)) || !bytes.Contains(body, []byte(must)) {
		return nil, fmt.Errorf("the answer is %s: %.500s", res.Status, body)
	}
	return body, nil
}

// bearer is how a token is shown (RFC 6750).
func bearer(token string) string { return "Bearer " + token }

// wire writes a request as it is sent.
func wire(method, addr, path, authorization string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nAccept: application/json\r\n", method, path, addr, authorization)
	if body != nil {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// round is what some clients got in some time.
type round struct {
	latencies []time.Duration
	elapsed   time.Duration
}

// press lets clients ask at once, each in turn what requests has for it, until the time is over.
func press(ctx context.Context, addr string, clients int, d time.Duration, requests func(client int) [][]byte, must string) (round, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rounds, errs := make([]round, clients), make([]error, clients)
	var running sync.WaitGroup
	start := time.Now()
	for i := range clients {
		running.Go(func() {
			if errs[i] = pressOne(ctx, addr, start.Add(d), requests(i), must, &rounds[i]); errs[i] != nil {
				cancel()
			}
		})
	}
	running.Wait()
	all := round{elapsed: time.Since(start)}
	for _, r := range rounds {
		all.latencies = append(all.latencies, r.latencies...)
	}
	return all, errors.Join(errs...)
}

func pressOne(ctx context.Context, addr string, end time.Time, requests [][]byte, must string, r *round) error {
	c, err := connect(addr)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for i := 0; time.Now().Before(end) && ctx.Err() == nil; i++ {
		start := time.Now()
		if _, err := c.ask(requests[i%len(requests)], must); err != nil {
			return err
		}
		r.latencies = append(r.latencies, time.Since(start))
	}
	return nil
}

// percentile gives the smallest of the values that p percent of them do not exceed (nearest rank); zero of none. It sorts them.
func percentile(values []time.Duration, p float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	rank := int(p / 100 * float64(len(values)))
	if float64(rank) < p/100*float64(len(values)) {
		rank++
	}
	return values[max(rank, 1)-1]
}
