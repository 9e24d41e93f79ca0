package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"grantwood/db"
)

// retentionSettings say how long what is no longer needed is kept.
type retentionSettings struct {
	AuditRetention int `help:"Days for which events of the audit trail are kept; for ever when 0." default:"0" env:"GRANTWOOD_AUDIT_RETENTION"`
}

// check refuses settings that cannot work, with what to do.
func (s retentionSettings) check() error {
	if s.AuditRetention < 0 || s.AuditRetention > 36500 {
		return fmt.Errorf("--audit-retention (GRANTWOOD_AUDIT_RETENTION) is %d: give a number of days up to 36500, or 0 for ever", s.AuditRetention)
	}
	return nil
}

// forget is a job that lets old events leave the audit trail: at the start and once a day. Several servers may do it.
func forget(d *db.DB, s retentionSettings, log *slog.Logger) job {
	return func(ctx context.Context) {
		if s.AuditRetention == 0 {
			return
		}
		daily := time.NewTicker(24 * time.Hour)
		defer daily.Stop()
		for {
			before := time.Now().UTC().AddDate(0, 0, -s.AuditRetention)
			forgotten, err := d.ForgetEvents(ctx, before)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				log.ErrorContext(ctx, "old events stay in the audit trail", "error", err)
			case forgotten > 0:
				log.InfoContext(ctx, "old events left the audit trail", "events", forgotten, "before", before)
			}
			select {
			case <-ctx.Done():
				return
			case <-daily.C:
			}
		}
	}
}
