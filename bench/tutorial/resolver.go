package tutorial

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"grantwood/bench/limit"
	"grantwood/bench/tutorial/generated"
	"grantwood/graph"
)

type resolver struct{ pool *sql.DB }

// Query answers the fields of the type Query.
func (r resolver) Query() generated.QueryResolver { return query(r) }

// Mutation answers the fields of the type Mutation.
func (r resolver) Mutation() generated.MutationResolver { return mutation(r) }

// Account answers the fields of the type Account that are read when asked for.
func (r resolver) Account() generated.AccountResolver { return account(r) }

// User answers the fields of the type User that are read when asked for.
func (r resolver) User() generated.UserResolver { return user{} }

// Grant answers the fields of the type Grant that are read when asked for.
func (r resolver) Grant() generated.GrantResolver { return grant{} }

// ApiKey answers the fields of the type ApiKey that are read when asked for.
func (r resolver) ApiKey() generated.ApiKeyResolver { return apiKey{} }

type (
	query    resolver
	mutation resolver
	account  resolver
	user     struct{}
	grant    struct{}
	apiKey   struct{}
)

func (query) Viewer(ctx context.Context) (*generated.Viewer, error) {
	c := callerOf(ctx)
	return &generated.Viewer{Kind: "USER", Capabilities: strings.Split(strings.Trim(c.capabilities, "{}"), ","), User: c.user}, nil
}

func (query) Account(ctx context.Context) (*generated.Account, error) {
	return callerOf(ctx).account, nil
}

func (q query) VerifyAPIKey(ctx context.Context, key, secret string) (*generated.APIKeyVerification, error) {
	if !callerOf(ctx).operator {
		return nil, errors.New("only operators verify keys")
	}
	var account, keyID graph.UUID
	var enabled bool
	var status string
	var hash, previous []byte
	var ends *time.Time
	err := q.pool.QueryRowContext(ctx, `
		SELECT k.account_id, k.key_id, k.enabled, a.status, k.secret_hash, k.previous_secret_hash, k.previous_secret_expires_at
		FROM api_keys k
		JOIN accounts a ON a.account_id = k.account_id
		WHERE k.account_id = $1 AND k.key = $2`, limit.AccountOfKey(key), key).Scan(&account, &keyID, &enabled, &status, &hash, &previous, &ends)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	sum := sha256.Sum256([]byte(secret))
	right := subtle.ConstantTimeCompare(sum[:], hash) == 1 || subtle.ConstantTimeCompare(sum[:], previous) == 1 && ends != nil && ends.After(time.Now())
	if !right {
		return &generated.APIKeyVerification{Result: "INVALID"}, nil
	}
	accountText, keyText := id(graph.KindAccount, account), id(graph.KindKey, account, keyID)
	answer := &generated.APIKeyVerification{Result: "VALID", AccountID: &accountText, KeyID: &keyText}
	switch {
	case status != "ACTIVE":
		answer.Result = "ACCOUNT_SUSPENDED"
	case !enabled:
		answer.Result = "KEY_DISABLED"
	}
	return answer, nil
}

func (m mutation) SetGrant(ctx context.Context, in generated.SetGrantInput) (*generated.SetGrantPayload, error) {
	c := callerOf(ctx)
	if !c.user.IsPrimary {
		return nil, errors.New("only the primary user changes grants")
	}
	userID, keyID := graph.ParseID(in.UserID).In(c.accountID, graph.KindUser), graph.ParseID(in.KeyID).In(c.accountID, graph.KindKey)
	enabled := in.State == "ENABLED"
	var userName, keyName string
	err := m.pool.QueryRowContext(ctx, limit.ChangeStatement, c.accountID, c.userID, userID, keyID, enabled, time.Now().UTC(), uuid.Must(uuid.NewV7()).String(),
		uuid.Must(uuid.NewV7()).String(), uuid.Must(uuid.NewV7()).String()).Scan(&userName, &keyName)
	if err != nil {
		return nil, err
	}
	return &generated.SetGrantPayload{UserErrors: []*generated.UserError{}, Grant: &generated.Grant{ID: id(graph.KindGrant, c.accountID, userID, keyID),
		Enabled: enabled, Source: "EXPLICIT", UserID: in.UserID, KeyID: in.KeyID}}, nil
}

func (a account) Users(ctx context.Context, _ *generated.Account, first int) (*generated.UserConnection, error) {
	c := callerOf(ctx)
	if !c.user.IsPrimary {
		return nil, errors.New("only the primary user sees all")
	}
	page := &generated.UserConnection{Nodes: []*generated.User{}}
	err := rows(ctx, a.pool, func(rows *sql.Rows) error {
		u, err := scanUser(rows, c.accountID)
		page.Nodes = append(page.Nodes, u)
		return err
	}, `
		SELECT u.user_id, u.display_name, u.email, u.is_primary, u.status, u.created_at
		FROM users u
		WHERE u.account_id = $1
		ORDER BY lower(u.display_name) COLLATE "C", u.user_id
		LIMIT $2::int`, c.accountID, first)
	return page, err
}

func (a account) APIKeys(ctx context.Context, _ *generated.Account, first int) (*generated.APIKeyConnection, error) {
	c := callerOf(ctx)
	page := &generated.APIKeyConnection{Nodes: []*generated.APIKey{}, PageInfo: &generated.PageInfo{}}
	var last graph.Cursor
	err := rows(ctx, a.pool, func(rows *sql.Rows) error {
		var k generated.APIKey
		var key graph.UUID
		var enabled bool
		var name string
		if err := rows.Scan(&key, &k.Key, &k.Name, &enabled, &page.TotalCount, &name); err != nil {
			return err
		}
		if len(page.Nodes) == first {
			page.PageInfo.HasNextPage = true
			return nil
		}
		last = graph.Cursor{ID: key, Name: name}
		k.ID, k.Status = id(graph.KindKey, c.accountID, key), statusOf(enabled)
		page.Nodes = append(page.Nodes, &k)
		return nil
	}, `
		SELECT k.key_id, k.key, k.name, k.enabled, count(*) OVER (), lower(k.name) COLLATE "C"
		FROM api_keys k
		WHERE k.account_id = $1 AND k.deleted_at IS NULL AND `+limit.Visible("k.key_id", c.user.IsPrimary)+`
		ORDER BY lower(k.name) COLLATE "C", k.key_id
		LIMIT $3::int + 1`, c.accountID, c.userID, first)
	end := last.Text(graph.ByName)
	page.PageInfo.EndCursor = &end
	return page, err
}

func (a account) Usage(ctx context.Context, _ *generated.Account, first int, after *string, filter generated.UsageFilter) (*generated.UsageRecordConnection, error) {
	c := callerOf(ctx)
	if after == nil {
		return nil, errors.New("the benchmark asks for the second page")
	}
	raw, err := base64.RawURLEncoding.DecodeString(*after)
	if err != nil || len(raw) != 33 {
		return nil, errors.New("no cursor")
	}
	place := graph.Cursor{ID: graph.UUID(raw[1:17]), Second: graph.UUID(raw[17:33])}
	page := &generated.UsageRecordConnection{Nodes: []*generated.UsageRecord{}, PageInfo: &generated.PageInfo{}}
	var last graph.Cursor
	err = rows(ctx, a.pool, func(rows *sql.Rows) error {
		if len(page.Nodes) == first {
			page.PageInfo.HasNextPage = true
			return nil
		}
		record, place, err := scanRecord(rows, c)
		last = place
		page.Nodes = append(page.Nodes, record)
		return err
	}, `
		SELECT r.occurred_at, r.recorded_at, r.id, r.product, r.direction, r.country, r.quantity, r.cost, r.succeeded, r.reference
		FROM usage_records r
		WHERE r.account_id = $1 AND `+limit.Visible("r.key_id", c.user.IsPrimary)+` AND r.replaced_by IS NULL AND r.occurred_at >= $3
			AND r.occurred_at <= $4 AND (r.occurred_at, r.id) < ($4, $5::uuid)
		ORDER BY r.occurred_at DESC, r.id DESC
		LIMIT $6::int + 1`, c.accountID, c.userID, filter.From, place.At(), place.ID, first)
	end := last.Text(graph.ByTimeDesc)
	page.PageInfo.EndCursor = &end
	return page, err
}

func scanRecord(rows *sql.Rows, c *caller) (*generated.UsageRecord, graph.Cursor, error) {
	var r generated.UsageRecord
	var record graph.UUID
	var cost int64
	var succeeded bool
	err := rows.Scan(&r.OccurredAt, &r.RecordedAt, &record, &r.Product, &r.Direction, &r.Country, &r.Quantity, &cost, &succeeded, &r.Reference)
	r.OccurredAt, r.RecordedAt = r.OccurredAt.UTC(), r.RecordedAt.UTC()
	r.ID, r.Cost, r.Status = id(graph.KindUsage, c.accountID, record), money(decimal.New(cost, 0), c.account.Currency), "FAILED"
	if succeeded {
		r.Status = "SUCCEEDED"
	}
	return &r, graph.TimedCursor(r.OccurredAt, record), err
}

func (a account) UsageReport(ctx context.Context, _ *generated.Account, in generated.UsageReportInput) (*generated.UsageReport, error) {
	c := callerOf(ctx)
	report := &generated.UsageReport{Rows: []*generated.UsageReportRow{}}
	err := rows(ctx, a.pool, func(rows *sql.Rows) error {
		var cost decimal.Decimal
		row := &generated.UsageReportRow{Totals: &generated.UsageTotals{}}
		err := rows.Scan(&row.PeriodStart, &row.Product, &row.Totals.Records, &row.Totals.Succeeded, &row.Totals.Quantity, &cost)
		row.PeriodStart, row.Totals.Cost = row.PeriodStart.UTC(), money(cost, c.account.Currency)
		report.Rows = append(report.Rows, row)
		return err
	}, `
		SELECT s.day, s.product, sum(s.records + s.failed_records)::bigint, sum(s.records)::bigint, sum(s.quantity + s.failed_quantity)::bigint,
			sum(s.cost + s.failed_cost)
		FROM usage_days s
		WHERE s.account_id = $1 AND `+limit.VisibleDays(c.user.IsPrimary)+` AND s.day >= $3 AND s.day < $4
		GROUP BY s.day, s.product
		ORDER BY s.day, s.product`, c.accountID, c.userID, in.From, in.To)
	return report, err
}

func (user) Grants(ctx context.Context, u *generated.User, first int) (*generated.GrantConnection, error) {
	return loadersOf(ctx).grants.Load(ctx, grantsWanted{u.ID, first})
}

func (grant) User(ctx context.Context, g *generated.Grant) (*generated.User, error) {
	return loadersOf(ctx).users.Load(ctx, g.UserID)
}

func (grant) Key(ctx context.Context, g *generated.Grant) (*generated.APIKey, error) {
	return loadersOf(ctx).keys.Load(ctx, g.KeyID)
}

func (apiKey) UsageReport(ctx context.Context, k *generated.APIKey, in generated.UsageReportInput) (*generated.UsageReport, error) {
	return loadersOf(ctx).reports.Load(ctx, reportWanted{k.ID, in.From, in.To})
}
