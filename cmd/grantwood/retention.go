package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"grantwood/db"
	"grantwood/server"
)

// retentionSettings say how long what is no longer needed is kept.
type retentionSettings struct {
	AuditRetention int `help:"Days for which events of the audit trail are kept; for ever when 0." default:"0" env:"GRANTWOOD_AUDIT_RETENTION"`
	UsageRetention int `help:"Months for which usage is kept beside the present one." default:"13" env:"GRANTWOOD_USAGE_RETENTION"`
}

// check refuses settings that cannot work, with what to do.
func (s retentionSettings) check() error {
	if s.AuditRetention < 0 || s.AuditRetention > 36500 {
		return fmt.Errorf("--audit-retention (GRANTWOOD_AUDIT_RETENTION) is %d: give a number of days up to 36500, or 0 for ever", s.AuditRetention)
	}
	if s.UsageRetention < 1 || s.UsageRetention > 1200 {
		return fmt.Errorf("--usage-retention (GRANTWOOD_USAGE_RETENTION) is %d: give a number of months from 1 to 1200", s.UsageRetention)
	}
	return nil
}

// forget is a job that lets old events leave the audit trail: at the start and once a day. Several servers may do it.
func forget(d *db.DB, s retentionSettings, m *server.Metrics, log *slog.Logger) job {
	return func(ctx context.Context) {
		if s.AuditRetention == 0 {
			return
		}
		daily(ctx, func() {
			before := time.Now().UTC().AddDate(0, 0, -s.AuditRetention)
			forgotten, err := d.ForgetEvents(ctx, before)
			if ctx.Err() == nil {
				m.Task(server.Task{Name: "audit_retention", Every: day}, err)
			}
			switch {
			case ctx.Err() != nil:
			case err != nil:
				log.ErrorContext(ctx, "old events stay in the audit trail", "error", err)
			case forgotten > 0:
				log.InfoContext(ctx, "old events left the audit trail", "events", forgotten, "before", before)
			}
		})
	}
}

// keepUsage is a job that makes the partitions for usage of the months to come, and lets go those of months that are no longer kept:
// at the start and once a day. Several servers may do it.
func keepUsage(d *db.DB, m *server.Metrics, log *slog.Logger) job {
	return func(ctx context.Context) {
		daily(ctx, func() {
			now := time.Now()
			err := d.KeepUsagePartitions(ctx, now)
			dropped, err2 := d.DropOldUsage(ctx, now)
			err = errors.Join(err, err2)
			if ctx.Err() == nil {
				m.Task(server.Task{Name: "usage_partitions", Every: day}, err)
			}
			if err != nil && ctx.Err() == nil {
				log.ErrorContext(ctx, "partitions for usage are not as they should be; tried again tomorrow", "error", err)
			}
			if len(dropped) > 0 {
				log.InfoContext(ctx, "old usage left", "partitions", dropped)
			}
		})
	}
}

// forgetLive is a job that removes live events that no subscription can go on from any more: at the start and four times an hour.
// Several servers may do it.
func forgetLive(d *db.DB, m *server.Metrics, log *slog.Logger) job {
	return func(ctx context.Context) {
		every(ctx, quarter, func() {
			_, err := d.ForgetLiveEvents(ctx, time.Now())
			if ctx.Err() == nil {
				m.Task(server.Task{Name: "live_retention", Every: quarter}, err)
			}
			if err != nil && ctx.Err() == nil {
				log.ErrorContext(ctx, "old live events stay; tried again", "error", err)
			}
		})
	}
}

const (
	day     = 24 * time.Hour
	quarter = 15 * time.Minute
)

// daily does something now and once a day until ctx ends.
func daily(ctx context.Context, do func()) { every(ctx, day, do) }

// every does something now and then once in a while until ctx ends.
func every(ctx context.Context, while time.Duration, do func()) {
	ticker := time.NewTicker(while)
	defer ticker.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
