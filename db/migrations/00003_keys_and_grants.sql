-- +goose Up
SET LOCAL citus.multi_shard_modify_mode TO 'sequential';

-- A key has room for two secrets, so that never more than two are alive.
CREATE TABLE api_keys (
    account_id                 uuid        NOT NULL,
    key_id                     uuid        NOT NULL,
    key                        text        NOT NULL,
    name                       text        NOT NULL,
    kind                       text        NOT NULL,
    is_master                  boolean     NOT NULL DEFAULT false,
    enabled                    boolean     NOT NULL DEFAULT true,
    secret_hash                bytea,
    secret_hint                text,
    secret_issued_at           timestamptz,
    previous_secret_hash       bytea,
    previous_secret_expires_at timestamptz,
    created_at                 timestamptz NOT NULL,
    deleted_at                 timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (account_id, key_id),
    CONSTRAINT api_keys_key UNIQUE (account_id, key),
    CONSTRAINT api_keys_kind CHECK (kind IN ('REGION', 'BUSINESS_UNIT', 'DEPARTMENT', 'CUSTOMER', 'APPLICATION', 'OTHER')),
    CONSTRAINT api_keys_secret CHECK (num_nulls(secret_hash, secret_hint, secret_issued_at) IN (0, 3)),
    CONSTRAINT api_keys_previous_secret CHECK (num_nulls(previous_secret_hash, previous_secret_expires_at) IN (0, 2)),
    CONSTRAINT api_keys_master_stays CHECK (NOT is_master OR deleted_at IS NULL),
    CONSTRAINT api_keys_deleted_without_secret CHECK (deleted_at IS NULL OR num_nonnulls(secret_hash, previous_secret_hash) = 0)
);
SELECT distribute('api_keys', 'account_id', 'accounts');
CREATE UNIQUE INDEX api_keys_one_master ON api_keys (account_id) WHERE is_master;
CREATE INDEX api_keys_by_name ON api_keys (account_id, (lower(name) COLLATE "C"), key_id);
ALTER TABLE api_keys ADD CONSTRAINT api_keys_account FOREIGN KEY (account_id) REFERENCES accounts (account_id) ON DELETE CASCADE;

CREATE TABLE grants (
    account_id uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    key_id     uuid        NOT NULL,
    enabled    boolean     NOT NULL,
    expires_at timestamptz,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    CONSTRAINT grants_pkey PRIMARY KEY (account_id, user_id, key_id),
    CONSTRAINT grants_end CHECK (enabled OR expires_at IS NULL)
);
SELECT distribute('grants', 'account_id', 'accounts');
CREATE INDEX grants_by_key ON grants (account_id, key_id, user_id);
ALTER TABLE grants ADD CONSTRAINT grants_user FOREIGN KEY (account_id, user_id) REFERENCES users (account_id, user_id) ON DELETE CASCADE;
ALTER TABLE grants ADD CONSTRAINT grants_key FOREIGN KEY (account_id, key_id) REFERENCES api_keys (account_id, key_id) ON DELETE CASCADE;

CREATE TABLE invitations (
    account_id         uuid        NOT NULL,
    invitation_id      uuid        NOT NULL,
    email              text        NOT NULL,
    for_primary        boolean     NOT NULL DEFAULT false,
    granted            text[]      NOT NULL DEFAULT '{}',
    without_master_key boolean     NOT NULL DEFAULT false,
    status             text        NOT NULL DEFAULT 'PENDING',
    secret_hash        bytea       NOT NULL,
    invited_by         uuid,
    sent_at            timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL,
    CONSTRAINT invitations_pkey PRIMARY KEY (account_id, invitation_id),
    CONSTRAINT invitations_status CHECK (status IN ('PENDING', 'ACCEPTED', 'REVOKED', 'EXPIRED')),
    CONSTRAINT invitations_end CHECK (expires_at > sent_at)
);
SELECT distribute('invitations', 'account_id', 'accounts');
CREATE UNIQUE INDEX invitations_one_pending ON invitations (account_id, email) WHERE status = 'PENDING';
ALTER TABLE invitations ADD CONSTRAINT invitations_account FOREIGN KEY (account_id) REFERENCES accounts (account_id) ON DELETE CASCADE;

CREATE TABLE invitation_keys (
    account_id    uuid NOT NULL,
    invitation_id uuid NOT NULL,
    key_id        uuid NOT NULL,
    CONSTRAINT invitation_keys_pkey PRIMARY KEY (account_id, invitation_id, key_id)
);
SELECT distribute('invitation_keys', 'account_id', 'accounts');
ALTER TABLE invitation_keys ADD CONSTRAINT invitation_keys_invitation FOREIGN KEY (account_id, invitation_id) REFERENCES invitations (account_id, invitation_id) ON DELETE CASCADE;
ALTER TABLE invitation_keys ADD CONSTRAINT invitation_keys_key FOREIGN KEY (account_id, key_id) REFERENCES api_keys (account_id, key_id) ON DELETE CASCADE;
