package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/golang-lru/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Statements with parameters are prepared, on each connection where they come up, so that PostgreSQL parses them once and plans them
// once or a few times: for small ones that is most of what they cost. What comes up for the first time is not prepared yet, since
// texts vary with what callers ask, and one who asks something else each time must not push out what everybody asks.
//
// Behind a pooler that gives connections away between transactions a prepared statement would belong to somebody else: its name may
// stand for another statement there, which would give wrong answers. So nothing is prepared unless Config.Direct says so.

// anew begins a statement that is planned each time that it is executed: of a range of times, or of a long list, PostgreSQL believes
// after five times that any is short.
const anew = "/* plan anew */ "

const (
	// preparedStatements is how many statements each connection keeps. PostgreSQL takes 16 KiB for a small one, and 700 for that of a
	// change that is made at once.
	preparedStatements = 100
	// sightedStatements is how many texts are remembered that came up.
	sightedStatements = 2000
)

// pqConn is what a connection of lib/pq can do.
type pqConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// pqStatement is what a prepared statement of lib/pq can do.
type pqStatement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// preparing makes connections that prepare their statements.
type preparing struct {
	driver.Connector
	sighted *lru.Cache[string, struct{}]
}

func newPreparing(c driver.Connector) (*preparing, error) {
	sighted, err := lru.New[string, struct{}](sightedStatements)
	if err != nil {
		return nil, fmt.Errorf("make cache of texts: %w", err)
	}
	return &preparing{Connector: c, sighted: sighted}, nil
}

func (p *preparing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	conn, ok := c.(pqConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T cannot do what a connection of lib/pq can", c), c.Close())
	}
	kept, err := simplelru.NewLRU(preparedStatements, func(_ string, s pqStatement) {
		_ = s.Close() // when that fails the next use of the connection does
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make cache of statements: %w", err), c.Close())
	}
	return &preparingConn{pqConn: conn, sighted: p.sighted, kept: kept}, nil
}

// preparingConn is used by one goroutine at a time, as database/sql promises.
type preparingConn struct {
	pqConn
	sighted *lru.Cache[string, struct{}]
	kept    *simplelru.LRU[string, pqStatement]
}

// QueryContext runs a statement that gives rows. When a change of the schema, or somebody else, took the prepared one away, it
// returns a lostError.
func (c *preparingConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.prepared(ctx, text, args)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.pqConn.QueryContext(ctx, text, args)
	}
	rows, err := s.QueryContext(ctx, args)
	return rows, c.lost(text, err)
}

// ExecContext runs a statement that gives no rows; see QueryContext.
func (c *preparingConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.prepared(ctx, text, args)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.pqConn.ExecContext(ctx, text, args)
	}
	result, err := s.ExecContext(ctx, args)
	return result, c.lost(text, err)
}

// prepared gives the prepared statement with the text: nil when it is not to be prepared.
func (c *preparingConn) prepared(ctx context.Context, text string, args []driver.NamedValue) (pqStatement, error) {
	if s, ok := c.kept.Get(text); ok {
		return s, nil
	}
	if len(args) == 0 || strings.HasPrefix(text, anew) {
		return nil, nil
	}
	if sighted, _ := c.sighted.ContainsOrAdd(text, struct{}{}); !sighted {
		return nil, nil
	}
	made, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	s, ok := made.(pqStatement)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T cannot do what a statement of lib/pq can", made), made.Close())
	}
	c.kept.Add(text, s)
	return s, nil
}

// lost marks errors that come before a prepared statement is run, and forgets the statement: its result would have other columns than
// when it was prepared (0A000), or there is none of its name (26000).
func (c *preparingConn) lost(text string, err error) error {
	if err == nil || !slices.Contains([]string{"0A000", "26000"}, sqlState(err)) {
		return err
	}
	c.kept.Remove(text)
	return lostError{err}
}

// lostError says that a prepared statement could not be run at all. database/sql takes it for that of a bad connection, and asks again
// on another one when no transaction is open; a transaction is run again, see retriable.
type lostError struct{ error }

func (e lostError) Is(target error) bool { return target == driver.ErrBadConn }

func (e lostError) Unwrap() error { return e.error }
