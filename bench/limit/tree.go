package limit

import (
	"database/sql"
	"errors"
	"net/http"
	"strings"

	"grantwood/graph"
)

const (
	// usersStatement reads the first users by name, for those who manage them.
	usersStatement = `
		SELECT u.user_id, u.display_name, u.email, u.is_primary, u.status, timestamptz_send(u.created_at)
		FROM users u
		WHERE u.account_id = $1
		ORDER BY lower(u.display_name) COLLATE "C", u.user_id
		LIMIT $2::int`

	// grantsStatement reads the first grants of each of the users $2, for somebody who sees every key: what was set for the pair, else
	// what the nearest unit with a rule says, else the default. Without a limit it gives them for all keys.
	grantsStatement = `
		SELECT o.n, k.enabled_for, k.source, uuid_send(k.key_id), k.key, k.name, k.enabled
		FROM unnest($2::uuid[]) WITH ORDINALITY AS o (user_id, n)
		CROSS JOIN LATERAL (
			SELECT k.key_id, k.key, k.name, k.enabled, coalesce(g.enabled, n.enabled, k.is_master) AS enabled_for,
				CASE WHEN g.user_id IS NOT NULL THEN 'EXPLICIT' WHEN n.unit_id IS NOT NULL THEN 'UNIT' ELSE 'DEFAULT' END AS source
			FROM api_keys k
			LEFT JOIN grants g ON g.account_id = $1 AND g.user_id = o.user_id AND g.key_id = k.key_id AND (g.expires_at IS NULL OR g.expires_at > now())
			LEFT JOIN LATERAL (
				SELECT r.enabled, r.unit_id
				FROM unit_paths p
				JOIN unit_grants r ON r.account_id = $1 AND r.user_id = o.user_id AND r.unit_id = p.above_id
				WHERE p.account_id = $1 AND p.unit_id = k.unit_id
				ORDER BY p.distance
				LIMIT 1) n ON g.user_id IS NULL AND k.unit_id IS NOT NULL
			WHERE k.account_id = $1 AND k.deleted_at IS NULL
			ORDER BY k.key_id
			LIMIT $3::int) k
		ORDER BY o.n, k.key_id`
)

// person is a user of the tree.
type person struct {
	id, name, email, status string
	primary                 bool
	created                 []byte
}

func (h *Handler) answerTree(r *http.Request, c *caller, b []byte) ([]byte, error) {
	if !c.primary {
		return b, errors.New("only the primary user sees all")
	}
	q := r.URL.Query()
	var people []person
	var ids []string
	err := each(r.Context(), h.users, func(rows *sql.Rows) error {
		var p person
		err := rows.Scan(&p.id, &p.name, &p.email, &p.primary, &p.status, &p.created)
		people = append(people, p)
		ids = append(ids, p.id)
		return err
	}, c.account.String(), q.Get("first"))
	if err != nil {
		return b, err
	}
	b = append(b, `{"account":{"id":`...)
	b = appendID(b, graph.KindAccount, c.account)
	b = append(b, `,"name":`...)
	b = appendText(b, c.accountName)
	b = append(b, `,"users":{"nodes":[`...)
	open := 0 // how many users are begun
	begin := func(n int) error {
		for ; open < n; open++ {
			if open > 0 {
				b = append(b, `]}},`...)
			}
			if b, err = appendPerson(b, c.account, &people[open]); err != nil {
				return err
			}
		}
		return nil
	}
	err = each(r.Context(), h.grants, func(rows *sql.Rows) error {
		return appendGrant(&b, rows, c.account, begin)
	}, c.account.String(), "{"+strings.Join(ids, ",")+"}", q.Get("grants"))
	if err := errors.Join(err, begin(len(people))); err != nil {
		return b, err
	}
	if open > 0 {
		b = append(b, `]}}`...)
	}
	return append(b, `]}}}`...), nil
}

func appendPerson(b []byte, account graph.UUID, p *person) ([]byte, error) {
	var id graph.UUID
	if err := id.Scan(p.id); err != nil {
		return b, err
	}
	b = append(b, `{"id":`...)
	b = appendID(b, graph.KindUser, account, id[:])
	b = append(b, `,"displayName":`...)
	b = appendText(b, p.name)
	b = append(b, `,"email":`...)
	b = appendText(b, p.email)
	b = append(b, `,"isPrimary":`...)
	b = appendBool(b, p.primary)
	b = append(b, `,"status":`...)
	b = appendText(b, p.status)
	b = append(b, `,"createdAt":`...)
	b = appendTime(b, timeOf(p.created))
	return append(b, `,"grants":{"nodes":[`...), nil
}

func appendGrant(to *[]byte, rows *sql.Rows, account graph.UUID, begin func(n int) error) error {
	var n int
	var source, id, key, name sql.RawBytes
	var enabledFor, enabled bool
	if err := rows.Scan(&n, &enabledFor, &source, &id, &key, &name, &enabled); err != nil {
		return err
	}
	if err := begin(n); err != nil {
		return err
	}
	b := *to
	if b[len(b)-1] != '[' {
		b = append(b, ',')
	}
	b = append(b, `{"enabled":`...)
	b = appendBool(b, enabledFor)
	b = append(b, `,"source":`...)
	b = appendText(b, source)
	b = append(b, `,"key":{"id":`...)
	b = appendID(b, graph.KindKey, account, id)
	b = append(b, `,"key":`...)
	b = appendText(b, key)
	b = append(b, `,"name":`...)
	b = appendText(b, name)
	b = append(b, `,"status":`...)
	b = appendKeyStatus(b, enabled)
	*to = append(b, `}}`...)
	return nil
}
