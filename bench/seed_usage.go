package main

import (
	"context"
	"fmt"

	"grantwood/graph"
)

// usageChunk is how many records one statement makes.
const usageChunk = 250_000

// usageStatement makes the records $2 up to $3 of $4 in the account $1, evenly between $5 and $6 and in the order of time, as they
// come in: the record's number decides about all of it. The key comes from those with the numbers 0 up to $7. Identifiers are those
// of graph.UsageRecordID, which a test compares.
const usageStatement = `
	WITH k AS MATERIALIZED (
		SELECT array_agg(key_id ORDER BY key_id) AS ids FROM (
			SELECT key_id FROM api_keys WHERE account_id = $1::uuid ORDER BY key_id LIMIT $7::int) k
	), n AS (
		SELECT i, date_trunc('microseconds', $5::timestamptz + ($6::timestamptz - $5::timestamptz) * ((i - 0.5) / $4::float8)) AS at,
			md5('record' || i) || lpad(to_hex(i), 8, '0') AS reference,
			hashint8(i) & 2147483647 AS a, hashint8(i + 1000000007) & 2147483647 AS b, hashint8(i + 2000000011) & 2147483647 AS c
		FROM generate_series($2::bigint, $3::bigint) i
	)
	INSERT INTO usage_records (account_id, occurred_at, id, key_id, product, direction, country, quantity, cost, succeeded, recorded_at, reference, tags)
	SELECT $1::uuid, n.at, ` + recordID + `, k.ids[1 + n.a % cardinality(k.ids)], ($8::text[])[1 + n.b % cardinality($8::text[])],
		CASE WHEN n.b % 4 = 0 THEN NULL WHEN n.b % 4 = 1 THEN 'INBOUND' ELSE 'OUTBOUND' END, (ARRAY['US', 'US', 'DE', 'GB', 'FR', 'ES', 'IN'])[1 + n.c % 7],
		1 + n.c % 3, 100000 + n.a % 9900000, n.b % 20 <> 0, n.at + interval '1 second', n.reference,
		CASE WHEN n.c % 4 = 0 THEN jsonb_build_object('campaign', 'c' || n.a % 50) ELSE '{}' END
	FROM n CROSS JOIN k
	CROSS JOIN LATERAL (` + recordSum + `) h`

// recordID is graph.UsageRecordID in SQL, of the account $1 and the record n, with recordSum as h.
const recordID = `encode(set_byte(set_byte(
		substring(int8send(floor(extract(epoch FROM n.at) * 1000)::bigint) FROM 3) || substring(h.sum FROM 1 FOR 10),
		6, get_byte(h.sum, 0) & 15 | 112), 8, get_byte(h.sum, 2) & 63 | 128), 'hex')::uuid`

const recordSum = `SELECT sha256(uuid_send($1::uuid) || int8send((extract(epoch FROM n.at) * 1000000)::bigint) || convert_to(n.reference, 'UTF8')) AS sum`

// usage makes the records of the account, and a tenth as many in the accounts around it.
func (s *seeder) usage(ctx context.Context) error { return s.withoutIndexes(ctx, s.records) }

// withoutIndexes does something while records have no indexes but their primary key, and then makes them again as they were. References
// are in no order: to put each where it belongs in an index takes several times as long as to sort all of them once.
func (s *seeder) withoutIndexes(ctx context.Context, do func(context.Context) error) error {
	rows, err := s.pool.QueryContext(ctx, `
		SELECT i.indexrelid::regclass::text, replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
		FROM pg_index i
		JOIN pg_class c ON c.oid = i.indexrelid
		WHERE i.indrelid IN (SELECT relid FROM pg_partition_tree('usage_records')) AND NOT i.indisprimary AND NOT c.relispartition`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var remove, again []string
	for rows.Next() {
		var name, definition string
		if err := rows.Scan(&name, &definition); err != nil {
			return err
		}
		remove, again = append(remove, `DROP INDEX `+name), append(again, definition)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if err := s.each(ctx, remove); err != nil {
		return err
	}
	if err := do(ctx); err != nil {
		return err
	}
	return s.each(ctx, again)
}

// each does one statement after the other.
func (s *seeder) each(ctx context.Context, statements []string) error {
	for _, statement := range statements {
		if err := s.exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (s *seeder) records(ctx context.Context) error {
	if err := s.usageOf(ctx, s.Account, s.Records, keys); err != nil {
		return err
	}
	list, err := s.accountsBut(ctx, s.Account)
	if err != nil {
		return err
	}
	for _, id := range list {
		if id == s.Copies {
			continue
		}
		if err := s.usageOf(ctx, id, max(1, s.Records/10/accounts), 20); err != nil {
			return err
		}
	}
	return nil
}

func (s *seeder) usageOf(ctx context.Context, account graph.UUID, records, keys int) error {
	for from := 1; from <= records; from += usageChunk {
		to := min(records, from+usageChunk-1)
		err := s.exec(ctx, usageStatement, account.String(), from, to, records, s.From, s.To, keys, array(products))
		if err != nil {
			return err
		}
		if to > usageChunk || records > usageChunk {
			s.log.Info("added usage", "records", to, "of", records)
		}
	}
	return nil
}

// sums makes the sums of all records, as the product makes them anew, and leaves the database as one that has been there for long.
func (s *seeder) sums(ctx context.Context) error {
	if _, err := s.db.CheckSums(ctx, true); err != nil {
		return err
	}
	if left, err := s.db.CheckSums(ctx, false); err != nil || len(left) > 0 {
		return fmt.Errorf("sums differ from the records: %v, %w", left, err)
	}
	return s.each(ctx, []string{`VACUUM (ANALYZE)`, `CHECKPOINT`})
}

// array gives names as a parameter for text[].
func array(names []string) string {
	text := "{"
	for i, n := range names {
		if i > 0 {
			text += ","
		}
		text += n
	}
	return text + "}"
}
