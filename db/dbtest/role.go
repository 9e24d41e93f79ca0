package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// servingRole is the role that serves in a private server.
const servingRole = "grantwood_server"

// role is one that serves on somebody else's server, where roles need a password.
type role struct{ name, password string }

// createRole makes a role for this process, and gives what drops it.
func createRole(ctx context.Context, name string) (r role, drop func(), err error) {
	r = role{name, rand.Text()}
	err = execute(ctx, fmt.Sprintf(`CREATE ROLE %s LOGIN PASSWORD '%s'`, r.name, r.password))
	if err != nil {
		return r, nil, fmt.Errorf("TEST_DATABASE_URL has to be a role that may create databases and roles: %w", err)
	}
	return r, func() { _ = execute(ctx, `DROP ROLE `+r.name) }, nil
}

func execute(ctx context.Context, statement string) (err error) {
	pool, err := sql.Open("postgres", process.dsn("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	_, err = pool.ExecContext(ctx, statement)
	return err
}

// on puts the role into an address in the form of a URL or of words.
func (r role) on(dsn string) string {
	u, err := url.Parse(dsn)
	if !strings.Contains(dsn, "://") || err != nil {
		return fmt.Sprintf("%s user=%s password=%s", dsn, r.name, r.password)
	}
	u.User = url.UserPassword(r.name, r.password)
	options := u.Query()
	options.Del("user")
	options.Del("password")
	u.RawQuery = options.Encode()
	return u.String()
}
