package db

import (
	"context"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// BinaryParameters reports whether the pool sends parameters in binary form: only then are these four bytes a number.
func BinaryParameters(ctx context.Context, db *DB) bool {
	var n int
	err := db.pool.GetContext(ctx, &n, `SELECT $1::int4`, []byte{0, 0, 1, 7})
	return err == nil && n == 263
}

// Pool gives the connections, for what no function of the package says.
func Pool(db *DB) *sqlx.DB { return db.pool }

// Anew begins statements that are not prepared, and PreparedStatements is how many are kept.
const (
	Anew               = anew
	PreparedStatements = preparedStatements
)

// Transact runs do in a transaction, as changes do.
func Transact(ctx context.Context, db *DB, do func(tx *sqlx.Tx) error) error {
	return db.transact(ctx, "test", do)
}

// RotatesAs runs what needs ROTATE_SECRETS, as a user or an access token, and notes it in the audit trail.
func RotatesAs(ctx context.Context, db *DB, v *graph.Viewer) error {
	return db.changeAs(ctx, v, graph.RotateSecrets, stays, "test", func(tx *sqlx.Tx, v *graph.Viewer) error {
		return audit(ctx, tx, v, v.AccountID(), event{Action: graph.KeyWasEnabled, Summary: "Done."})
	})
}

// Notices queues one mail of each kind that tells of a change in which no link is made.
func Notices(ctx context.Context, db *DB, r graph.Request, a *graph.Account, former, next *graph.User, link string, expiresAt time.Time) error {
	return db.transact(ctx, "notify", func(tx *sqlx.Tx) error {
		return errors.Join(
			db.mailPasswordReset(ctx, tx, r, former.Email, link, expiresAt),
			db.mailPasswordChanged(ctx, tx, r, former.Email),
			db.mailHandedOver(ctx, tx, r, a, former, next))
	})
}

// ViewerOf gives the viewer that a session of the user gives, at a time.
func ViewerOf(ctx context.Context, db *DB, account, user graph.UUID, at time.Time) (*graph.Viewer, error) {
	var row struct {
		User    graph.User
		Account graph.Account
	}
	err := db.pool.GetContext(ctx, &row, `
		SELECT `+userColumns.as("u", "user")+`, `+accountColumns.as("a", "account")+`
		FROM users u
		JOIN accounts a ON a.account_id = u.account_id
		WHERE u.account_id = $1 AND u.user_id = $2`, account, user)
	if err != nil {
		return nil, err
	}
	return db.userViewer(ctx, &row.User, &row.Account, graph.UUID{}, graph.Request{ID: "test", At: at})
}

// VisibleKeysStatement is the statement that gives the keys visible to v, with its parameters.
func VisibleKeysStatement(v *graph.Viewer, account graph.UUID) (string, []any) {
	return `SELECT k.key_id FROM api_keys k WHERE k.account_id = $1 AND ` + keyVisible(v, "k.key_id"), about(v, account)
}

// PublicKey is the public part of a key of the account, made up.
func PublicKey(account graph.UUID, suffix string) string {
	return publicKey + tokenText.EncodeToString(account[:]) + suffix
}

// UnknownPassword is what passwords of nobody are compared with.
func UnknownPassword(db *DB) string { return db.unknownPassword }

// VisibleUnitsStatement is the statement that gives the units visible to v, with its parameters.
func VisibleUnitsStatement(v *graph.Viewer, account graph.UUID) (string, []any) {
	return `SELECT n.unit_id FROM units n WHERE n.account_id = $1 AND ` + unitVisible(v, "n.unit_id"), about(v, account)
}

// UsagePage gives the statement that reads a page of usage, and its parameters.
func UsagePage(v *graph.Viewer, account graph.UUID, w graph.Window, f graph.UsageFilter) (string, []any) {
	return usageList(v, account, f).rows(w)
}

// WholeUnitsStatement is the statement that gives the units of which v sees every key, with its parameters.
func WholeUnitsStatement(v *graph.Viewer, account graph.UUID) (string, []any) {
	return `SELECT n.unit_id FROM units n WHERE n.account_id = $1 AND ` + wholeUnitVisible(v, "n.unit_id"), about(v, account)
}

// PollLive sets how often a database that nobody has followed yet looks for live events without a hint.
func PollLive(db *DB, every time.Duration) { db.live.bounds.poll = every }

// BoundLive sets how many live events are kept in memory, and how far behind a subscription may be.
func BoundLive(db *DB, events int, behind time.Duration) {
	db.live.bounds.events, db.live.bounds.windows, db.live.bounds.behind = events, events, behind
}

// RecheckLive sets how often listeners of live events are looked at without a hint.
func RecheckLive(db *DB, every time.Duration) { db.live.bounds.recheck = every }

// MuteLive keeps a database from telling others of live events.
func MuteLive(db *DB) {
	db.live.hints.mu.Lock()
	defer db.live.hints.mu.Unlock()
	db.live.hints.closed = true
}

// HoldsLive is how many accounts a database reads live events of.
func HoldsLive(db *DB) int {
	db.live.mu.Lock()
	defer db.live.mu.Unlock()
	return len(db.live.streams)
}

// SetPlainGrant is the part of SetGrant that is one statement; nil when the case is no plain one.
func SetPlainGrant(ctx context.Context, db *DB, v *graph.Viewer, in graph.SetGrantInput) (*graph.Grant, error) {
	return db.setPlainGrant(ctx, v, in)
}

// SetGrantInSteps is the part of SetGrant that is right in every case.
func SetGrantInSteps(ctx context.Context, db *DB, v *graph.Viewer, in graph.SetGrantInput) (*graph.Grant, error) {
	return db.setGrantInSteps(ctx, v, in)
}

// ReadAll reads rows as lists do.
func ReadAll[T any](ctx context.Context, q sqlx.QueryerContext, statement string, args ...any) ([]*T, error) {
	return readAll[T](ctx, q, statement, args...)
}

// Lookups lets callers share what they look up at once.
type Lookups struct{ l *lookups[int, int] }

// NewLookups makes some.
func NewLookups() Lookups { return Lookups{newLookups[int, int]()} }

// Read reads the value of a key.
func (l Lookups) Read(ctx context.Context, key int, at time.Time, read func(ctx context.Context, at time.Time) (int, error)) (int, error) {
	return l.l.read(ctx, key, at, read)
}

// Known is how many keys are being looked up.
func (l Lookups) Known() int {
	l.l.mu.Lock()
	defer l.l.mu.Unlock()
	return len(l.l.known)
}

// GridStatement is the statement that gives the grants of users for keys.
func GridStatement(v *graph.Viewer) string { return grid(v) }

// PlainGrantStatement is the statement that makes a change of a grant at once.
func PlainGrantStatement(byOwner bool) string { return plainStatement(plainShape{byOwner: byOwner}) }

// ReportStatement is the statement of a report about an account, with its parameters.
func ReportStatement(v *graph.Viewer, account graph.UUID, in graph.UsageReportInput) (string, []any, error) {
	buckets, err := in.Buckets()
	q := reportQuery{v: v, account: account, in: in, buckets: buckets, args: about(v, account)}
	return q.statement(accountScope), q.args, err
}
