package pgembed

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/lib/pq"
)

// DSN is how to connect to a database of this server: key=value pairs as libpq reads them, the values quoted.
// Further pairs may be appended after a space. The user is the server's superuser, and needs no password.
func (s *Server) DSN(database string) string { return s.DSNAs(superuser, database) }

// DSNAs is DSN as another role, which needs no password either: the socket's directory is what keeps others out.
func (s *Server) DSNAs(role, database string) string {
	return fmt.Sprintf("host=%s port=%s user=%s dbname=%s sslmode=disable",
		quote(s.socketDir), port, quote(role), quote(database))
}

var quoter = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

func quote(value string) string { return "'" + quoter.Replace(value) + "'" }

// maxName is how long PostgreSQL's names can be, in bytes. It cuts off the rest without an error.
const maxName = 63

// ensureKey keeps callers of EnsureDatabase and EnsureRole apart, in this and in other processes. Any number does.
const ensureKey = 0x6772616e74

// EnsureDatabase creates the database name when it is missing. It may be called at the same time from several
// processes.
func (s *Server) EnsureDatabase(ctx context.Context, name string) error {
	// template0 has no connections that could be in the way, and nothing that somebody has added.
	return s.ensure(ctx, "database", name, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`,
		`CREATE DATABASE %s TEMPLATE template0`)
}

// EnsureRole creates a role that may connect, and nothing else, when it is missing. It may be called at the same time from
// several processes.
func (s *Server) EnsureRole(ctx context.Context, name string) error {
	return s.ensure(ctx, "role", name, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, `CREATE ROLE %s LOGIN`)
}

func (s *Server) ensure(ctx context.Context, what, name, find, create string) error {
	if name == "" || len(name) > maxName || strings.ContainsRune(name, 0) {
		return fmt.Errorf("create %s %q: its name must have 1 to %d bytes, none of them zero", what, name, maxName)
	}
	if err := s.createMissing(ctx, name, find, create); err != nil {
		return fmt.Errorf("create %s %q: %w", what, name, err)
	}
	return nil
}

func (s *Server) createMissing(ctx context.Context, name, find, create string) (err error) {
	db, err := s.maintenance()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // ends the session and so the lock

	// CREATE DATABASE and CREATE ROLE know no IF NOT EXISTS, and the first runs in no transaction: only a lock makes the two
	// steps one.
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, ensureKey); err != nil {
		return err
	}
	var exists bool
	if err := conn.QueryRowContext(ctx, find, name).Scan(&exists); err != nil || exists {
		return err
	}
	_, err = conn.ExecContext(ctx, fmt.Sprintf(create, pq.QuoteIdentifier(name)))
	return err
}

// maintenance connects to the database that every server has. The configuration is spelt out rather than read
// from DSN, because variables such as PGHOSTADDR add to that.
func (s *Server) maintenance() (*sql.DB, error) {
	connector, err := pq.NewConnectorConfig(pq.Config{
		Host:               s.socketDir,
		Port:               5432,
		User:               superuser,
		Database:           "postgres",
		SSLMode:            pq.SSLModeDisable,
		ClientEncoding:     "UTF8",
		Datestyle:          "ISO, MDY",
		MinProtocolVersion: pq.ProtocolVersion30,
		MaxProtocolVersion: pq.ProtocolVersion30,
	})
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}
