-- +goose Up
SET LOCAL citus.multi_shard_modify_mode TO 'sequential';

ALTER TABLE api_keys ADD COLUMN last_used_at timestamptz;
