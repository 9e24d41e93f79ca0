package db

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// counter is what a try counts against.
type counter struct {
	key  string // a hash of what it stands for
	free int
	ours bool // a success clears it; others lose only the one try that was counted
}

func newCounter(kind, value string, free int, ours bool) counter {
	sum := sha256.Sum256([]byte(kind + "\n" + value))
	return counter{hex.EncodeToString(sum[:]), free, ours}
}

// passwordCounters are what a password for an address counts against, whether or not anybody has it, in the order in which
// they are locked.
func passwordCounters(r graph.Request, email string) []counter {
	email, source := graph.EmailKey(email), r.Source()
	if source == "" {
		return []counter{newCounter("address", email, graph.FreeOfPair, true)}
	}
	return inOrder(newCounter("pair", email+"\n"+source, graph.FreeOfPair, true),
		newCounter("source", source, graph.FreeOfSource, false),
		newCounter("address", email, graph.FreeOfAddress, true))
}

// resetCounters are what asking for a new password counts against: each asking sends a mail.
func resetCounters(r graph.Request, email string) []counter {
	list := []counter{newCounter("reset", graph.EmailKey(email), graph.FreeResets, false)}
	if source := r.Source(); source != "" {
		list = append(list, newCounter("reset source", source, graph.FreeOfSource, false))
	}
	return inOrder(list...)
}

func inOrder(list ...counter) []counter {
	slices.SortFunc(list, func(a, b counter) int { return cmp.Compare(a.key, b.key) })
	return list
}

// sweepOnceIn is after how many tries, on average, old rows are removed.
const sweepOnceIn = 200

// count counts a try, before its outcome is known, against all counters or none. RateLimited when one of them has to wait.
func (db *DB) count(ctx context.Context, at time.Time, counters []counter) error {
	if rand.IntN(sweepOnceIn) == 0 {
		db.laterIfRoom(ctx, "sweep tries", func(ctx context.Context) error { return db.sweepTries(ctx, at) })
	}
	return db.transact(ctx, "count try", func(tx *sqlx.Tx) error {
		for _, c := range counters {
			if err := countOne(ctx, tx, at, c); err != nil {
				return err
			}
		}
		return nil
	})
}

func countOne(ctx context.Context, tx *sqlx.Tx, at time.Time, c counter) error {
	var f struct {
		Failures int
		LastAt   time.Time
	}
	// The update changes nothing; it locks the row and returns it.
	err := tx.GetContext(ctx, &f, `
		INSERT INTO sign_in_failures AS f (key, failures, last_at)
		VALUES ($1, 0, $2)
		ON CONFLICT (key) DO UPDATE SET failures = f.failures
		RETURNING failures, last_at`, c.key, at)
	if err != nil {
		return err
	}
	failures := graph.Failures{Count: f.Failures, LastAt: f.LastAt}
	if wait := failures.Wait(c.free, at); wait > 0 {
		return graph.TooManyTries(wait)
	}
	failures = failures.And(at)
	_, err = tx.ExecContext(ctx, `
		UPDATE sign_in_failures SET failures = $2, last_at = $3
		WHERE key = $1`, c.key, failures.Count, failures.LastAt)
	return err
}

// forgive takes back what was counted, since the password was right: all of it for the address, the one try for others.
func (db *DB) forgive(ctx context.Context, counters []counter) error {
	return db.transact(ctx, "forgive tries", func(tx *sqlx.Tx) error {
		for _, c := range counters {
			statement := `
				UPDATE sign_in_failures SET failures = failures - 1
				WHERE key = $1 AND failures > 0`
			if c.ours {
				statement = `
				DELETE FROM sign_in_failures
				WHERE key = $1`
			}
			if _, err := tx.ExecContext(ctx, statement, c.key); err != nil {
				return err
			}
		}
		return nil
	})
}

// sweepTries removes what counts no more.
func (db *DB) sweepTries(ctx context.Context, at time.Time) error {
	_, err := db.pool.ExecContext(ctx, `
		DELETE FROM sign_in_failures
		WHERE last_at < $1`, graph.ForgottenBefore(at))
	if err != nil {
		return err
	}
	_, err = db.pool.ExecContext(ctx, `
		DELETE FROM password_resets
		WHERE expires_at < $1`, at)
	return err
}

// provePassword reports whether the password is that of p, who is nobody when the address is unknown; what happens takes
// the same time. RateLimited, without looking at the password, after too many wrong ones. Who then answers that the
// password was right forgives the try.
func (db *DB) provePassword(ctx context.Context, r graph.Request, email, password string, p person) (bool, error) {
	if err := db.count(ctx, r.At, passwordCounters(r, email)); err != nil {
		return false, err
	}
	ok, err := db.checkPassword(ctx, password, p.PasswordHash)
	if err == nil && !ok {
		db.noteRefusal(ctx, r, p.PersonID, "A wrong password was given for ")
	}
	return ok, err
}

// noteRefusal adds to the trail of every account of the person that they were not let in; nothing when there is no such
// person. It does so after the answer, whose time then tells nobody whether an address is known.
func (db *DB) noteRefusal(ctx context.Context, r graph.Request, person graph.UUID, what string) {
	db.later(ctx, "note refused sign-in", func(ctx context.Context) error {
		return db.transact(ctx, "note refused sign-in", func(tx *sqlx.Tx) error {
			users, err := usersOfPerson(ctx, tx, person)
			if err != nil {
				return err
			}
			for _, u := range users {
				err := audit(ctx, tx, &graph.Viewer{Request: r}, u.AccountID, event{Action: graph.SignInRefused, User: &u.UserID,
					Summary: what + u.DisplayName + "."})
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
}
