-- +goose Up
SET LOCAL citus.multi_shard_modify_mode TO 'sequential';

-- Where a session was started, and when it was used last; a session that was not used since it started has none.
ALTER TABLE sessions ADD COLUMN ip_address text;
ALTER TABLE sessions ADD COLUMN last_used_at timestamptz;

-- Wrong passwords by address, by source, and by both: hashes of these, never the values. Kept some minutes.
CREATE TABLE sign_in_failures (
    key      text        NOT NULL,
    failures int         NOT NULL,
    last_at  timestamptz NOT NULL,
    CONSTRAINT sign_in_failures_pkey PRIMARY KEY (key),
    CONSTRAINT sign_in_failures_count CHECK (failures >= 0)
);
SELECT distribute('sign_in_failures', 'key', NULL);
CREATE INDEX sign_in_failures_by_time ON sign_in_failures (last_at);

-- The one valid token for a new password of a person. Unknown addresses leave a row for nobody, so that asking takes as
-- long for them; therefore no foreign key.
CREATE TABLE password_resets (
    person_id   uuid        NOT NULL,
    secret_hash bytea       NOT NULL,
    expires_at  timestamptz NOT NULL,
    CONSTRAINT password_resets_pkey PRIMARY KEY (person_id)
);
SELECT distribute('password_resets', 'person_id', 'persons');
CREATE INDEX password_resets_by_time ON password_resets (expires_at);
