package tutorial

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"github.com/vikstrous/dataloadgen"

	"grantwood/bench/limit"
	"grantwood/bench/tutorial/generated"
	"grantwood/graph"
)

// loaders gather what the fields of one request want, each for a moment, and read it at once.
type loaders struct {
	users   *dataloadgen.Loader[string, *generated.User]
	keys    *dataloadgen.Loader[string, *generated.APIKey]
	grants  *dataloadgen.Loader[grantsWanted, *generated.GrantConnection]
	reports *dataloadgen.Loader[reportWanted, *generated.UsageReport]
}

// grantsWanted are the first grants of a user.
type grantsWanted struct {
	user  string
	first int
}

// reportWanted is a report of one key.
type reportWanted struct {
	key      string
	from, to time.Time
}

func loadersOf(ctx context.Context) *loaders { return ctx.Value(loadersKey{}).(*loaders) }

func newLoaders(pool *sql.DB, c *caller) *loaders {
	r := reader{pool, c}
	wait := dataloadgen.WithWait(time.Millisecond)
	return &loaders{
		users:   dataloadgen.NewMappedLoader(r.users, wait),
		keys:    dataloadgen.NewMappedLoader(r.keys, wait),
		grants:  dataloadgen.NewMappedLoader(r.grants, wait),
		reports: dataloadgen.NewMappedLoader(r.reports, wait),
	}
}

// reader reads for loaders.
type reader struct {
	pool *sql.DB
	*caller
}

// rows gives each row of a statement to scan.
func rows(ctx context.Context, pool *sql.DB, scan func(*sql.Rows) error, statement string, args ...any) error {
	found, err := pool.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer func() { _ = found.Close() }()
	for found.Next() {
		if err := scan(found); err != nil {
			return err
		}
	}
	return found.Err()
}

// objects gives the objects that IDs name as a parameter for uuid[].
func (r reader) objects(k graph.Kind, ids []string) string {
	list := make([]string, len(ids))
	for i, text := range ids {
		list[i] = graph.ParseID(text).In(r.accountID, k).String()
	}
	return "{" + strings.Join(list, ",") + "}"
}

func (r reader) users(ctx context.Context, ids []string) (map[string]*generated.User, error) {
	found := map[string]*generated.User{}
	err := rows(ctx, r.pool, func(rows *sql.Rows) error {
		u, err := scanUser(rows, r.accountID)
		if err == nil {
			found[u.ID] = u
		}
		return err
	}, `SELECT u.user_id, u.display_name, u.email, u.is_primary, u.status, u.created_at FROM users u WHERE u.account_id = $1 AND u.user_id = ANY($2::uuid[])`,
		r.accountID, r.objects(graph.KindUser, ids))
	return found, err
}

func scanUser(rows *sql.Rows, account graph.UUID) (*generated.User, error) {
	var u generated.User
	var user graph.UUID
	err := rows.Scan(&user, &u.DisplayName, &u.Email, &u.IsPrimary, &u.Status, &u.CreatedAt)
	u.ID, u.CreatedAt = id(graph.KindUser, account, user), u.CreatedAt.UTC()
	return &u, err
}

func (r reader) keys(ctx context.Context, ids []string) (map[string]*generated.APIKey, error) {
	found := map[string]*generated.APIKey{}
	err := rows(ctx, r.pool, func(rows *sql.Rows) error {
		var k generated.APIKey
		var key graph.UUID
		var enabled bool
		err := rows.Scan(&key, &k.Key, &k.Name, &enabled)
		k.ID, k.Status = id(graph.KindKey, r.accountID, key), statusOf(enabled)
		found[k.ID] = &k
		return err
	}, `SELECT k.key_id, k.key, k.name, k.enabled FROM api_keys k WHERE k.account_id = $1 AND k.key_id = ANY($2::uuid[])`,
		r.accountID, r.objects(graph.KindKey, ids))
	return found, err
}

func statusOf(enabled bool) string {
	if enabled {
		return "ENABLED"
	}
	return "DISABLED"
}

func (r reader) grants(ctx context.Context, wanted []grantsWanted) (map[grantsWanted]*generated.GrantConnection, error) {
	found := map[grantsWanted]*generated.GrantConnection{}
	byUser := map[graph.UUID]grantsWanted{}
	users := make([]string, len(wanted))
	for i, w := range wanted {
		found[w] = &generated.GrantConnection{Nodes: []*generated.Grant{}}
		users[i] = w.user
		byUser[graph.ParseID(w.user).Object] = w // one request asks for pages of one size
	}
	err := rows(ctx, r.pool, func(rows *sql.Rows) error {
		var g generated.Grant
		var user, key graph.UUID
		err := rows.Scan(&user, &key, &g.Enabled, &g.Source)
		g.ID, g.UserID, g.KeyID = id(graph.KindGrant, r.accountID, user, key), id(graph.KindUser, r.accountID, user), id(graph.KindKey, r.accountID, key)
		page := found[byUser[user]]
		page.Nodes = append(page.Nodes, &g)
		return err
	}, `
		SELECT o.user_id, k.key_id, `+limit.Effective+`
		FROM unnest($2::uuid[]) AS o (user_id)
		CROSS JOIN (
			SELECT k.key_id, k.is_master, k.unit_id
			FROM api_keys k
			WHERE k.account_id = $1 AND k.deleted_at IS NULL
			ORDER BY k.key_id
			LIMIT $3::int) k
		`+limit.RulesOfPairs+`
		ORDER BY o.user_id, k.key_id`, r.accountID, r.objects(graph.KindUser, users), wanted[0].first)
	return found, err
}

func (r reader) reports(ctx context.Context, wanted []reportWanted) (map[reportWanted]*generated.UsageReport, error) {
	found := map[reportWanted]*generated.UsageReport{}
	byKey := map[graph.UUID]reportWanted{}
	keys := make([]string, len(wanted))
	for i, w := range wanted {
		keys[i] = w.key
		byKey[graph.ParseID(w.key).Object] = w // one request asks for one period
		found[w] = &generated.UsageReport{Rows: []*generated.UsageReportRow{}, Totals: &generated.UsageTotals{Cost: &generated.Money{Amount: "0", Currency: r.account.Currency}}}
	}
	err := rows(ctx, r.pool, func(rows *sql.Rows) error {
		var key graph.UUID
		var cost decimal.Decimal
		t := &generated.UsageTotals{}
		err := rows.Scan(&key, &t.Records, &t.Succeeded, &t.Quantity, &cost)
		t.Cost = money(cost, r.account.Currency)
		found[byKey[key]].Totals = t
		return err
	}, `
		SELECT s.key_id, sum(s.records + s.failed_records)::bigint, sum(s.records)::bigint, sum(s.quantity + s.failed_quantity)::bigint, sum(s.cost + s.failed_cost)
		FROM usage_days s
		WHERE s.account_id = $1 AND s.key_id = ANY($2::uuid[]) AND s.day >= $3 AND s.day < $4
		GROUP BY s.key_id`, r.accountID, r.objects(graph.KindKey, keys), wanted[0].from, wanted[0].to)
	return found, err
}

func money(units decimal.Decimal, currency string) *generated.Money {
	return &generated.Money{Amount: units.Shift(-graph.CostPlaces).String(), Currency: currency}
}
