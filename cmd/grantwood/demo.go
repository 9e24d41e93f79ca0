package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"grantwood/db"
	"grantwood/demo"
	"grantwood/mail"
	"grantwood/pgembed"
	"grantwood/web"
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
	Usage   int    `help:"Number of usage records, of 90 days, that the demo gets at its first start; none when 0." default:"1000000" env:"GRANTWOOD_USAGE"`
}

// mostUsage is how many usage records the demo may get.
const mostUsage = 10_000_000

// Validate refuses settings that cannot work.
func (c demoCommand) Validate() error {
	if c.Usage < 0 || c.Usage > mostUsage {
		return fmt.Errorf("--usage (GRANTWOOD_USAGE) is %d: give a number from 0 to %d", c.Usage, mostUsage)
	}
	return c.check()
}

// Run serves the demo until it is told to stop.
func (c demoCommand) Run(ctx context.Context) (err error) {
	progress := newBar("loading usage", -1)
	log := c.loggerTo(progress.above())
	w, err := watch(ctx, log)
	if err != nil {
		return err
	}
	defer w.end()
	l, err := c.listen(log)
	if err != nil {
		return err
	}
	defer l.close() // serve closes it, unless it is not reached
	d, err := c.open(ctx, w, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := migrate(ctx, d, log); err != nil {
		return err
	}
	v, token, err := demo.NewOperator(ctx, d.DB)
	if err != nil {
		return err
	}
	u, err := c.usage(ctx, d, log)
	if err != nil {
		return err
	}
	page, err := web.Playground(web.Settings{Version: version, Demo: demoPage()})
	if err != nil {
		return err
	}
	introduce(c.publicURL(l.main.Addr()), token, u)
	return serve(ctx, l, d, c.httpSettings, w, page, log, sendMail(d.DB, mail.Log{Logger: log}, w.metrics, log), keepUsage(d.DB, w.metrics, log), forgetLive(d.DB, w.metrics, log),
		loadUsage(d, v, u, progress, log))
}

// listen listens like serve does; without those who watch when their address is taken, which is no reason to show nothing.
func (c demoCommand) listen(log *slog.Logger) (l listeners, err error) {
	if l.main, err = listen(c.Addr); err != nil {
		return l, err
	}
	if l.admin, err = listenAdmin(c.AdminAddr); err != nil {
		log.Warn("no metrics", "error", err)
	}
	return l, nil
}

// open reaches the demo's database, and fills it the first time.
func (c demoCommand) open(ctx context.Context, w watching, log *slog.Logger) (*database, error) {
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
	return openPrivate(ctx, server, demoDatabase, db.Config{Logger: log, SendMail: true, Tracing: w.tracing})
}

// demoPage is what the playground knows of the demo.
func demoPage() *web.Demo {
	d := &web.Demo{Password: demo.Password}
	for _, p := range demo.People() {
		d.People = append(d.People, web.Person{Email: p.Email, Name: p.Name, About: p.About})
	}
	return d
}

func (c demoCommand) dir() (string, error) {
	if c.DemoDir != "" {
		return c.DemoDir, nil
	}
	dir, err := pgembed.DefaultDir()
	return dir + "-demo", err
}

func demoDatabases(server *pgembed.Server) db.Databases {
	return db.Databases{DSN: server.DSN("postgres")}
}

func (c demoCommand) fill(ctx context.Context, server *pgembed.Server, log *slog.Logger) error {
	databases := demoDatabases(server)
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
