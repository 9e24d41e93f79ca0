package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// UsageDownload makes an address for a file of the usage that v sees when it fetches the file, and counts what that is now.
// BadUserInput for what graph.NewDownloadRequest refuses.
func (db *DB) UsageDownload(ctx context.Context, v *graph.Viewer, account graph.UUID, in graph.DownloadRequest) (*graph.UsageDownload, error) {
	if v.AccountID() != account || !v.SeesUsage() {
		return nil, nil
	}
	records, err := db.countUsage(ctx, v, account, in)
	if err != nil {
		return nil, err
	}
	request, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("write download: %w", err)
	}
	t, expiresAt := newToken(downloadToken, account, newID()), v.Request.At.Add(graph.DownloadLifetime)
	var session, token, key *graph.UUID
	switch v.Kind {
	case graph.KindOfUser:
		session = &v.SessionID
	case graph.KindOfToken:
		token = &v.AccessToken.TokenID
	default:
		key = &v.ApiKey.KeyID
	}
	_, err = db.pool.ExecContext(ctx, `
		WITH swept AS (DELETE FROM downloads WHERE account_id = $1 AND expires_at <= $9)
		INSERT INTO downloads (account_id, download_id, session_id, token_id, key_id, secret_hash, request, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, account, t.row, session, token, key, t.hash(), string(request), expiresAt, v.Request.At)
	if err != nil {
		return nil, fault("make download", err)
	}
	return &graph.UsageDownload{URL: v.Request.Links.Download(t.String()), ExpiresAt: expiresAt, Records: records}, nil
}

// countUsage counts records by the sums that are kept, as far as there are such.
func (db *DB) countUsage(ctx context.Context, v *graph.Viewer, account graph.UUID, in graph.DownloadRequest) (int64, error) {
	f := in.Filter
	if f.Tag != nil {
		var n int64
		c := conditions{args: about(v, account)}
		c.usageMatches(v, account, f)
		err := db.pool.GetContext(ctx, &n, anew+`
			SELECT count(*) FROM usage_records r
			WHERE r.account_id = $1 AND `+usageVisible(v)+c.text, c.args...)
		return n, fault("count usage", err)
	}
	report, err := db.UsageReport(ctx, v, account, graph.UsageReportInput{From: *f.From, To: *f.To, TimeZone: "UTC", KeyIds: f.KeyIds, UnitID: f.UnitID,
		Products: f.Products, Countries: f.Countries, Status: f.Status, Direction: f.Direction, Limit: 1})
	if err != nil {
		return 0, err
	}
	return report.Totals.Records, nil
}

// Download is a file that somebody may fetch now.
type Download struct {
	Viewer  *graph.Viewer // whoever it was made for, as they are now
	Request graph.DownloadRequest
	id      graph.UUID // zero for one without an address
}

// OpenDownload finds the file behind a token: nil when the token is unknown or has ended, or whoever it was made for may not see usage
// any more.
func (db *DB) OpenDownload(ctx context.Context, text string, r graph.Request) (*Download, error) {
	t, ok := parseToken(text, downloadToken)
	if !ok {
		return nil, nil
	}
	var row struct {
		SessionID, TokenID, KeyID *graph.UUID
		SecretHash                []byte
		Request                   []byte
	}
	err := db.pool.GetContext(ctx, &row, `
		SELECT d.session_id, d.token_id, d.key_id, d.secret_hash, d.request
		FROM downloads d
		WHERE d.account_id = $1 AND d.download_id = $2 AND d.expires_at > $3`, t.account, t.row, r.At)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !t.opens(row.SecretHash) {
		return nil, nil
	}
	if err != nil {
		return nil, fault("open download", err)
	}
	v, err := db.principal(ctx, t.account, row.SessionID, row.TokenID, row.KeyID, r)
	if err != nil || v == nil || !v.SeesUsage() {
		return nil, fault("open download", err)
	}
	d := &Download{Viewer: v, id: t.row}
	return d, json.Unmarshal(row.Request, &d.Request)
}

// principal gives the viewer behind a session, an access token or a key, as it is now; nil when that is over.
func (db *DB) principal(ctx context.Context, account graph.UUID, session, tokenID, key *graph.UUID, r graph.Request) (*graph.Viewer, error) {
	switch {
	case session != nil:
		row, err := db.sessionNow(ctx, account, *session, r.At)
		if err != nil || row == nil {
			return nil, err
		}
		return db.userViewer(ctx, &row.User, &row.Account, *session, r)
	case tokenID != nil:
		row, err := tokenNow(ctx, db.pool, account, *tokenID, r.At, "")
		if err != nil || row == nil {
			return nil, err
		}
		v := row.viewer(r)
		v.Keys, err = db.keysOfToken(ctx, v)
		return v, err
	}
	var row struct {
		Key     graph.ApiKey
		Account graph.Account
	}
	err := db.pool.GetContext(ctx, &row, `
		SELECT `+keyColumns.as("k", "key")+`, `+accountColumns.as("a", "account")+`
		FROM api_keys k
		JOIN accounts a ON a.account_id = k.account_id
		WHERE k.account_id = $1 AND k.key_id = $2 AND k.enabled AND k.deleted_at IS NULL`, account, *key)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return db.keyViewer(ctx, &row.Key, &row.Account, r)
}

// noteDownload adds the event when the file is fetched for the first time, whichever part of it. It names no key: whoever reads the trail need not see those in the file. A key that fetches its own usage
// is named, so that only those who see it read that.
func noteDownload(ctx context.Context, tx *sqlx.Tx, d *Download) error {
	result, err := tx.ExecContext(ctx, `
		UPDATE downloads SET noted = true
		WHERE account_id = $1 AND download_id = $2 AND NOT noted`, d.Viewer.AccountID(), d.id)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return err
	}
	e := event{Action: graph.UsageDownloaded, Summary: "Downloaded usage.", Changes: []*graph.AuditChange{
		graph.Changed("from", "", instant(d.Request.Filter.From)), graph.Changed("to", "", instant(d.Request.Filter.To)),
		graph.Changed("format", "", string(d.Request.Format))}}
	if d.Viewer.Kind == graph.KindOfKey {
		e.Key = &d.Viewer.ApiKey.KeyID
	}
	return audit(ctx, tx, d.Viewer, d.Viewer.AccountID(), e)
}
