package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"grantwood/db"
	"grantwood/pgembed"
)

type doctorCommand struct {
	databaseSettings
	httpSettings
	smtpSettings
	retentionSettings
	logSettings
	Rollups bool `help:"Compare the sums of usage with its records; takes a while when there are many."`
	Rebuild bool `help:"Make sums anew that are not those of the records; with --rollups."`
}

// Validate refuses settings that cannot work.
func (c doctorCommand) Validate() error {
	if c.Rebuild && !c.Rollups {
		return errors.New("--rebuild goes with --rollups")
	}
	return errors.Join(c.databaseSettings.check(), c.httpSettings.check(), c.smtpSettings.check(), c.retentionSettings.check())
}

// Run checks one thing after the other, says what it found and what to do, and fails when something is wrong. It changes
// nothing but to start a private server that does not run, and sums of usage when told to.
func (c doctorCommand) Run(ctx context.Context) error {
	if !c.Rollups { // which takes as long as it takes
		short, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		ctx = short
	}
	wrong := 0
	report := func(what string, err error) bool {
		if err == nil {
			fmt.Println("ok    " + what)
			return true
		}
		wrong++
		fmt.Printf("WRONG %s: %v\n", what, err)
		return false
	}
	report("settings: listening on "+c.Addr+", at most "+fmt.Sprint(c.MaxConnections)+" database connections", nil)
	if c.tls() {
		report(c.certificate())
	}
	if c.smtpSettings.on() {
		report("settings: mail goes to "+c.transport().String(), nil)
	} else {
		report("settings: no mail is sent", nil)
	}
	if c.DatabaseURL == "" {
		programs, err := pgembed.Find()
		if !report(fmt.Sprintf("PostgreSQL's programs: %s in %s", programs.Version, programs.BinDir), err) {
			return errors.New("one check failed")
		}
	}
	c.checkDatabase(ctx, report)
	if wrong > 0 {
		return fmt.Errorf("%d checks failed", wrong)
	}
	return nil
}

// certificate says which certificate there is, and what is wrong with it.
func (c doctorCommand) certificate() (what string, err error) {
	pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return "certificate " + c.TLSCert + " with key " + c.TLSKey, err
	}
	what = "certificate: expires " + pair.Leaf.NotAfter.UTC().Format(time.DateTime)
	if time.Now().After(pair.Leaf.NotAfter) {
		err = errors.New("it has expired: renew it")
	}
	return what, err
}

func (c doctorCommand) checkDatabase(ctx context.Context, report func(string, error) bool) {
	c.LogLevel = "error"
	d, err := c.open(ctx, c.logger(), true, db.Config{UsageMonths: c.UsageRetention})
	if !report("database settings", err) {
		return
	}
	defer func() { report("closing the database", d.Close()) }()
	health, err := d.Check(ctx)
	if !report("database answers: PostgreSQL "+health.Version, err) {
		return
	}
	if health.Major < 14 {
		err = errors.New("PostgreSQL 14 or newer is needed: use a newer server")
	}
	report("version of the database server", err)
	pending, err := d.Pending(ctx)
	if err == nil && pending > 0 {
		err = fmt.Errorf("%d migrations are missing: run grantwood migrate, or start grantwood serve", pending)
	}
	report("tables are of this version", err)
	if c.DatabaseURL == "" && !health.Durable {
		err = errors.New("fsync, synchronous_commit or full_page_writes is off: what was acknowledged can be lost")
	}
	report("acknowledged changes are durable", err)
	c.checkTrail(ctx, d, report)
	if c.Rollups {
		c.checkSums(ctx, d, report)
	}
}

// checkSums compares the sums of usage with its records. What was made anew is no longer wrong.
func (c doctorCommand) checkSums(ctx context.Context, d *database, report func(string, error) bool) {
	differ, err := d.CheckSums(ctx, c.Rebuild)
	for _, s := range differ {
		if c.Rebuild {
			fmt.Printf("note  %s: made anew\n", s)
			continue
		}
		err = errors.Join(err, errors.New(s.String()))
	}
	if len(differ) > 0 && !c.Rebuild {
		err = errors.Join(err, errors.New("run grantwood doctor --rollups --rebuild"))
	}
	report("sums of usage are those of its records", err)
}

// checkTrail says whether the serving role could rewrite the audit trail. One role for everything is allowed on a server of
// the operator's own, and worth a note; on the private server it would be a fault.
func (c doctorCommand) checkTrail(ctx context.Context, d *database, report func(string, error) bool) {
	can, err := d.CanRewriteTrail(ctx)
	switch {
	case err == nil && can && c.DatabaseURL != "":
		fmt.Println("note  " + openTrail)
		return
	case err == nil && can:
		err = errors.New("the serving role has more rights than it should: run grantwood migrate")
	}
	report("the audit trail is append-only for the role that serves requests", err)
}

// openTrail is what to know and do where one role does everything.
const openTrail = "the role that serves requests owns the audit trail and could rewrite it: " +
	"serve as a role of its own, see \"Two roles\" in the README"
