package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"grantwood/demo"
	"grantwood/graph"
)

// demoUsage is what usage the demo has, as it is kept with the demo's database. The day and the number of the first start stay, so
// that a loading that was broken off goes on with the same records.
type demoUsage struct {
	Day     time.Time `json:"day"`
	Records int       `json:"records"`
	Loaded  bool      `json:"loaded"`
}

// usage finds out what usage the demo has or is to have. It decides that once.
func (c demoCommand) usage(ctx context.Context, d *database, log *slog.Logger) (u demoUsage, err error) {
	text, err := demoDatabases(d.server).Description(ctx, demoDatabase)
	if err != nil {
		return u, err
	}
	if text == "" {
		u = demoUsage{Day: time.Now().UTC().Truncate(24 * time.Hour), Records: c.Usage, Loaded: c.Usage == 0}
		return u, u.keep(ctx, d)
	}
	if err := json.Unmarshal([]byte(text), &u); err != nil {
		return u, fmt.Errorf("read what usage the demo has: %w: start over with --fresh", err)
	}
	if u.Records != c.Usage {
		log.Info("the demo keeps the number of usage records with which it began; --fresh starts over with another one", "records", u.Records)
	}
	return u, nil
}

func (u demoUsage) keep(ctx context.Context, d *database) error {
	text, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return demoDatabases(d.server).Describe(ctx, demoDatabase, string(text))
}

// loadUsage is a job that loads what usage is missing, and shows how far it is: by the bar on a terminal, else by the log.
func loadUsage(d *database, v *graph.Viewer, u demoUsage, progress *bar, log *slog.Logger) job {
	return func(ctx context.Context) {
		if u.Loaded {
			return
		}
		start := time.Now()
		progress.expect(u.Records)
		var added, tenths atomic.Int64
		err := demo.Load(ctx, d.DB, v, u.Day, u.Records, func(records int) {
			progress.count(records)
			now := added.Add(int64(records))
			if tenth := now * 10 / int64(u.Records); !progress.shows && tenths.Swap(tenth) < tenth {
				log.InfoContext(ctx, "loading usage", "records", now, "of", u.Records)
			}
		})
		if err == nil {
			u.Loaded = true
			err = u.keep(ctx, d)
		}
		progress.end()
		switch {
		case ctx.Err() != nil:
			log.Info("loading usage goes on at the next start", "records", added.Load(), "of", u.Records)
		case err != nil:
			log.ErrorContext(ctx, "usage is not loaded; tried again at the next start", "error", err)
		default:
			log.InfoContext(ctx, "usage loaded", "records", u.Records, "seconds", time.Since(start).Seconds())
		}
	}
}
