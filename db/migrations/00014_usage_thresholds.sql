-- +goose Up
SET LOCAL citus.multi_shard_modify_mode TO 'sequential';

-- What the usage of a key, or of all keys in and below a unit, may reach in a day or month before somebody is warned. There is one
-- for each object, measure and period.
CREATE TABLE usage_thresholds (
    account_id   uuid        NOT NULL,
    threshold_id uuid        NOT NULL,
    key_id       uuid,
    unit_id      uuid,
    measure      text        NOT NULL,
    period       text        NOT NULL,
    time_zone    text        NOT NULL DEFAULT 'UTC', -- whose clock says where days and months begin
    limit_value  numeric     NOT NULL,               -- of COST in 10⁻⁸ units of the account's currency
    created_at   timestamptz NOT NULL,
    created_by   uuid,
    CONSTRAINT usage_thresholds_pkey PRIMARY KEY (account_id, threshold_id),
    CONSTRAINT usage_thresholds_one_object CHECK (num_nonnulls(key_id, unit_id) = 1),
    CONSTRAINT usage_thresholds_measure CHECK (measure IN ('COST', 'QUANTITY')),
    CONSTRAINT usage_thresholds_period CHECK (period IN ('DAY', 'MONTH')),
    CONSTRAINT usage_thresholds_limit CHECK (limit_value > 0)
);
SELECT distribute('usage_thresholds', 'account_id', 'accounts');
CREATE UNIQUE INDEX usage_thresholds_by_key ON usage_thresholds (account_id, key_id, measure, period);
CREATE UNIQUE INDEX usage_thresholds_by_unit ON usage_thresholds (account_id, unit_id, measure, period);
ALTER TABLE usage_thresholds ADD CONSTRAINT usage_thresholds_key_id FOREIGN KEY (account_id, key_id) REFERENCES api_keys (account_id, key_id) ON DELETE CASCADE;
ALTER TABLE usage_thresholds ADD CONSTRAINT usage_thresholds_unit_id FOREIGN KEY (account_id, unit_id) REFERENCES units (account_id, unit_id) ON DELETE CASCADE;

-- In which periods thresholds were crossed, so that each is told of once.
CREATE TABLE usage_crossings (
    account_id   uuid        NOT NULL,
    threshold_id uuid        NOT NULL,
    period_start timestamptz NOT NULL,
    crossed_at   timestamptz NOT NULL,
    value        numeric     NOT NULL, -- what the sum was then
    CONSTRAINT usage_crossings_pkey PRIMARY KEY (account_id, threshold_id, period_start)
);
SELECT distribute('usage_crossings', 'account_id', 'accounts');
ALTER TABLE usage_crossings ADD CONSTRAINT usage_crossings_threshold FOREIGN KEY (account_id, threshold_id) REFERENCES usage_thresholds (account_id, threshold_id) ON DELETE CASCADE;

ALTER TABLE mails DROP CONSTRAINT mails_kind;
ALTER TABLE mails ADD CONSTRAINT mails_kind CHECK (kind IN ('INVITATION', 'PASSWORD_RESET', 'HANDED_OVER', 'PASSWORD_CHANGED', 'THRESHOLD_CROSSED'));
