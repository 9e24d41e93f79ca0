package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"grantwood/db"
	"grantwood/pgembed"
)

// databaseSettings say which database is used: the one behind DATABASE_URL, else a private server of the program's own.
type databaseSettings struct {
	DatabaseURL      string `help:"PostgreSQL to use, as the role that serves requests; a private server when empty." env:"GRANTWOOD_DATABASE_URL,DATABASE_URL"`
	DatabaseAdminURL string `help:"The same database without a pooler between, as the role that owns the tables, for migrations and retention; as --database-url when empty." env:"GRANTWOOD_DATABASE_ADMIN_URL,DATABASE_ADMIN_URL"`
	DatabaseDirect   bool   `help:"Nothing lies between the server and --database-url, so that statements are prepared, which is faster. With a pooler between that gives wrong answers." env:"GRANTWOOD_DATABASE_DIRECT"`
	MaxConnections   int    `help:"Most connections to the database at a time." default:"8" env:"GRANTWOOD_MAX_CONNECTIONS"`
	DataDir          string `help:"Directory of the private server; /var/lib/grantwood as root, else ~/.local/share/grantwood." env:"GRANTWOOD_DATA_DIR" type:"path"`
}

// check refuses settings that cannot work, with what to do.
func (s databaseSettings) check() error {
	if s.MaxConnections < 1 || s.MaxConnections > 1000 {
		return fmt.Errorf("--max-connections (GRANTWOOD_MAX_CONNECTIONS) is %d: give a number from 1 to 1000", s.MaxConnections)
	}
	if s.DatabaseURL == "" && s.DatabaseAdminURL != "" {
		return errors.New("--database-admin-url (DATABASE_ADMIN_URL) is set without --database-url (DATABASE_URL): set both or none")
	}
	if s.DatabaseURL == "" && s.DatabaseDirect {
		return errors.New("--database-direct (GRANTWOOD_DATABASE_DIRECT) says something about --database-url (DATABASE_URL), which is not set")
	}
	return nil
}

// database is an open database and, when it is private, its server.
type database struct {
	*db.DB
	server *pgembed.Server
}

// databaseName is the database of the private server, servingRole the role there that serves requests: another than the one
// that owns the tables, so that it cannot rewrite the audit trail.
const (
	databaseName = "grantwood"
	servingRole  = "grantwood_server"
)

// open reaches the database. The configuration says what is not a matter of these settings. A private server that another
// grantwood process runs is shared when that is enough.
func (s databaseSettings) open(ctx context.Context, log *slog.Logger, share bool, c db.Config) (*database, error) {
	c.MaxConns, c.Logger = s.MaxConnections, log
	if s.DatabaseURL != "" {
		c.URL, c.AdminURL, c.Direct = s.DatabaseURL, s.DatabaseAdminURL, s.DatabaseDirect
		d, err := db.Open(c)
		return &database{DB: d}, err
	}
	server, err := startPrivate(ctx, s.DataDir, log, share)
	if err != nil {
		return nil, err
	}
	if err := server.EnsureDatabase(ctx, databaseName); err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	return openPrivate(ctx, server, databaseName, c)
}

func startPrivate(ctx context.Context, dir string, log *slog.Logger, share bool) (*pgembed.Server, error) {
	server, err := pgembed.Start(ctx, pgembed.Options{DataDir: dir, Logger: log})
	if _, locked := errors.AsType[*pgembed.LockedError](err); locked && share {
		return pgembed.Attach(dir)
	}
	return server, err
}

// openPrivate opens a database of a private server, which it stops when that fails.
func openPrivate(ctx context.Context, server *pgembed.Server, name string, c db.Config) (*database, error) {
	if err := server.EnsureRole(ctx, servingRole); err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	c.URL, c.AdminURL, c.Direct = server.DSNAs(servingRole, name), server.DSN(name), true
	d, err := db.Open(c)
	if err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	return &database{DB: d, server: server}, nil
}

// died receives when the private server ends by itself; never for other databases.
func (d *database) died() <-chan error {
	if d.server == nil {
		return nil
	}
	return d.server.Died()
}

// Close ends the connections, then the private server.
func (d *database) Close() error {
	err := d.DB.Close()
	if d.server == nil {
		return err
	}
	return errors.Join(err, d.server.Stop())
}
