-- +goose Up
SET LOCAL citus.multi_shard_modify_mode TO 'sequential';

CREATE TABLE accounts (
    account_id   uuid        NOT NULL,
    name         text        NOT NULL,
    status       text        NOT NULL DEFAULT 'ACTIVE',
    currency     text        NOT NULL,
    max_users    int         NOT NULL DEFAULT 100,
    max_api_keys int         NOT NULL DEFAULT 100,
    created_at   timestamptz NOT NULL,
    CONSTRAINT accounts_pkey PRIMARY KEY (account_id),
    CONSTRAINT accounts_status CHECK (status IN ('ACTIVE', 'SUSPENDED')),
    CONSTRAINT accounts_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT accounts_limits CHECK (max_users > 0 AND max_api_keys > 0)
);
SELECT distribute('accounts', 'account_id', NULL);

-- Staff and machines of the provider; few, and needed beside every account.
CREATE TABLE operators (
    operator_id uuid        NOT NULL,
    label       text        NOT NULL,
    scopes      text[]      NOT NULL,
    secret_hash bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    revoked_at  timestamptz,
    CONSTRAINT operators_pkey PRIMARY KEY (operator_id),
    CONSTRAINT operators_scopes CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['SUPPORT', 'ADMIN', 'INGEST', 'VERIFY'])
);
SELECT distribute('operators', NULL, NULL);

-- Somebody who signs in. Persons belong to no account; memberships says which accounts they can enter.
CREATE TABLE persons (
    person_id     uuid        NOT NULL,
    email         text        NOT NULL,
    display_name  text        NOT NULL,
    password_hash text        NOT NULL,
    created_at    timestamptz NOT NULL,
    CONSTRAINT persons_pkey PRIMARY KEY (person_id)
);
SELECT distribute('persons', 'person_id', NULL);

-- The one place where an address is unique over all accounts.
CREATE TABLE logins (
    email_key text NOT NULL,
    person_id uuid NOT NULL,
    CONSTRAINT logins_pkey PRIMARY KEY (email_key)
);
SELECT distribute('logins', 'email_key', NULL);

CREATE TABLE memberships (
    person_id       uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    user_id         uuid        NOT NULL,
    last_entered_at timestamptz NOT NULL,
    CONSTRAINT memberships_pkey PRIMARY KEY (person_id, account_id)
);
SELECT distribute('memberships', 'person_id', 'persons');
ALTER TABLE memberships ADD CONSTRAINT memberships_person FOREIGN KEY (person_id) REFERENCES persons (person_id) ON DELETE CASCADE;

-- A person in one account, with copies of name and address so that lists need one shard only.
CREATE TABLE users (
    account_id      uuid        NOT NULL,
    user_id         uuid        NOT NULL,
    person_id       uuid        NOT NULL,
    email           text        NOT NULL,
    display_name    text        NOT NULL,
    is_primary      boolean     NOT NULL DEFAULT false,
    granted         text[]      NOT NULL DEFAULT '{}',
    status          text        NOT NULL DEFAULT 'ACTIVE',
    rules_version   bigint      NOT NULL DEFAULT 1,
    last_sign_in_at timestamptz,
    created_at      timestamptz NOT NULL,
    CONSTRAINT users_pkey PRIMARY KEY (account_id, user_id),
    CONSTRAINT users_person UNIQUE (account_id, person_id),
    CONSTRAINT users_status CHECK (status IN ('ACTIVE', 'DISABLED')),
    CONSTRAINT users_primary_is_active CHECK (NOT is_primary OR status = 'ACTIVE'),
    CONSTRAINT users_primary_holds_all CHECK (NOT is_primary OR granted = '{}'),
    CONSTRAINT users_granted CHECK (granted <@ ARRAY['VIEW_USAGE', 'ROTATE_SECRETS', 'MANAGE_KEYS', 'MANAGE_USERS',
        'MANAGE_GRANTS', 'MANAGE_TOKENS', 'VIEW_BILLING', 'MANAGE_PAYMENTS', 'MANAGE_NUMBERS', 'VIEW_AUDIT'])
);
SELECT distribute('users', 'account_id', 'accounts');
CREATE UNIQUE INDEX users_one_primary ON users (account_id) WHERE is_primary;
CREATE INDEX users_by_name ON users (account_id, (lower(display_name) COLLATE "C"), user_id);
ALTER TABLE users ADD CONSTRAINT users_account FOREIGN KEY (account_id) REFERENCES accounts (account_id) ON DELETE CASCADE;

CREATE TABLE sessions (
    account_id  uuid        NOT NULL,
    session_id  uuid        NOT NULL,
    user_id     uuid        NOT NULL,
    secret_hash bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (account_id, session_id),
    CONSTRAINT sessions_end CHECK (expires_at > created_at)
);
SELECT distribute('sessions', 'account_id', 'accounts');
CREATE INDEX sessions_by_user ON sessions (account_id, user_id);
ALTER TABLE sessions ADD CONSTRAINT sessions_user FOREIGN KEY (account_id, user_id) REFERENCES users (account_id, user_id) ON DELETE CASCADE;
