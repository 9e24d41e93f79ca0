package db

import (
	"fmt"
	"strings"
	"time"

	"grantwood/graph"
)

// span is a part of the report's period.
type span struct{ from, to time.Time }

// sources are the statements that give what is to be added up, and whether that is nothing but sums of days.
func (q *reportQuery) sources() (list []string, onlyDays bool) {
	whole := span{q.buckets[0], q.buckets[len(q.buckets)-1]}
	if q.in.Groups(graph.ByTag) || q.in.Direction != nil {
		return []string{q.records([]span{whole})}, false
	}
	inner := span{ceil(whole.from, quarter), floor(whole.to, quarter)}
	if !inner.from.Before(inner.to) {
		return []string{q.records([]span{whole})}, false
	}
	if edges := nonEmpty(span{whole.from, inner.from}, span{inner.to, whole.to}); len(edges) > 0 {
		list = append(list, q.records(edges))
	}
	days, quarters := q.split(inner)
	if len(days) > 0 {
		list = append(list, q.days(days))
	}
	if len(quarters) > 0 {
		list = append(list, q.quarters(quarters))
	}
	return list, len(list) == 1 && len(days) > 0
}

// split divides a period into whole days (UTC) that lie in one bucket, and what is left. Days know no countries.
func (q *reportQuery) split(inner span) (days, quarters []span) {
	if q.in.Groups(graph.ByCountry) || q.in.Countries != nil {
		return nil, []span{inner}
	}
	for i := range len(q.buckets) - 1 {
		b := span{later(q.buckets[i], inner.from), earlier(q.buckets[i+1], inner.to)}
		d := span{ceil(b.from, day), floor(b.to, day)}
		if !d.from.Before(d.to) {
			quarters = appendSpans(quarters, b)
			continue
		}
		quarters = appendSpans(quarters, span{b.from, d.from})
		days = appendSpans(days, d)
		quarters = appendSpans(quarters, span{d.to, b.to})
	}
	return days, quarters
}

// appendSpans adds a part, as one with the last where they touch.
func appendSpans(list []span, s span) []span {
	if !s.from.Before(s.to) {
		return list
	}
	if n := len(list); n > 0 && list[n-1].to.Equal(s.from) {
		list[n-1].to = s.to
		return list
	}
	return append(list, s)
}

func nonEmpty(spans ...span) []span {
	var list []span
	for _, s := range spans {
		list = appendSpans(list, s)
	}
	return list
}

func ceil(t time.Time, d time.Duration) time.Time {
	if f := floor(t, d); f.Equal(t) {
		return f
	}
	return floor(t, d).Add(d)
}

func floor(t time.Time, d time.Duration) time.Time {
	return t.Add(-time.Duration(mod(t.UnixMicro(), d)) * time.Microsecond)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// within is the condition that a time lies in one of the parts. The outer bounds let PostgreSQL leave partitions out.
func (q *reportQuery) within(column string, spans []span) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s >= %s::timestamptz AND %s < %s::timestamptz", column, q.param(spans[0].from), column, q.param(spans[len(spans)-1].to))
	if len(spans) == 1 {
		return b.String()
	}
	from, to := make([]time.Time, len(spans)), make([]time.Time, len(spans))
	for i, s := range spans {
		from[i], to[i] = s.from, s.to
	}
	starts, ends := q.param(timeArray(from)), q.param(timeArray(to))
	fmt.Fprintf(&b, " AND %s < (%s::timestamptz[])[width_bucket(%s, %s::timestamptz[])]", column, ends, column, starts)
	return b.String()
}

func (q *reportQuery) products() string {
	if q.in.Products == nil {
		return ""
	}
	return ` AND s.product = ANY(` + q.param(textArray(q.in.Products)) + `::text[])`
}

func (q *reportQuery) countries() string {
	if q.in.Countries == nil {
		return ""
	}
	return ` AND s.country = ANY(` + q.param(textArray(q.in.Countries)) + `::text[])`
}

// inScope limits sums or records s to those of the keys. One look into an index with all keys takes half of what a join takes, which looks
// for each key.
const inScope = `s.account_id = $1 AND s.key_id = ANY (ARRAY (SELECT key_id FROM scope))`

const usedSums = `s.records, s.quantity, s.cost, s.failed_records, s.failed_quantity, s.failed_cost`

func (q *reportQuery) days(spans []span) string {
	return `
			SELECT s.key_id, s.day AS at, s.product, NULL AS country, NULL AS tag, ` + usedSums + `
			FROM usage_days s
			WHERE ` + inScope + ` AND ` + q.within("s.day", spans) + q.products()
}

func (q *reportQuery) quarters(spans []span) string {
	return `
			SELECT s.key_id, s.at, s.product, s.country, NULL AS tag, ` + usedSums + `
			FROM usage_quarters s
			WHERE ` + inScope + ` AND ` + q.within("s.at", spans) + q.products() + q.countries()
}

func (q *reportQuery) records(spans []span) string {
	tag, direction := "NULL", ""
	if q.in.Tag != nil {
		tag = "s.tags ->> " + q.param(*q.in.Tag) + "::text"
	}
	if q.in.Direction != nil {
		direction = " AND s.direction = " + q.param(*q.in.Direction)
	}
	return `
			SELECT s.key_id, s.occurred_at AS at, s.product, s.country, ` + tag + ` AS tag,
				s.succeeded::int::bigint AS records, CASE WHEN s.succeeded THEN s.quantity ELSE 0 END AS quantity,
				(CASE WHEN s.succeeded THEN s.cost ELSE 0 END)::numeric AS cost, (NOT s.succeeded)::int::bigint AS failed_records,
				CASE WHEN s.succeeded THEN 0 ELSE s.quantity END AS failed_quantity, (CASE WHEN s.succeeded THEN 0 ELSE s.cost END)::numeric AS failed_cost
			FROM usage_records s
			WHERE ` + inScope + ` AND s.replaced_by IS NULL AND ` + q.within("s.occurred_at", spans) + q.products() + q.countries() + direction
}
