package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"text/tabwriter"
	"time"

	"grantwood/db"
	"grantwood/demo"
	"grantwood/mail"
	"grantwood/pgembed"
)

// Names of databases: one is filled under another name, so that a filling that was broken off is never taken for a whole.
const (
	demoDatabase    = "grantwood_demo"
	fillingDatabase = "grantwood_demo_filling"
)

type demoCommand struct {
	httpSettings
	logSettings
	DemoDir string `help:"Directory of the demo's private server; that of serve with -demo at its end when empty." env:"GRANTWOOD_DEMO_DIR" type:"path"`
	Fresh   bool   `help:"Start over: forget what was changed." env:"GRANTWOOD_FRESH"`
}

// Validate refuses settings that cannot work.
func (c demoCommand) Validate() error { return c.check() }

// Run serves the demo until it is told to stop.
func (c demoCommand) Run(ctx context.Context) (err error) {
	log := c.logger()
	l, err := listen(c.Addr)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // serve closes it, unless it is not reached
	d, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := migrate(ctx, d, log); err != nil {
		return err
	}
	_, token, err := demo.NewOperator(ctx, d.DB)
	if err != nil {
		return err
	}
	introduce(c.publicURL(l.Addr()), token)
	return serve(ctx, l, d, c.httpSettings, log, sendMail(d.DB, mail.Log{Logger: log}, log), keepUsage(d.DB, log))
}

// open reaches the demo's database, and fills it the first time.
func (c demoCommand) open(ctx context.Context, log *slog.Logger) (*database, error) {
	dir, err := c.dir()
	if err != nil {
		return nil, err
	}
	server, err := startPrivate(ctx, dir, log, false)
	if err != nil {
		return nil, err
	}
	if err := c.fill(ctx, server, log); err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	return openPrivate(ctx, server, demoDatabase, db.Config{Logger: log, SendMail: true})
}

func (c demoCommand) dir() (string, error) {
	if c.DemoDir != "" {
		return c.DemoDir, nil
	}
	dir, err := pgembed.DefaultDir()
	return dir + "-demo", err
}

func (c demoCommand) fill(ctx context.Context, server *pgembed.Server, log *slog.Logger) error {
	databases := db.Databases{DSN: server.DSN("postgres")}
	if c.Fresh {
		if err := databases.Drop(ctx, demoDatabase); err != nil {
			return err
		}
	}
	if there, err := databases.Exists(ctx, demoDatabase); err != nil || there {
		return err
	}
	log.Info("filling the demo, once")
	start := time.Now()
	if err := databases.Drop(ctx, fillingDatabase); err != nil {
		return err
	}
	if err := databases.Create(ctx, fillingDatabase, ""); err != nil {
		return err
	}
	if err := fillDatabase(ctx, server.DSN(fillingDatabase), log); err != nil {
		return err
	}
	log.Info("demo filled", "seconds", time.Since(start).Seconds())
	return databases.Rename(ctx, fillingDatabase, demoDatabase)
}

func fillDatabase(ctx context.Context, dsn string, log *slog.Logger) (err error) {
	d, err := db.Open(db.Config{URL: dsn, MaxConns: 2, Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if _, err := d.Migrate(ctx); err != nil {
		return err
	}
	return demo.Fill(ctx, d)
}

// introduce prints what somebody needs to begin.
func introduce(url, operatorToken string) {
	fmt.Printf("\nGrantwood listens on %s/graphql\n\nPeople, all with the password %s:\n\n", url, demo.Password)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, p := range demo.People() {
		_, _ = fmt.Fprintf(table, "  %s\t%s\n", p.Email, p.About)
	}
	_ = table.Flush()
	fmt.Printf(`
Operator token (new at every start): %s

Try, in another terminal:

  # sign in as somebody who sees two keys
  TOKEN=$(curl -s %[2]s/graphql -H 'Content-Type: application/json' -d '{"query":"mutation{signIn(input:{email:\"reporting@globex.example\",password:\"%[3]s\"}){sessionToken userErrors{message}}}"}' | sed 's/.*"sessionToken":"\([^"]*\)".*/\1/')

  # what they see
  curl -s %[2]s/graphql -H 'Content-Type: application/json' -H "Authorization: Bearer $TOKEN" -d '{"query":"{viewer{user{displayName}} account{name apiKeys{totalCount nodes{name status}} users{nodes{displayName}}}}"}'

  # any account, as the provider
  curl -s %[2]s/graphql -H 'Content-Type: application/json' -H "Authorization: Bearer %[1]s" -d '{"query":"mutation{createAccount(input:{name:\"Hooli\",currency:\"USD\",primaryEmail:\"me@hooli.example\"}){account{id name} link userErrors{message path}}}"}'

`, operatorToken, url, demo.Password)
}
