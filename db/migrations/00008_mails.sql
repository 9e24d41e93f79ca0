-- Mail that waits to be sent. Some is about an account, some about a person in no account, and whoever sends it asks for
-- whatever is due: so it belongs to nothing but itself, without an account_id, and spreads by its own id. Claiming is an
-- update of one row by that id, which needs no lock over all of them (Citus has none).
-- The content holds links that let somebody in. A row therefore leaves the table as soon as its mail is sent or given up.

-- +goose Up
SET LOCAL citus.multi_shard_modify_mode TO 'sequential';

CREATE TABLE mails (
    mail_id    uuid        NOT NULL,
    kind       text        NOT NULL,
    recipient  text        NOT NULL,
    content    jsonb       NOT NULL,
    queued_at  timestamptz NOT NULL,
    due_at     timestamptz NOT NULL,
    give_up_at timestamptz NOT NULL,
    attempts   int         NOT NULL DEFAULT 0,
    CONSTRAINT mails_pkey PRIMARY KEY (mail_id),
    CONSTRAINT mails_kind CHECK (kind IN ('INVITATION', 'PASSWORD_RESET', 'HANDED_OVER', 'PASSWORD_CHANGED')),
    CONSTRAINT mails_end CHECK (give_up_at >= queued_at)
);
SELECT distribute('mails', 'mail_id', NULL);
CREATE INDEX mails_by_due ON mails (due_at, mail_id);
