package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"grantwood/db"
	"grantwood/graph"
)

// Load adds n records of usage to the accounts that Fill made, as an operator with INGEST and SUPPORT, and says after each batch how
// many of how many it has added; the accounts at the same time, each account's records in their order. What is there already adds
// nothing: after an interruption it is called again, with the same day and number. Accounts and keys are known by the order in which
// they were made, since their names may have been changed by then.
func Load(ctx context.Context, d *db.DB, v *graph.Viewer, day time.Time, n int, progress func(records int)) error {
	if err := d.KeepUsagePartitions(ctx, time.Now()); err != nil {
		return err
	}
	reader := *v
	reader.Request = request()
	accounts, err := d.Accounts(ctx, &reader, graph.Window{Order: graph.ByCreation, Limit: len(accountNames)}, nil, db.Ask{})
	if err != nil {
		return err
	}
	if len(accounts.Nodes) < len(accountNames) {
		return errors.New("load usage: the demo's accounts are not there")
	}
	loading, ctx := errgroup.WithContext(ctx)
	for i, name := range accountNames {
		loading.Go(func() error {
			err := load(ctx, d, *v, accounts.Nodes[i].AccountID, name, day, n, progress)
			if err != nil {
				return fmt.Errorf("load usage of %s: %w", name, err)
			}
			return nil
		})
	}
	return loading.Wait()
}

// load adds what one account has of n records.
func load(ctx context.Context, d *db.DB, v graph.Viewer, account graph.UUID, name string, day time.Time, n int, progress func(int)) error {
	v.Request = request()
	names := KeyNames(name)
	made, err := d.KeysOf(ctx, &v, account, graph.Window{Order: graph.ByCreation, Limit: len(names)},
		graph.ApiKeyFilter{Statuses: []graph.ApiKeyStatus{graph.KeyEnabled, graph.KeyDisabled, graph.KeyDeleted}}, db.Ask{})
	if err != nil {
		return err
	}
	if len(made.Nodes) < len(names) {
		return errors.New("its keys are not there")
	}
	keys := make([]string, len(names))
	for i, k := range made.Nodes {
		keys[i] = k.Key
	}
	batch := make([]*graph.UsageRecordInput, 0, graph.MaxUsageBatch)
	add := func() error {
		v.Request = request()
		done, err := d.IngestUsage(ctx, &v, batch, false)
		if err == nil && len(done.Refused) > 0 {
			err = fmt.Errorf("record %s: %s", batch[done.Refused[0].Index].Reference, done.Refused[0].Message)
		}
		if err == nil {
			progress(len(batch))
		}
		batch = batch[:0]
		return err
	}
	for r := range Usage(name, keys, day, UsageOf(name, n)) {
		if batch = append(batch, r); len(batch) < cap(batch) {
			continue
		}
		if err := add(); err != nil {
			return err
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return add()
}
