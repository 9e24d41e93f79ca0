-- +goose Up
SET LOCAL citus.multi_shard_modify_mode TO 'sequential';

-- A token ends with its creator, whose rights bound it.
CREATE TABLE access_tokens (
    account_id   uuid        NOT NULL,
    token_id     uuid        NOT NULL,
    name         text        NOT NULL,
    hint         text        NOT NULL,
    granted      text[]      NOT NULL,
    secret_hash  bytea       NOT NULL,
    created_by   uuid        NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    CONSTRAINT access_tokens_pkey PRIMARY KEY (account_id, token_id),
    CONSTRAINT access_tokens_granted CHECK (granted <@ ARRAY['VIEW_USAGE', 'ROTATE_SECRETS']),
    CONSTRAINT access_tokens_end CHECK (expires_at > created_at)
);
SELECT distribute('access_tokens', 'account_id', 'accounts');
CREATE INDEX access_tokens_by_creator ON access_tokens (account_id, created_by);
ALTER TABLE access_tokens ADD CONSTRAINT access_tokens_creator FOREIGN KEY (account_id, created_by) REFERENCES users (account_id, user_id) ON DELETE CASCADE;

-- The keys that a token is limited to; never changed.
CREATE TABLE access_token_keys (
    account_id uuid NOT NULL,
    token_id   uuid NOT NULL,
    key_id     uuid NOT NULL,
    CONSTRAINT access_token_keys_pkey PRIMARY KEY (account_id, token_id, key_id)
);
SELECT distribute('access_token_keys', 'account_id', 'accounts');
ALTER TABLE access_token_keys ADD CONSTRAINT access_token_keys_token FOREIGN KEY (account_id, token_id) REFERENCES access_tokens (account_id, token_id) ON DELETE CASCADE;
ALTER TABLE access_token_keys ADD CONSTRAINT access_token_keys_key FOREIGN KEY (account_id, key_id) REFERENCES api_keys (account_id, key_id) ON DELETE CASCADE;

ALTER TABLE audit_events ADD COLUMN actor_token uuid;
ALTER TABLE audit_events DROP CONSTRAINT audit_events_one_actor;
ALTER TABLE audit_events ADD CONSTRAINT audit_events_one_actor CHECK (num_nonnulls(actor_user, actor_operator, actor_token) <= 1);

-- The provider's list of accounts.
CREATE INDEX accounts_by_name ON accounts ((lower(name) COLLATE "C"), account_id);
