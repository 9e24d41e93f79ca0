package db

import "context"

// Health is what a database says of itself.
type Health struct {
	Version string
	Major   int
	Durable bool // a commit that was acknowledged survives a crash of the machine
}

// Check asks the database how it is; Unavailable when it does not answer.
func (db *DB) Check(ctx context.Context) (Health, error) {
	var h Health
	err := db.pool.GetContext(ctx, &h, `
		SELECT current_setting('server_version') AS version,
			current_setting('server_version_num')::int / 10000 AS major,
			current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off'
				AND current_setting('full_page_writes') = 'on' AS durable`)
	return h, fault("check database", err)
}
