// Package tutorial answers the benchmark's requests by gqlgen as its documentation shows it: generated models, a resolver for each field
// that needs one, data loaders where fields repeat, plain database/sql. Where a request needs one statement, that is the limit's. It is
// what the product would be if nobody had cared for its speed.
package tutorial

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"fmt"
	"net/http"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	_ "github.com/lib/pq" // the driver
	"github.com/vektah/gqlparser/v2/ast"

	"grantwood/bench/limit"
	"grantwood/bench/tutorial/generated"
	"grantwood/graph"
)

// New makes the server. It answers from the database behind the DSN.
func New(ctx context.Context, dsn string) (http.Handler, error) {
	pool, err := sql.Open("postgres", dsn)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(limit.Connections)
	pool.SetMaxIdleConns(limit.Connections)
	if err := pool.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("tutorial: %w", err)
	}
	s := handler.New(generated.NewExecutableSchema(generated.Config{Resolvers: resolver{pool}}))
	s.AddTransport(transport.POST{})
	s.SetQueryCache(lru.New[*ast.QueryDocument](1000))
	mux := http.NewServeMux()
	mux.Handle("POST /graphql", authenticated(pool, s))
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	return mux, nil
}

// caller is who a request comes from: a user of an account, or an operator.
type caller struct {
	account      *generated.Account
	user         *generated.User
	accountID    graph.UUID
	userID       graph.UUID
	capabilities string
	operator     bool
}

type (
	callerKey  struct{}
	loadersKey struct{}
)

func callerOf(ctx context.Context) *caller { return ctx.Value(callerKey{}).(*caller) }

// authenticated lets users and operators pass, and gives each request data loaders of its own.
func authenticated(pool *sql.DB, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := authenticate(r, pool)
		if err != nil {
			http.Error(w, "sign in first", http.StatusUnauthorized)
			return
		}
		ctx := context.WithValue(r.Context(), callerKey{}, c)
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, loadersKey{}, newLoaders(pool, c))))
	})
}

func authenticate(r *http.Request, pool *sql.DB) (*caller, error) {
	var stored []byte
	if _, operator, hash, ok := limit.Token(r, "gwo_"); ok {
		var c caller
		err := pool.QueryRowContext(r.Context(), `
			SELECT o.secret_hash, 'VERIFY' = ANY(o.scopes)
			FROM operators o
			WHERE o.operator_id = $1 AND o.revoked_at IS NULL`, operator).Scan(&stored, &c.operator)
		if err != nil || subtle.ConstantTimeCompare(hash[:], stored) != 1 {
			return nil, fmt.Errorf("no such operator: %w", err)
		}
		return &c, nil
	}
	account, session, hash, ok := limit.Token(r, "gws_")
	if !ok {
		return nil, http.ErrNoCookie
	}
	c := caller{accountID: account, account: &generated.Account{ID: id(graph.KindAccount, account)}, user: &generated.User{Status: "ACTIVE"}}
	err := pool.QueryRowContext(r.Context(), `
		SELECT s.secret_hash, u.user_id, u.display_name, u.email, u.is_primary, u.granted::text, u.created_at, a.name, a.status, a.currency
		FROM sessions s
		JOIN users u ON u.account_id = s.account_id AND u.user_id = s.user_id
		JOIN accounts a ON a.account_id = s.account_id
		WHERE s.account_id = $1 AND s.session_id = $2 AND s.expires_at > now() AND u.status = 'ACTIVE'`, account, session).
		Scan(&stored, &c.userID, &c.user.DisplayName, &c.user.Email, &c.user.IsPrimary, &c.capabilities, &c.user.CreatedAt, &c.account.Name, &c.account.Status, &c.account.Currency)
	if err != nil || subtle.ConstantTimeCompare(hash[:], stored) != 1 {
		return nil, fmt.Errorf("no such session: %w", err)
	}
	c.user.ID = id(graph.KindUser, account, c.userID)
	return &c, nil
}

// id gives the global ID of an object.
func id(k graph.Kind, account graph.UUID, objects ...graph.UUID) string {
	made := graph.ID{Kind: k, Account: account}
	if len(objects) > 0 {
		made.Object = objects[0]
	}
	if len(objects) > 1 {
		made.Second = objects[1]
	}
	return made.String()
}
