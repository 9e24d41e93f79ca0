// Package limit answers the benchmark's requests by handlers that are written by hand, one for each: net/http, lib/pq, one statement
// that is made for the request, JSON appended to a buffer. It is as cheap as an API over the same tables gets, and so the limit that
// the product is measured against. It checks credentials on each request, shows a user visible keys only, and writes all that the
// product writes for a change; it can do nothing that the benchmark does not ask.
package limit

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base32"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/lib/pq"

	"grantwood/graph"
)

// Connections is the size of the pool, that of the product.
const Connections = 8

// Sizes of pages are written into the statements: of a limit that is a parameter, a plan that is made once for all values takes the
// worst.
const (
	HomeKeys    = 50
	TreeUsers   = 100
	TreeGrants  = 20
	PageRecords = 1000
)

// Handler answers requests from the database behind the DSN. Close it when nobody asks any more.
type Handler struct {
	pool *sql.DB
	mux  *http.ServeMux

	session, operator, users, grants, change, verify *sql.Stmt
}

// New connects to the database and prepares statements.
func New(ctx context.Context, dsn string) (*Handler, error) {
	config, err := pq.NewConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("limit: %w", err)
	}
	config.BinaryParameters = true
	connector, err := pq.NewConnectorConfig(config)
	if err != nil {
		return nil, fmt.Errorf("limit: %w", err)
	}
	h := &Handler{pool: sql.OpenDB(connector), mux: http.NewServeMux()}
	h.pool.SetMaxOpenConns(Connections)
	h.pool.SetMaxIdleConns(Connections)
	for statement, text := range map[**sql.Stmt]string{&h.session: sessionStatement, &h.operator: operatorStatement, &h.users: usersStatement,
		&h.grants: grantsStatement, &h.change: ChangeStatement, &h.verify: verifyStatement} {
		if *statement, err = h.pool.PrepareContext(ctx, text); err != nil {
			return nil, errors.Join(fmt.Errorf("limit: prepare %s: %w", text, err), h.pool.Close())
		}
	}
	h.mux.HandleFunc("GET /home", h.asUser(h.answerHome))
	h.mux.HandleFunc("GET /tree", h.asUser(h.answerTree))
	h.mux.HandleFunc("GET /report", h.asUser(h.answerReport))
	h.mux.HandleFunc("GET /records", h.asUser(h.answerRecords))
	h.mux.HandleFunc("POST /grant", h.asUser(h.answerGrant))
	h.mux.HandleFunc("POST /verify", h.asOperator(h.answerVerify))
	h.mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	return h, nil
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// Close ends the connections.
func (h *Handler) Close() error { return h.pool.Close() }

// caller is who a session stands for.
type caller struct {
	account, user  graph.UUID
	name, email    string
	accountName    string
	status         string
	currency       string
	primary        bool
	mayManageGrant bool
	capabilities   string // as an array of PostgreSQL
}

const (
	sessionStatement = `
		SELECT s.secret_hash, uuid_send(u.user_id), u.display_name, u.email, u.is_primary, u.granted::text, a.name, a.status, a.currency
		FROM sessions s
		JOIN users u ON u.account_id = s.account_id AND u.user_id = s.user_id
		JOIN accounts a ON a.account_id = s.account_id
		WHERE s.account_id = $1 AND s.session_id = $2 AND s.expires_at > now() AND u.status = 'ACTIVE'`
	operatorStatement = `
		SELECT o.secret_hash, 'VERIFY' = ANY(o.scopes)
		FROM operators o
		WHERE o.operator_id = $1 AND o.revoked_at IS NULL`
)

var tokenText = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// Token takes the token of a request apart: the account, the row that it stands for, the hash of its secret. It is not ok when the request
// has no token with the prefix.
func Token(r *http.Request, prefix string) (account, row graph.UUID, hash [32]byte, ok bool) {
	body, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "+prefix)
	var raw [64]byte
	if !ok || len(body) != tokenText.EncodedLen(len(raw)) {
		return account, row, hash, false
	}
	if _, err := tokenText.Decode(raw[:], []byte(body)); err != nil {
		return account, row, hash, false
	}
	return graph.UUID(raw[:16]), graph.UUID(raw[16:32]), sha256.Sum256(raw[32:]), true
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 64<<10); return &b }}

// asUser lets users with a session pass.
func (h *Handler) asUser(next func(r *http.Request, c *caller, b []byte) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		account, session, hash, ok := Token(r, "gws_")
		c := caller{account: account}
		var stored, user sql.RawBytes
		found := ok && h.row(r.Context(), h.session, func(rows *sql.Rows) error {
			if err := rows.Scan(&stored, &user, &c.name, &c.email, &c.primary, &c.capabilities, &c.accountName, &c.status, &c.currency); err != nil {
				return err
			}
			ok = subtle.ConstantTimeCompare(hash[:], stored) == 1
			c.user = graph.UUID(user)
			return nil
		}, account.String(), session.String()) == nil
		if !ok || !found {
			http.Error(w, "sign in first", http.StatusUnauthorized)
			return
		}
		c.mayManageGrant = c.primary || strings.Contains(c.capabilities, "MANAGE_GRANTS")
		answer(w, func(b []byte) ([]byte, error) { return next(r, &c, b) })
	}
}

// asOperator lets operators pass who may verify keys.
func (h *Handler) asOperator(next func(r *http.Request, b []byte) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, operator, hash, ok := Token(r, "gwo_")
		var stored sql.RawBytes
		var verifies bool
		found := ok && h.row(r.Context(), h.operator, func(rows *sql.Rows) error {
			err := rows.Scan(&stored, &verifies)
			ok = subtle.ConstantTimeCompare(hash[:], stored) == 1 && verifies
			return err
		}, operator.String()) == nil
		if !ok || !found {
			http.Error(w, "sign in first", http.StatusUnauthorized)
			return
		}
		answer(w, func(b []byte) ([]byte, error) { return next(r, b) })
	}
}

func answer(w http.ResponseWriter, write func(b []byte) ([]byte, error)) {
	pooled := buffers.Get().(*[]byte)
	defer buffers.Put(pooled)
	b, err := write(append((*pooled)[:0], `{"data":`...))
	*pooled = b
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	b = append(b, '}')
	*pooled = b
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(b) // the caller may have gone
}

// row gives the one row of a statement to scan; sql.ErrNoRows when there is none.
func (h *Handler) row(ctx context.Context, s *sql.Stmt, scan func(*sql.Rows) error, args ...any) error {
	found := false
	err := each(ctx, s, func(rows *sql.Rows) error {
		found = true
		return scan(rows)
	}, args...)
	if err == nil && !found {
		return sql.ErrNoRows
	}
	return err
}

// each gives every row of a statement to scan.
func each(ctx context.Context, s *sql.Stmt, scan func(*sql.Rows) error, args ...any) error {
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	return drain(rows, scan)
}

func drain(rows *sql.Rows, scan func(*sql.Rows) error) error {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
