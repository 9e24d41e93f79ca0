package limit

import (
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"grantwood/graph"
)

// ChangeStatement sets the grant of the user $3 for the key $4 to $5 and writes what the product writes with it: the version of the
// user's rules, an event of the audit trail, and one for those who subscribe. The user $2 acts, who sees every key.
const ChangeStatement = `
	WITH acting AS (
		SELECT me.display_name
		FROM users me
		JOIN accounts a ON a.account_id = $1 AND a.status = 'ACTIVE'
		WHERE me.account_id = $1 AND me.user_id = $2 AND me.status = 'ACTIVE' AND me.is_primary
		FOR SHARE OF me
	), target AS (
		SELECT u.user_id, u.display_name, k.key_id, k.name, k.is_master, k.unit_id, me.display_name AS actor
		FROM acting me
		JOIN users u ON u.account_id = $1 AND u.user_id = $3 AND NOT u.is_primary
		JOIN api_keys k ON k.account_id = $1 AND k.key_id = $4 AND k.deleted_at IS NULL
		FOR NO KEY UPDATE OF u
	), before AS (
		SELECT g.enabled
		FROM grants g
		WHERE g.account_id = $1 AND g.user_id = $3 AND g.key_id = $4 AND (g.expires_at IS NULL OR g.expires_at > $6::timestamptz)
	), written AS (
		INSERT INTO grants AS g (account_id, user_id, key_id, enabled, updated_at, updated_by)
		SELECT $1, t.user_id, t.key_id, $5::boolean, $6::timestamptz, $2 FROM target t
		ON CONFLICT (account_id, user_id, key_id) DO UPDATE
		SET enabled = excluded.enabled, expires_at = NULL, updated_at = excluded.updated_at, updated_by = excluded.updated_by
		WHERE (g.enabled, g.expires_at) IS DISTINCT FROM (excluded.enabled, excluded.expires_at)
		RETURNING g.enabled
	), raised AS (
		UPDATE users SET rules_version = rules_version + 1
		WHERE account_id = $1 AND user_id = $3 AND EXISTS (SELECT FROM written)
	), noted AS (
		INSERT INTO audit_events (account_id, event_id, action, occurred_at, actor_user, actor_label, user_id, key_id, summary, changes, ip_address, request_id)
		SELECT $1, $7::uuid, CASE WHEN $5 THEN 'GRANT_ENABLED' ELSE 'GRANT_DISABLED' END, $6, $2, t.actor, t.user_id, t.key_id,
			CASE WHEN $5 THEN 'Enabled the key ' ELSE 'Disabled the key ' END || t.name || ' for ' || t.display_name || '.',
			jsonb_build_array(jsonb_build_object('field', 'state', 'before', CASE WHEN b.enabled IS NULL THEN 'INHERIT' WHEN b.enabled THEN 'ENABLED' ELSE 'DISABLED' END,
				'after', CASE WHEN $5 THEN 'ENABLED' ELSE 'DISABLED' END)), '127.0.0.1', $8::text
		FROM target t CROSS JOIN written LEFT JOIN before b ON true
	), told AS (
		INSERT INTO live_events (account_id, event_id, at, kind, user_ids, key_ids, enabled)
		SELECT $1, $9::uuid, $6, 'GRANT', ARRAY[t.user_id], ARRAY[t.key_id], $5
		FROM target t CROSS JOIN written LEFT JOIN before b ON true
		WHERE $5 <> coalesce(b.enabled, (
			SELECT r.enabled
			FROM unit_paths p
			JOIN unit_grants r ON r.account_id = $1 AND r.user_id = $3 AND r.unit_id = p.above_id
			WHERE p.account_id = $1 AND p.unit_id = t.unit_id
			ORDER BY p.distance
			LIMIT 1), t.is_master)
	)
	SELECT t.display_name, t.name FROM target t`

func (h *Handler) answerGrant(r *http.Request, c *caller, b []byte) ([]byte, error) {
	var in struct{ UserID, KeyID, State string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return b, err
	}
	if !c.mayManageGrant || !c.primary {
		return b, errors.New("only the primary user changes grants")
	}
	user := graph.ParseID(in.UserID).In(c.account, graph.KindUser)
	key := graph.ParseID(in.KeyID).In(c.account, graph.KindKey)
	enabled := in.State == string(graph.GrantEnabled)
	event, live, request := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	var userName, keyName string
	err := h.row(r.Context(), h.change, func(rows *sql.Rows) error { return rows.Scan(&userName, &keyName) },
		c.account.String(), c.user.String(), user.String(), key.String(), enabled, time.Now().UTC(), event.String(), request.String(), live.String())
	if err != nil {
		return b, err
	}
	b = append(b, `{"setGrant":{"grant":{"id":`...)
	b = appendID(b, graph.KindGrant, c.account, user[:], key[:])
	b = append(b, `,"enabled":`...)
	b = appendBool(b, enabled)
	b = append(b, `,"source":"EXPLICIT","user":{"displayName":`...)
	b = appendText(b, userName)
	b = append(b, `},"key":{"id":`...)
	b = appendText(b, in.KeyID)
	b = append(b, `,"name":`...)
	b = appendText(b, keyName)
	return append(b, `}},"userErrors":[]}}`...), nil
}

const verifyStatement = `
	SELECT uuid_send(k.key_id), k.enabled, a.status, k.secret_hash, k.previous_secret_hash, k.previous_secret_expires_at > now()
	FROM api_keys k
	JOIN accounts a ON a.account_id = k.account_id
	WHERE k.account_id = $1 AND k.key = $2`

func (h *Handler) answerVerify(r *http.Request, b []byte) ([]byte, error) {
	var in struct{ Key, Secret string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return b, err
	}
	account := AccountOfKey(in.Key)
	sum := sha256.Sum256([]byte(in.Secret))
	var id, status, hash, previous sql.RawBytes
	var enabled, right bool
	var holds sql.NullBool
	var key graph.UUID
	result := "INVALID"
	err := h.row(r.Context(), h.verify, func(rows *sql.Rows) error {
		err := rows.Scan(&id, &enabled, &status, &hash, &previous, &holds)
		right = subtle.ConstantTimeCompare(sum[:], hash) == 1 || subtle.ConstantTimeCompare(sum[:], previous) == 1 && holds.Bool
		key = graph.UUID(id)
		switch {
		case !right:
		case string(status) != "ACTIVE":
			result = "ACCOUNT_SUSPENDED"
		case !enabled:
			result = "KEY_DISABLED"
		default:
			result = "VALID"
		}
		return err
	}, account.String(), in.Key)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return b, err
	}
	b = append(b, `{"verifyApiKey":{"result":"`...)
	b = append(b, result...)
	if !right {
		return append(b, `","accountId":null,"keyId":null}}`...), nil
	}
	b = append(b, `","accountId":`...)
	b = appendID(b, graph.KindAccount, account)
	b = append(b, `,"keyId":`...)
	b = appendID(b, graph.KindKey, account, key[:])
	return append(b, `}}`...), nil
}

// AccountOfKey gives the account that the public part of a key names, the zero UUID when it names none.
func AccountOfKey(key string) (account graph.UUID) {
	if len(key) < 29 {
		return account
	}
	if _, err := tokenText.Decode(account[:], []byte(key[3:29])); err != nil {
		return graph.UUID{}
	}
	return account
}
