package limit

import (
	"database/sql"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"grantwood/graph"
)

var (
	// usersStatement reads the first users by name, for those who manage them.
	usersStatement = `
		SELECT u.user_id, u.display_name, u.email, u.is_primary, u.status, timestamptz_send(u.created_at)
		FROM users u
		WHERE u.account_id = $1
		ORDER BY lower(u.display_name) COLLATE "C", u.user_id
		LIMIT ` + strconv.Itoa(TreeUsers)

	// grantsStatement reads the first grants of each of the users $2, for somebody who sees every key: what was set for the pair, else
	// what the nearest unit with a rule says, else the default. The first keys are the same for all users; OFFSET 0 keeps PostgreSQL
	// from reading all grants of each user.
	grantsStatement = `
		SELECT o.n, coalesce(g.enabled, n.enabled, k.is_master), ` + source + `, uuid_send(k.key_id), k.key, k.name, k.enabled
		FROM unnest($2::uuid[]) WITH ORDINALITY AS o (user_id, n)
		CROSS JOIN (
			SELECT k.key_id, k.key, k.name, k.enabled, k.is_master, k.unit_id
			FROM api_keys k
			WHERE k.account_id = $1 AND k.deleted_at IS NULL
			ORDER BY k.key_id
			LIMIT ` + strconv.Itoa(TreeGrants) + `) k
		LEFT JOIN LATERAL (
			SELECT g.enabled FROM grants g
			WHERE g.account_id = $1 AND g.user_id = o.user_id AND g.key_id = k.key_id AND (g.expires_at IS NULL OR g.expires_at > now())
			OFFSET 0) g ON true
		LEFT JOIN (
			SELECT DISTINCT ON (r.user_id, p.unit_id) r.user_id, p.unit_id, r.enabled
			FROM unit_grants r
			JOIN unit_paths p ON p.account_id = $1 AND p.above_id = r.unit_id
			WHERE r.account_id = $1 AND r.user_id = ANY($2::uuid[])
			ORDER BY r.user_id, p.unit_id, p.distance) n ON n.user_id = o.user_id AND n.unit_id = k.unit_id
		ORDER BY o.n, k.key_id`

	source = `CASE WHEN g.enabled IS NOT NULL THEN 'EXPLICIT' WHEN n.enabled IS NOT NULL THEN 'UNIT' ELSE 'DEFAULT' END`
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
	var people []person
	var ids []string
	err := each(r.Context(), h.users, func(rows *sql.Rows) error {
		var p person
		err := rows.Scan(&p.id, &p.name, &p.email, &p.primary, &p.status, &p.created)
		people = append(people, p)
		ids = append(ids, p.id)
		return err
	}, c.account.String())
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
	}, c.account.String(), "{"+strings.Join(ids, ",")+"}")
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
