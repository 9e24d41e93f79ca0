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

	// grantsStatement reads the first grants of each of the users $2, for somebody who sees every key. The first keys are the same for all
	// users.
	grantsStatement = `
		SELECT o.n, ` + Effective + `, uuid_send(k.key_id), k.key, k.name, k.enabled
		FROM unnest($2::uuid[]) WITH ORDINALITY AS o (user_id, n)
		CROSS JOIN (
			SELECT k.key_id, k.key, k.name, k.enabled, k.is_master, k.unit_id
			FROM api_keys k
			WHERE k.account_id = $1 AND k.deleted_at IS NULL
			ORDER BY k.key_id
			LIMIT ` + strconv.Itoa(TreeGrants) + `) k
		` + RulesOfPairs + `
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
	b = append(b, `,"key":`...)
	b = appendKey(b, account, id, key, name, enabled)
	*to = append(b, `}}`...)
	return nil
}
