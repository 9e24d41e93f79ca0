-- +goose Up
SET LOCAL citus.multi_shard_modify_mode TO 'sequential';

CREATE TABLE units (
    account_id uuid        NOT NULL,
    unit_id    uuid        NOT NULL,
    parent_id  uuid,
    name       text        NOT NULL,
    kind       text        NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT units_pkey PRIMARY KEY (account_id, unit_id),
    CONSTRAINT units_kind CHECK (kind IN ('REGION', 'BUSINESS_UNIT', 'DEPARTMENT', 'CUSTOMER', 'APPLICATION', 'OTHER')),
    CONSTRAINT units_parent_other CHECK (parent_id <> unit_id)
);
SELECT distribute('units', 'account_id', 'accounts');
CREATE INDEX units_by_parent ON units (account_id, parent_id, (lower(name) COLLATE "C"), unit_id);
ALTER TABLE units ADD CONSTRAINT units_account FOREIGN KEY (account_id) REFERENCES accounts (account_id) ON DELETE CASCADE;
ALTER TABLE units ADD CONSTRAINT units_parent FOREIGN KEY (account_id, parent_id) REFERENCES units (account_id, unit_id);

-- Every unit with itself (distance 0) and each unit above it, so that "in or below" and "nearest" need no recursion.
-- Nothing is below itself: the second key keeps cycles out.
CREATE TABLE unit_paths (
    account_id uuid NOT NULL,
    unit_id    uuid NOT NULL,
    distance   int  NOT NULL,
    above_id   uuid NOT NULL,
    CONSTRAINT unit_paths_pkey PRIMARY KEY (account_id, unit_id, distance),
    CONSTRAINT unit_paths_below UNIQUE (account_id, above_id, unit_id),
    CONSTRAINT unit_paths_distance CHECK (distance >= 0 AND (distance = 0) = (unit_id = above_id))
);
SELECT distribute('unit_paths', 'account_id', 'accounts');
ALTER TABLE unit_paths ADD CONSTRAINT unit_paths_unit FOREIGN KEY (account_id, unit_id) REFERENCES units (account_id, unit_id) ON DELETE CASCADE;
ALTER TABLE unit_paths ADD CONSTRAINT unit_paths_above FOREIGN KEY (account_id, above_id) REFERENCES units (account_id, unit_id) ON DELETE CASCADE;

CREATE TABLE unit_grants (
    account_id uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    unit_id    uuid        NOT NULL,
    enabled    boolean     NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    CONSTRAINT unit_grants_pkey PRIMARY KEY (account_id, user_id, unit_id)
);
SELECT distribute('unit_grants', 'account_id', 'accounts');
CREATE INDEX unit_grants_by_unit ON unit_grants (account_id, unit_id, user_id);
ALTER TABLE unit_grants ADD CONSTRAINT unit_grants_user FOREIGN KEY (account_id, user_id) REFERENCES users (account_id, user_id) ON DELETE CASCADE;
ALTER TABLE unit_grants ADD CONSTRAINT unit_grants_unit FOREIGN KEY (account_id, unit_id) REFERENCES units (account_id, unit_id) ON DELETE CASCADE;

ALTER TABLE api_keys ADD COLUMN unit_id uuid;
ALTER TABLE api_keys ADD CONSTRAINT api_keys_master_at_top CHECK (NOT is_master OR unit_id IS NULL);
CREATE INDEX api_keys_by_unit ON api_keys (account_id, unit_id, key_id);
ALTER TABLE api_keys ADD CONSTRAINT api_keys_unit FOREIGN KEY (account_id, unit_id) REFERENCES units (account_id, unit_id);

-- The unit that a wished-for key shall go to, and the unit that an event concerns: both are kept when the unit is gone.
ALTER TABLE key_requests ADD COLUMN unit_id uuid;
ALTER TABLE audit_events ADD COLUMN unit_id uuid;

-- tree_version is raised when a unit is made, moved or deleted, or a key goes to another unit.
ALTER TABLE accounts ADD COLUMN tree_version bigint NOT NULL DEFAULT 1;
ALTER TABLE accounts ADD COLUMN max_unit_depth int NOT NULL DEFAULT 32;
ALTER TABLE accounts ADD CONSTRAINT accounts_max_unit_depth CHECK (max_unit_depth BETWEEN 1 AND 100);

-- What an operation on many grants changed, a row per key: for each user what was set before and what is set since, null where
-- nothing is. The event is the operation. Like events, rows are only ever added, and name what may be gone.
CREATE TABLE grant_changes (
    account_id       uuid          NOT NULL,
    event_id         uuid          NOT NULL,
    key_id           uuid          NOT NULL,
    user_ids         uuid[]        NOT NULL,
    enabled_before   boolean[]     NOT NULL,
    expires_before   timestamptz[] NOT NULL,
    enabled_after    boolean[]     NOT NULL,
    expires_after    timestamptz[] NOT NULL,
    CONSTRAINT grant_changes_pkey PRIMARY KEY (account_id, event_id, key_id)
);
SELECT distribute('grant_changes', 'account_id', 'accounts');
CREATE INDEX grant_changes_by_key ON grant_changes (account_id, key_id, event_id);
-- Who looks for events about a user or a key looks into the operations too.
CREATE INDEX audit_events_operations ON audit_events (account_id, event_id) WHERE action = 'GRANTS_CHANGED';
ALTER TABLE grant_changes ADD CONSTRAINT grant_changes_event FOREIGN KEY (account_id, event_id) REFERENCES audit_events (account_id, event_id) ON DELETE CASCADE;
