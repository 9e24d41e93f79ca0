-- Who did what is kept when they are gone: these columns refer to users, operators and keys without foreign keys.

-- +goose Up
SET LOCAL citus.multi_shard_modify_mode TO 'sequential';

CREATE TABLE audit_events (
    account_id     uuid        NOT NULL,
    event_id       uuid        NOT NULL,
    action         text        NOT NULL,
    occurred_at    timestamptz NOT NULL,
    actor_user     uuid,
    actor_operator uuid,
    actor_label    text        NOT NULL,
    user_id        uuid,
    key_id         uuid,
    summary        text        NOT NULL,
    changes        jsonb       NOT NULL DEFAULT '[]',
    ip_address     text,
    request_id     text        NOT NULL,
    CONSTRAINT audit_events_pkey PRIMARY KEY (account_id, event_id),
    CONSTRAINT audit_events_one_actor CHECK (num_nonnulls(actor_user, actor_operator) <= 1)
);
SELECT distribute('audit_events', 'account_id', 'accounts');
ALTER TABLE audit_events ADD CONSTRAINT audit_events_account FOREIGN KEY (account_id) REFERENCES accounts (account_id) ON DELETE CASCADE;
