package db

import (
	"context"
	"fmt"
	"strings"

	"github.com/lib/pq"
)

// Databases makes, renames and drops databases of one server, for `grantwood demo` and for tests.
type Databases struct {
	DSN string // of a database that stays, usually postgres
}

// Exists reports whether there is a database with the name.
func (d Databases) Exists(ctx context.Context, name string) (bool, error) {
	pool, err := openPool(d.DSN, 1)
	if err != nil {
		return false, err
	}
	defer func() { _ = pool.Close() }()
	var exists bool
	err = pool.GetContext(ctx, &exists, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name)
	return exists, fault("look for database", err)
}

// Create makes a database, as a copy of the template when that is not empty. Nobody may be connected to the template.
func (d Databases) Create(ctx context.Context, name, template string) error {
	if template == "" {
		template = "template0"
	}
	return d.run(ctx, "create database", "CREATE DATABASE %s TEMPLATE %s", name, template)
}

// Drop removes a database if it is there, and ends its connections.
func (d Databases) Drop(ctx context.Context, name string) error {
	return d.run(ctx, "drop database", "DROP DATABASE IF EXISTS %s WITH (FORCE)", name)
}

// Rename gives a database another name. Nobody may be connected to it.
func (d Databases) Rename(ctx context.Context, name, to string) error {
	return d.run(ctx, "rename database", "ALTER DATABASE %s RENAME TO %s", name, to)
}

// Describe keeps a text with a database, which goes with it when it is renamed or dropped.
func (d Databases) Describe(ctx context.Context, name, text string) error {
	return d.run(ctx, "describe database", "COMMENT ON DATABASE %s IS "+strings.ReplaceAll(pq.QuoteLiteral(text), "%", "%%"), name)
}

// Description gives the text that was kept with a database last, empty when none was. An error when there is no such database.
func (d Databases) Description(ctx context.Context, name string) (string, error) {
	pool, err := openPool(d.DSN, 1)
	if err != nil {
		return "", err
	}
	defer func() { _ = pool.Close() }()
	var text string
	err = pool.GetContext(ctx, &text, `
		SELECT coalesce(shobj_description(b.oid, 'pg_database'), '')
		FROM pg_database b WHERE b.datname = $1`, name)
	return text, fault("read the description of the database", err)
}

func (d Databases) run(ctx context.Context, doing, statement string, names ...string) error {
	pool, err := openPool(d.DSN, 1)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	quoted := make([]any, len(names))
	for i, n := range names {
		quoted[i] = pq.QuoteIdentifier(n)
	}
	_, err = pool.ExecContext(ctx, fmt.Sprintf(statement, quoted...))
	return fault(doing, err)
}
