package limit

import (
	"database/sql"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"time"

	"grantwood/graph"
)

// VisibleDays is the condition that sums of days s are of keys that are visible to the user $2. One look into the index with all keys
// takes half of what one for each key takes.
func VisibleDays(primary bool) string {
	if primary {
		return `$2::uuid IS NOT NULL`
	}
	return `s.key_id = ANY(ARRAY(` + VisibleKeys + `))`
}

// reportStatement adds up days by day and product. It is not prepared: after five uses PostgreSQL would plan it for all periods.
func reportStatement(primary bool) string {
	return `
		SELECT timestamptz_send(s.day), s.product, sum(s.records + s.failed_records)::bigint, sum(s.quantity + s.failed_quantity)::bigint,
			sum(s.cost + s.failed_cost)::text
		FROM usage_days s
		WHERE s.account_id = $1 AND ` + VisibleDays(primary) + ` AND s.day >= $3::timestamptz AND s.day < $4::timestamptz
		GROUP BY s.day, s.product
		ORDER BY s.day, s.product`
}

func (h *Handler) answerReport(r *http.Request, c *caller, b []byte) ([]byte, error) {
	q := r.URL.Query()
	b = append(b, `{"account":{"usageReport":{"rows":[`...)
	rows, err := h.pool.QueryContext(r.Context(), reportStatement(c.primary), c.account.String(), c.user.String(), q.Get("from"), q.Get("to"))
	if err != nil {
		return b, err
	}
	err = drain(rows, func(rows *sql.Rows) error {
		var day, product, records, quantity, cost sql.RawBytes
		if err := rows.Scan(&day, &product, &records, &quantity, &cost); err != nil {
			return err
		}
		if b[len(b)-1] != '[' {
			b = append(b, ',')
		}
		b = append(b, `{"periodStart":`...)
		b = appendTime(b, timeOf(day))
		b = append(b, `,"product":`...)
		b = appendText(b, product)
		b = append(b, `,"totals":{"records":`...)
		b = append(b, records...)
		b = append(b, `,"quantity":`...)
		b = append(b, quantity...)
		b = append(b, `,"cost":{"amount":`...)
		b = appendCost(b, cost)
		b = append(b, `}}}`...)
		return nil
	})
	return append(b, `]}}}`...), err
}

// recordsStatement reads a page of records, the newest first, after the time and id of a record. It is not prepared either: a plan for
// all periods takes any to be so short that sorting it is cheap.
func recordsStatement(primary bool) string {
	return `
		SELECT timestamptz_send(r.occurred_at), timestamptz_send(r.recorded_at), uuid_send(r.id), r.product, r.direction, r.country, r.quantity, r.cost, r.succeeded, r.reference
		FROM usage_records r
		WHERE r.account_id = $1 AND ` + Visible("r.key_id", primary) + ` AND r.replaced_by IS NULL AND r.occurred_at >= $3::timestamptz
			AND r.occurred_at <= $4::timestamptz AND (r.occurred_at, r.id) < ($4::timestamptz, $5::uuid)
		ORDER BY r.occurred_at DESC, r.id DESC
		LIMIT ` + strconv.Itoa(PageRecords+1)
}

func (h *Handler) answerRecords(r *http.Request, c *caller, b []byte) ([]byte, error) {
	q := r.URL.Query()
	after, err := base64.RawURLEncoding.DecodeString(q.Get("after"))
	if err != nil || len(after) != 33 {
		return b, errors.Join(err, errors.New("no cursor"))
	}
	place := graph.Cursor{ID: graph.UUID(after[1:17]), Second: graph.UUID(after[17:33])}
	b = append(b, `{"account":{"usage":{"nodes":[`...)
	n, last := 0, graph.Cursor{}
	rows, err := h.pool.QueryContext(r.Context(), recordsStatement(c.primary), c.account.String(), c.user.String(), q.Get("from"), place.At().Format(time.RFC3339Nano), place.ID.String())
	if err != nil {
		return b, err
	}
	err = drain(rows, func(rows *sql.Rows) error {
		if n++; n > PageRecords {
			return nil
		}
		var err error
		b, err = appendRecord(b, rows, c, &last)
		return err
	})
	b = append(b, `],"pageInfo":{"hasNextPage":`...)
	b = appendBool(b, n > PageRecords)
	b = append(b, `,"endCursor":`...)
	b = appendText(b, last.Text(graph.ByTimeDesc))
	return append(b, `}}}}`...), err
}

func appendRecord(b []byte, rows *sql.Rows, c *caller, last *graph.Cursor) ([]byte, error) {
	var at, recorded, id, product, direction, country, reference sql.RawBytes
	var quantity, cost int64
	var succeeded bool
	if err := rows.Scan(&at, &recorded, &id, &product, &direction, &country, &quantity, &cost, &succeeded, &reference); err != nil {
		return b, err
	}
	t := timeOf(at)
	*last = graph.TimedCursor(t, graph.UUID(id))
	if b[len(b)-1] != '[' {
		b = append(b, ',')
	}
	b = append(b, `{"id":`...)
	b = appendID(b, graph.KindUsage, c.account, id)
	b = append(b, `,"product":`...)
	b = appendText(b, product)
	b = append(b, `,"direction":`...)
	b = appendNullable(b, direction)
	b = append(b, `,"country":`...)
	b = appendText(b, country)
	b = append(b, `,"quantity":`...)
	b = strconv.AppendInt(b, quantity, 10)
	b = append(b, `,"cost":{"amount":`...)
	b = appendUnits(b, cost)
	b = append(b, `},"status":`...)
	if succeeded {
		b = append(b, `"SUCCEEDED"`...)
	} else {
		b = append(b, `"FAILED"`...)
	}
	b = append(b, `,"occurredAt":`...)
	b = appendTime(b, t)
	b = append(b, `,"recordedAt":`...)
	b = appendTime(b, timeOf(recorded))
	b = append(b, `,"reference":`...)
	b = appendText(b, reference)
	return append(b, '}'), nil
}
