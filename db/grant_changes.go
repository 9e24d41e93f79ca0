package db

import "grantwood/graph"

// operationVisible is the condition that an operation, known by its event, changed the grant of somebody for a visible key.
func operationVisible(v *graph.Viewer, event string) string {
	return `EXISTS (
		SELECT FROM grant_changes c
		WHERE c.account_id = $1 AND c.event_id = ` + event + ` AND ` + keyVisible(v, "c.key_id") + `)`
}
