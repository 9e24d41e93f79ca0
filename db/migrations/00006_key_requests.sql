-- A request says for good who asked and which key came of it: requested_by and key_id have no foreign keys.

-- +goose Up
SET LOCAL citus.multi_shard_modify_mode TO 'sequential';

CREATE TABLE key_requests (
    account_id    uuid        NOT NULL,
    request_id    uuid        NOT NULL,
    name          text        NOT NULL,
    kind          text        NOT NULL,
    reason        text        NOT NULL,
    status        text        NOT NULL DEFAULT 'PENDING',
    requested_by  uuid        NOT NULL,
    created_at    timestamptz NOT NULL,
    decided_at    timestamptz,
    decision_note text,
    key_id        uuid,
    CONSTRAINT key_requests_pkey PRIMARY KEY (account_id, request_id),
    CONSTRAINT key_requests_kind CHECK (kind IN ('REGION', 'BUSINESS_UNIT', 'DEPARTMENT', 'CUSTOMER', 'APPLICATION', 'OTHER')),
    CONSTRAINT key_requests_status CHECK (status IN ('PENDING', 'APPROVED', 'REJECTED', 'CANCELLED')),
    CONSTRAINT key_requests_decided CHECK ((status = 'PENDING') = (decided_at IS NULL)),
    CONSTRAINT key_requests_approved CHECK ((status = 'APPROVED') = (key_id IS NOT NULL))
);
SELECT distribute('key_requests', 'account_id', 'accounts');
-- For operators, who ask for what waits in all accounts, the oldest first.
CREATE INDEX key_requests_pending ON key_requests (request_id) WHERE status = 'PENDING';
ALTER TABLE key_requests ADD CONSTRAINT key_requests_account FOREIGN KEY (account_id) REFERENCES accounts (account_id) ON DELETE CASCADE;

-- What was answered to a call with an idempotency key, for a day. key_hash is made of the caller, the mutation and the
-- key; answer is sealed with another value made of these, so that nobody reads it who does not have the key.
CREATE TABLE idempotency_keys (
    account_id uuid        NOT NULL,
    key_hash   bytea       NOT NULL,
    input_hash bytea       NOT NULL,
    answer     bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (account_id, key_hash)
);
SELECT distribute('idempotency_keys', 'account_id', 'accounts');
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (account_id, created_at);
ALTER TABLE idempotency_keys ADD CONSTRAINT idempotency_keys_account FOREIGN KEY (account_id) REFERENCES accounts (account_id) ON DELETE CASCADE;

-- The same for operators, who belong to no account.
CREATE TABLE operator_idempotency_keys (
    operator_id uuid        NOT NULL,
    key_hash    bytea       NOT NULL,
    input_hash  bytea       NOT NULL,
    answer      bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT operator_idempotency_keys_pkey PRIMARY KEY (operator_id, key_hash)
);
SELECT distribute('operator_idempotency_keys', 'operator_id', NULL);
CREATE INDEX operator_idempotency_keys_by_age ON operator_idempotency_keys (operator_id, created_at);
ALTER TABLE operator_idempotency_keys ADD CONSTRAINT operator_idempotency_keys_operator FOREIGN KEY (operator_id) REFERENCES operators (operator_id) ON DELETE CASCADE;
