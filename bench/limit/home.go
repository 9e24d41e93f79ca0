package limit

import (
	"database/sql"
	"net/http"
	"strconv"
	"strings"

	"grantwood/graph"
)

// homeStatement reads the first keys by name with their totals of some days. Like all about a period it is not prepared.
func homeStatement(primary bool) string {
	return `
		WITH page AS MATERIALIZED (
			SELECT k.key_id, k.key, k.name, k.enabled, count(*) OVER () AS total, lower(k.name) COLLATE "C" AS sort_name
			FROM api_keys k
			WHERE k.account_id = $1 AND k.deleted_at IS NULL AND ` + Visible("k.key_id", primary) + `
			ORDER BY lower(k.name) COLLATE "C", k.key_id
			LIMIT ` + strconv.Itoa(HomeKeys+1) + `
		)
		SELECT uuid_send(k.key_id), k.key, k.name, k.enabled, k.total, coalesce(t.records, 0), coalesce(t.succeeded, 0), coalesce(t.quantity, 0),
			coalesce(t.cost, '0'), k.sort_name
		FROM page k
		LEFT JOIN (
			SELECT s.key_id, sum(s.records + s.failed_records)::bigint AS records, sum(s.records)::bigint AS succeeded,
				sum(s.quantity + s.failed_quantity)::bigint AS quantity, sum(s.cost + s.failed_cost)::text AS cost
			FROM usage_days s
			WHERE s.account_id = $1 AND s.key_id = ANY(ARRAY(SELECT key_id FROM page LIMIT ` + strconv.Itoa(HomeKeys) + `)) AND s.day >= $3::timestamptz AND s.day < $4::timestamptz
			GROUP BY s.key_id) t ON t.key_id = k.key_id
		ORDER BY k.sort_name, k.key_id`
}

func (h *Handler) answerHome(r *http.Request, c *caller, b []byte) ([]byte, error) {
	q := r.URL.Query()
	b = append(b, `{"viewer":{"kind":"USER","capabilities":[`...)
	for i, name := range strings.Split(strings.Trim(c.capabilities, "{}"), ",") {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, name)
	}
	b = append(b, `],"user":{"id":`...)
	b = appendID(b, graph.KindUser, c.account, c.user[:])
	b = append(b, `,"displayName":`...)
	b = appendText(b, c.name)
	b = append(b, `,"email":`...)
	b = appendText(b, c.email)
	b = append(b, `}},"account":{"id":`...)
	b = appendID(b, graph.KindAccount, c.account)
	b = append(b, `,"name":`...)
	b = appendText(b, c.accountName)
	b = append(b, `,"status":`...)
	b = appendText(b, c.status)
	b = append(b, `,"currency":`...)
	b = appendText(b, c.currency)
	b = append(b, `,"apiKeys":{"nodes":[`...)
	total, n, last := 0, 0, graph.Cursor{}
	rows, err := h.pool.QueryContext(r.Context(), homeStatement(c.primary), c.account.String(), c.user.String(), q.Get("from"), q.Get("to"))
	if err != nil {
		return b, err
	}
	err = drain(rows, func(rows *sql.Rows) error {
		if n++; n > HomeKeys {
			return nil
		}
		var err error
		b, err = appendKeyWithTotals(b, rows, c, &total, &last)
		return err
	})
	b = append(b, `],"totalCount":`...)
	b = strconv.AppendInt(b, int64(total), 10)
	b = append(b, `,"pageInfo":{"hasNextPage":`...)
	b = appendBool(b, n > HomeKeys)
	b = append(b, `,"endCursor":`...)
	b = appendText(b, last.Text(graph.ByName))
	return append(b, `}}}}`...), err
}

func appendKeyWithTotals(b []byte, rows *sql.Rows, c *caller, total *int, last *graph.Cursor) ([]byte, error) {
	var id, key, name, cost sql.RawBytes
	var enabled bool
	var records, succeeded, quantity int64
	if err := rows.Scan(&id, &key, &name, &enabled, total, &records, &succeeded, &quantity, &cost, &last.Name); err != nil {
		return b, err
	}
	last.ID = graph.UUID(id)
	if b[len(b)-1] != '[' {
		b = append(b, ',')
	}
	b = appendKey(b, c.account, id, key, name, enabled)
	b = append(b, `,"usageReport":{"totals":{"records":`...)
	b = strconv.AppendInt(b, records, 10)
	b = append(b, `,"succeeded":`...)
	b = strconv.AppendInt(b, succeeded, 10)
	b = append(b, `,"quantity":`...)
	b = strconv.AppendInt(b, quantity, 10)
	b = append(b, `,"cost":{"amount":`...)
	b = appendCost(b, cost)
	b = append(b, `,"currency":`...)
	b = appendText(b, c.currency)
	return append(b, `}}}}`...), nil
}

// appendKey begins the object of a key.
func appendKey(b []byte, account graph.UUID, id, key, name []byte, enabled bool) []byte {
	b = append(b, `{"id":`...)
	b = appendID(b, graph.KindKey, account, id)
	b = append(b, `,"key":`...)
	b = appendText(b, key)
	b = append(b, `,"name":`...)
	b = appendText(b, name)
	if enabled {
		return append(b, `,"status":"ENABLED"`...)
	}
	return append(b, `,"status":"DISABLED"`...)
}
