package db

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// idempotencyLifetime is how long a repeated call is answered as the first one was.
const idempotencyLifetime = 24 * time.Hour

// call is a call of a mutation that may be repeated. The input is written as JSON, without the idempotency key itself.
type call struct {
	mutation string
	key      *string // nil when the caller gave none: then nothing is remembered
	input    any
}

// once runs do, which changes something and fills answer, and remembers the answer for a day in the same transaction. When
// the same caller has called the same mutation with the same idempotency key, it fills answer from memory instead and
// reports repeated: the caller reads the objects again as they are now. IdempotencyMismatch when the input was another. A
// refusal is not remembered. Of several calls at the same time one does it, and the others wait for it.
//
// An answer may hold a secret that is otherwise kept as a hash only. It is sealed with a key that is made of the
// idempotency key, of which the database has only a hash: whoever steals the database cannot open it.
func once(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, c call, answer any, do func() error) (repeated bool, err error) {
	if c.key == nil {
		return false, do()
	}
	r, err := newRecord(v, c)
	if err != nil {
		return false, err
	}
	claimed, err := r.claim(ctx, tx)
	if err != nil {
		return false, err
	}
	if !claimed {
		return true, r.recall(ctx, tx, answer)
	}
	if err := do(); err != nil {
		return false, err
	}
	return false, r.keep(ctx, tx, answer)
}

// changeOnce runs a change that v makes in its account, as changeAs does, and remembers its answer, as once does.
func (db *DB) changeOnce(ctx context.Context, v *graph.Viewer, capability graph.Capability, lock ownRow, c call, answer any,
	do func(tx *sqlx.Tx, v *graph.Viewer) error) (repeated bool, err error) {
	err = db.changeAs(ctx, v, capability, lock, c.mutation, func(tx *sqlx.Tx, v *graph.Viewer) (err error) {
		repeated, err = once(ctx, tx, v, c, answer, func() error { return do(tx, v) })
		return err
	})
	return repeated, err
}

// record is what is remembered about a call.
type record struct {
	table, owner string // the table, and its column for whom the records belong to
	ownerID      graph.UUID
	keyHash      []byte
	inputHash    []byte
	seal         cipher.AEAD
	at           time.Time
}

func newRecord(v *graph.Viewer, c call) (*record, error) {
	r := &record{at: v.Request.At}
	var caller graph.UUID
	switch v.Kind {
	case graph.KindOfUser, graph.KindOfToken:
		r.table, r.owner, r.ownerID, caller = "idempotency_keys", "account_id", v.AccountID(), v.Self()
	case graph.KindOperator:
		r.table, r.owner, r.ownerID = "operator_idempotency_keys", "operator_id", v.Operator.OperatorID
	default: // two callers must never share a record
		return nil, fmt.Errorf("no idempotency keys for callers of the kind %q", v.Kind)
	}
	scope := fmt.Sprintf("grantwood idempotency key of %s by %s in %s to ", c.mutation, caller, r.ownerID)
	input, err := json.Marshal(c.input)
	if err != nil {
		return nil, fmt.Errorf("write input: %w", err)
	}
	sum := sha256.Sum256(input)
	r.inputHash = sum[:]
	if r.keyHash, err = derive(*c.key, scope+"find"); err != nil {
		return nil, err
	}
	key, err := derive(*c.key, scope+"seal")
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	r.seal, err = cipher.NewGCM(block)
	return r, err
}

// derive makes 32 bytes of an idempotency key for one purpose (HKDF, RFC 5869); from one purpose's nobody gets another's.
func derive(key, purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(key), nil, purpose, sha256.Size)
}

// claim takes the place of the record, also that of one whose time is over, and sweeps the others whose time is over. It
// waits for a call that holds the place; false when that has answered.
func (r *record) claim(ctx context.Context, tx *sqlx.Tx) (bool, error) {
	over := r.at.Add(-idempotencyLifetime)
	result, err := tx.ExecContext(ctx, `
		INSERT INTO `+r.table+` AS i (`+r.owner+`, key_hash, input_hash, answer, created_at)
		VALUES ($1, $2, $3, '', $4)
		ON CONFLICT (`+r.owner+`, key_hash) DO UPDATE
		SET input_hash = excluded.input_hash, answer = excluded.answer, created_at = excluded.created_at
		WHERE i.created_at <= $5`, r.ownerID, r.keyHash, r.inputHash, r.at, over)
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	if err != nil || rows == 0 {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM `+r.table+`
		WHERE `+r.owner+` = $1 AND key_hash IN (
			SELECT key_hash FROM `+r.table+`
			WHERE `+r.owner+` = $1 AND created_at <= $2
			FOR UPDATE SKIP LOCKED)`, r.ownerID, over)
	return true, err
}

// recall fills answer with what was answered before.
func (r *record) recall(ctx context.Context, tx *sqlx.Tx, answer any) error {
	var row struct{ InputHash, Answer []byte }
	err := tx.GetContext(ctx, &row, `
		SELECT input_hash, answer
		FROM `+r.table+`
		WHERE `+r.owner+` = $1 AND key_hash = $2`, r.ownerID, r.keyHash)
	if err != nil {
		return err
	}
	if !bytes.Equal(row.InputHash, r.inputHash) {
		return (&graph.Error{Code: graph.IdempotencyMismatch,
			Message: "The idempotency key was used before with other input."}).At(repeatedKey)
	}
	n := r.seal.NonceSize()
	if len(row.Answer) < n {
		return fmt.Errorf("remembered answer has %d bytes", len(row.Answer))
	}
	text, err := r.seal.Open(nil, row.Answer[:n], row.Answer[n:], r.inputHash)
	if err != nil {
		return fmt.Errorf("open remembered answer: %w", err)
	}
	return json.Unmarshal(text, answer)
}

// keep remembers the answer.
func (r *record) keep(ctx context.Context, tx *sqlx.Tx, answer any) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	nonce := make([]byte, r.seal.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	_, err = tx.ExecContext(ctx, `
		UPDATE `+r.table+` SET answer = $3
		WHERE `+r.owner+` = $1 AND key_hash = $2`, r.ownerID, r.keyHash, r.seal.Seal(nonce, nonce, text, r.inputHash))
	return err
}
