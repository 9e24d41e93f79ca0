package db

import (
	"context"
	"errors"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// SetUsageThreshold sets the threshold on a key or unit that v sees; a repeat changes nothing. With another limit or time zone it is
// a threshold that was crossed in no period yet. NotFound for a key or unit that is hidden or missing, and what
// graph.SetUsageThresholdInput.Check and graph.Viewer.MaySetUsageThreshold refuse.
func (db *DB) SetUsageThreshold(ctx context.Context, v *graph.Viewer, in graph.SetUsageThresholdInput) (*graph.UsageThreshold, error) {
	var made *graph.UsageThreshold
	err := db.changeAs(ctx, v, graph.ManageKeys, stays, "set threshold", func(tx *sqlx.Tx, v *graph.Viewer) (err error) {
		if err := in.Check(); err != nil {
			return err
		}
		if made, err = thresholdOn(ctx, tx, v, in); err != nil {
			return err
		}
		if err := v.MaySetUsageThreshold(made.Key, made.Unit); err != nil {
			return err
		}
		if err := setThreshold(ctx, tx, v, made, in); err != nil {
			return err
		}
		return addUpNow(ctx, tx, v, made.AccountID, []*graph.UsageThreshold{made})
	})
	return made, err
}

// thresholdOn gives a threshold, not set yet, on the key or unit of the input. Others that set one on it wait.
func thresholdOn(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, in graph.SetUsageThresholdInput) (*graph.UsageThreshold, error) {
	t := &graph.UsageThreshold{AccountID: v.AccountID(), ThresholdID: newID(), Measure: in.Measure, Period: in.Period, CreatedAt: v.Request.At}
	var err error
	if in.KeyID != nil {
		if t.Key, err = keyForChange(ctx, tx, v, *in.KeyID, "input.keyId"); err == nil {
			t.KeyID = &t.Key.KeyID
		}
		return t, err
	}
	if err := lockTree(ctx, tx, v); err != nil {
		return nil, err
	}
	t.Unit, err = unitForChange(ctx, tx, v, *in.UnitID, "input.unitId")
	t.UnitID = idOf(t.Unit)
	return t, err
}

// setThreshold stores the threshold, or gives the one that is there the values of the input.
func setThreshold(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, t *graph.UsageThreshold, in graph.SetUsageThresholdInput) error {
	var there []graph.UsageThreshold
	err := tx.SelectContext(ctx, &there, `
		SELECT `+thresholdColumns.of("t")+`
		FROM usage_thresholds t
		WHERE t.account_id = $1 AND t.key_id IS NOT DISTINCT FROM $2 AND t.unit_id IS NOT DISTINCT FROM $3 AND t.measure = $4 AND t.period = $5`,
		t.AccountID, t.KeyID, t.UnitID, t.Measure, t.Period)
	if err != nil {
		return err
	}
	isNew := len(there) == 0
	if !isNew {
		k, u := t.Key, t.Unit
		*t = there[0]
		t.Key, t.Unit = k, u
	}
	changes := in.Apply(t)
	switch {
	case len(changes) == 0:
		return nil
	case isNew:
		err = insertThreshold(ctx, tx, v, t)
	default:
		err = changeThreshold(ctx, tx, t)
	}
	if err != nil {
		return err
	}
	return audit(ctx, tx, v, t.AccountID, thresholdEvent(t, graph.ThresholdSet, "Set", changes...))
}

func insertThreshold(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, t *graph.UsageThreshold) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO usage_thresholds (account_id, threshold_id, key_id, unit_id, measure, period, time_zone, limit_value, created_at, created_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		t.AccountID, t.ThresholdID, t.KeyID, t.UnitID, t.Measure, t.Period, t.TimeZone, t.LimitValue, t.CreatedAt, v.UserID())
	return err
}

// changeThreshold stores another limit and time zone, and forgets where the threshold was crossed.
func changeThreshold(ctx context.Context, tx *sqlx.Tx, t *graph.UsageThreshold) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE usage_thresholds SET limit_value = $3, time_zone = $4
		WHERE account_id = $1 AND threshold_id = $2`, t.AccountID, t.ThresholdID, t.LimitValue, t.TimeZone)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM usage_crossings
		WHERE account_id = $1 AND threshold_id = $2`, t.AccountID, t.ThresholdID)
	return err
}

// thresholdEvent is an event about a threshold. It names nothing but the key or unit that the threshold is on.
func thresholdEvent(t *graph.UsageThreshold, action graph.AuditAction, what string, changes ...*graph.AuditChange) event {
	e := event{Action: action, Key: t.KeyID, Unit: t.UnitID, Changes: changes}
	e.Summary = what + " the threshold on the " + t.Words() + "."
	return e
}

// RemoveUsageThreshold removes a threshold that v sees, and gives its ID. NotFound for one that is hidden or missing, and what
// graph.Viewer.MayRemoveUsageThreshold refuses.
func (db *DB) RemoveUsageThreshold(ctx context.Context, v *graph.Viewer, id graph.ID) (graph.ID, error) {
	const path = "input.thresholdId"
	err := db.changeAs(ctx, v, graph.ManageKeys, stays, "remove threshold", func(tx *sqlx.Tx, v *graph.Viewer) error {
		account := v.AccountID()
		list, err := visibleThresholds(ctx, tx, v, account, `t.threshold_id = ANY($4)`, []graph.UUID{id.In(account, graph.KindUsageThreshold)})
		t, err := only(list, err, path)
		if err != nil {
			return err
		}
		if err := nameThreshold(ctx, tx, t); err != nil {
			return err
		}
		if err := v.MayRemoveUsageThreshold(t); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `
			DELETE FROM usage_thresholds
			WHERE account_id = $1 AND threshold_id = $2`, account, t.ThresholdID)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, graph.Missing(path)) // removed at the same moment
		}
		return audit(ctx, tx, v, account, thresholdEvent(t, graph.ThresholdRemoved, "Removed",
			graph.Changed("limit", t.Limit().String(), ""), graph.Changed("timeZone", t.TimeZone, "")))
	})
	return id, err
}

// nameThreshold gives a threshold its key or unit, whoever sees it.
func nameThreshold(ctx context.Context, tx *sqlx.Tx, t *graph.UsageThreshold) error {
	if t.KeyID != nil {
		t.Key = &graph.ApiKey{}
		return tx.GetContext(ctx, t.Key, `
			SELECT `+keyColumns.of("k")+`
			FROM api_keys k
			WHERE k.account_id = $1 AND k.key_id = $2`, t.AccountID, t.KeyID)
	}
	t.Unit = &graph.Unit{}
	return tx.GetContext(ctx, t.Unit, `
		SELECT `+unitColumns.of("n")+`
		FROM units n
		WHERE n.account_id = $1 AND n.unit_id = $2`, t.AccountID, t.UnitID)
}
