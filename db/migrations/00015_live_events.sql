-- What subscribers are told of, written in the transaction of the change and kept for little more than an hour. Rows become visible
-- in another order than they are made in, so that a reader who goes by their ids would miss some. Whoever reads for subscribers
-- therefore first gives the new rows of an account positions, one reader at a time, and goes on by these. Accounts to which nobody
-- listens are not numbered.

-- +goose Up
SET LOCAL citus.multi_shard_modify_mode TO 'sequential';

-- GRANT says that the keys became enabled or disabled for the users, for each of these pairs. GRANT_END is made together with grants
-- that end by themselves and waits until they do; by then it is found out for which pairs that still is so. KEY says that a key is
-- not what it was. USAGE says that records of the keys were added: sums of the records of each key, and the newest of them, in
-- usage_ids, as many for each key as usage_named says.
CREATE TABLE live_events (
    account_id      uuid        NOT NULL,
    event_id        uuid        NOT NULL,
    position        bigint,               -- null until somebody who listens has numbered it
    due_at          timestamptz,          -- when it happens, null for what has happened
    at              timestamptz NOT NULL,
    kind            text        NOT NULL,
    user_ids        uuid[]      NOT NULL DEFAULT '{}',
    key_ids         uuid[]      NOT NULL,
    enabled         boolean     NOT NULL DEFAULT false,
    usage_records   bigint[]    NOT NULL DEFAULT '{}',
    usage_succeeded bigint[]    NOT NULL DEFAULT '{}',
    usage_quantity  bigint[]    NOT NULL DEFAULT '{}',
    usage_cost      numeric[]   NOT NULL DEFAULT '{}', -- in 10⁻⁸ units of the account's currency
    usage_named     bigint[]    NOT NULL DEFAULT '{}',
    usage_ids       uuid[]      NOT NULL DEFAULT '{}',
    CONSTRAINT live_events_pkey PRIMARY KEY (account_id, event_id),
    CONSTRAINT live_events_position UNIQUE (account_id, position),
    CONSTRAINT live_events_kind CHECK (kind IN ('GRANT', 'GRANT_END', 'KEY', 'USAGE')),
    CONSTRAINT live_events_due CHECK ((kind = 'GRANT_END') = (due_at IS NOT NULL))
);
SELECT distribute('live_events', 'account_id', 'accounts');
-- Ids do not shrink: trying to compress them costs more than it saves.
ALTER TABLE live_events ALTER COLUMN usage_ids SET STORAGE EXTERNAL;
CREATE INDEX live_events_new ON live_events (account_id, due_at) WHERE position IS NULL;
ALTER TABLE live_events ADD CONSTRAINT live_events_account FOREIGN KEY (account_id) REFERENCES accounts (account_id) ON DELETE CASCADE;

-- The last position that was given in an account. Whoever numbers locks the row.
CREATE TABLE live_heads (
    account_id uuid   NOT NULL,
    position   bigint NOT NULL DEFAULT 0,
    CONSTRAINT live_heads_pkey PRIMARY KEY (account_id)
);
SELECT distribute('live_heads', 'account_id', 'accounts');
ALTER TABLE live_heads ADD CONSTRAINT live_heads_account FOREIGN KEY (account_id) REFERENCES accounts (account_id) ON DELETE CASCADE;
