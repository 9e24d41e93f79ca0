package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"grantwood/graph"
)

// fault says what was being done when err happened, and turns a database that cannot be reached, or that was too slow,
// into Unavailable. An error that a caller may see stays as it is.
func fault(doing string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*graph.Error](err); ok {
		return err
	}
	err = fmt.Errorf("%s: %w", doing, err)
	switch {
	case outOfReach(err):
		return errors.Join(&graph.Error{Code: graph.Unavailable, Message: "The database cannot be reached; try again."}, err)
	case tooSlow(err):
		return errors.Join(&graph.Error{Code: graph.Unavailable, Message: "The request took too long; ask for less or try again."}, err)
	}
	return err
}

func sqlState(err error) string {
	if e, ok := errors.AsType[*pq.Error](err); ok {
		return string(e.Code)
	}
	return ""
}

func outOfReach(err error) bool {
	if state := sqlState(err); state != "" {
		// 08: connection, 57P: shut down or starting, 53: out of connections, memory or disk, 58: the machine failed,
		// 25006: a standby answered.
		return slices.Contains([]string{"08", "53", "58"}, state[:2]) || state[:3] == "57P" || state == "25006"
	}
	var network net.Error
	return errors.As(err, &network) && !errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF)
}

func tooSlow(err error) bool {
	return sqlState(err) == string(pqerror.QueryCanceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, context.Canceled)
}

// retriable reports whether a transaction that failed with err may succeed when it is run again.
func retriable(err error) bool {
	_, lost := errors.AsType[lostError](err)
	return lost || slices.Contains([]string{"40001", "40P01"}, sqlState(err)) || errors.Is(err, errAgain)
}

var (
	violated = regexp.MustCompile(`constraint "([^"]+)"`)
	shard    = regexp.MustCompile(`_\d+$`)
)

// violates reports whether err says that the constraint is violated. The name is read from the message, where Citus adds
// the number of a shard; its errors have no field for it.
func violates(err error, constraint string) bool {
	e, ok := errors.AsType[*pq.Error](err)
	if !ok || string(e.Code[:2]) != "23" {
		return false
	}
	m := violated.FindStringSubmatch(e.Message)
	return m != nil && (m[1] == constraint || shard.ReplaceAllString(m[1], "") == constraint)
}
