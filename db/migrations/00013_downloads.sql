-- Addresses under which somebody fetches a file of usage without further credentials, for a few minutes. They end with the session,
-- token or key for which they were made.

-- +goose Up
SET LOCAL citus.multi_shard_modify_mode TO 'sequential';

CREATE TABLE downloads (
    account_id  uuid        NOT NULL,
    download_id uuid        NOT NULL,
    session_id  uuid,
    token_id    uuid,
    key_id      uuid,
    secret_hash bytea       NOT NULL,
    request     jsonb       NOT NULL,
    expires_at  timestamptz NOT NULL,
    noted       boolean     NOT NULL DEFAULT false, -- in the audit trail: at the first fetch
    CONSTRAINT downloads_pkey PRIMARY KEY (account_id, download_id),
    CONSTRAINT downloads_one_principal CHECK (num_nonnulls(session_id, token_id, key_id) = 1)
);
SELECT distribute('downloads', 'account_id', 'accounts');
CREATE INDEX downloads_by_end ON downloads (account_id, expires_at);
ALTER TABLE downloads ADD CONSTRAINT downloads_session FOREIGN KEY (account_id, session_id) REFERENCES sessions (account_id, session_id) ON DELETE CASCADE;
ALTER TABLE downloads ADD CONSTRAINT downloads_token FOREIGN KEY (account_id, token_id) REFERENCES access_tokens (account_id, token_id) ON DELETE CASCADE;
ALTER TABLE downloads ADD CONSTRAINT downloads_key FOREIGN KEY (account_id, key_id) REFERENCES api_keys (account_id, key_id) ON DELETE CASCADE;
