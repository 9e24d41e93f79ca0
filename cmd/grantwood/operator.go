package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"grantwood/db"
	"grantwood/graph"
)

type operatorCommand struct {
	Create operatorCreate `cmd:"" help:"Make an operator and show its token, this once."`
	List   operatorList   `cmd:"" help:"List operators."`
	Revoke operatorRevoke `cmd:"" help:"Refuse the tokens of operators from their next request on."`
}

type operatorCreate struct {
	databaseSettings
	logSettings
	Label  string `help:"Name shown in audit trails." required:""`
	Scopes string `help:"What the operator may do, separated by commas: SUPPORT, ADMIN, INGEST, VERIFY." required:""`
}

// Run makes an operator. It works beside a running server.
func (c operatorCreate) Run(ctx context.Context) error {
	scopes, err := graph.ParseScopes(c.Scopes)
	if err != nil {
		return fmt.Errorf("--scopes: %w", err)
	}
	if label := strings.TrimSpace(c.Label); label == "" || len(label) > 100 {
		return errors.New("--label has 1 to 100 characters")
	}
	return c.with(ctx, c.logSettings, func(d *database) error {
		_, token, err := d.CreateOperator(ctx, strings.TrimSpace(c.Label), scopes)
		if err == nil {
			fmt.Println(token)
		}
		return err
	})
}

type operatorList struct {
	databaseSettings
	logSettings
}

// Run lists operators.
func (c operatorList) Run(ctx context.Context) error {
	return c.with(ctx, c.logSettings, func(d *database) error {
		operators, err := d.Operators(ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(table, "LABEL\tSCOPES\tCREATED\tREVOKED")
		for _, o := range operators {
			revoked := ""
			if o.RevokedAt != nil {
				revoked = o.RevokedAt.UTC().Format("2006-01-02 15:04")
			}
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", o.Label, o.Scopes, o.CreatedAt.UTC().Format("2006-01-02 15:04"), revoked)
		}
		return table.Flush()
	})
}

type operatorRevoke struct {
	databaseSettings
	logSettings
	Label string `arg:"" help:"Label of the operators."`
}

// Run revokes operators.
func (c operatorRevoke) Run(ctx context.Context) error {
	return c.with(ctx, c.logSettings, func(d *database) error {
		ended, err := d.RevokeOperators(ctx, c.Label)
		if err == nil && ended == 0 {
			return fmt.Errorf("no operator with the label %q has a token", c.Label)
		}
		return err
	})
}

// with does something with the database, whether or not a server is running.
func (s databaseSettings) with(ctx context.Context, l logSettings, do func(*database) error) (err error) {
	if err := s.check(); err != nil {
		return err
	}
	l.LogLevel = "warn"
	log := l.logger()
	d, err := s.open(ctx, log, true, db.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := migrate(ctx, d, log); err != nil {
		return err
	}
	return do(d)
}

type migrateCommand struct {
	databaseSettings
	logSettings
}

// Run brings the database to the newest version.
func (c migrateCommand) Run(ctx context.Context) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	log := c.logger()
	d, err := c.open(ctx, log, true, db.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	applied, err := d.Migrate(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("The database is at the newest version; %d migrations were applied.\n", applied)
	return nil
}
