-- distribute(table, column, colocate_with) says by which column the rows of a table belong together. On plain PostgreSQL
-- it notes that as the table's comment, which a test reads; on Citus it also spreads the table over the machines, or
-- copies it to all of them when the column is null (a reference table).
-- Order for every table: CREATE TABLE without foreign keys, distribute, indexes, ALTER TABLE … ADD FOREIGN KEY.

-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION distribute(tab text, col text, colocated text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COMMENT ON TABLE %I IS %L', tab, coalesce('distributed by ' || col, 'reference table'));
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;
    IF col IS NULL THEN
        EXECUTE format('SELECT create_reference_table(%L)', tab);
    ELSE
        EXECUTE format('SELECT create_distributed_table(%L, %L, colocate_with => %L)', tab, col, coalesce(colocated, 'none'));
    END IF;
END
$$;
-- +goose StatementEnd
