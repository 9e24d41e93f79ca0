package graph

// RateLimit is the bucket of points of a caller, after an operation took its cost from it. One without a Limit is not limited.
type RateLimit struct {
	Cost        int `json:"cost"`
	Limit       int `json:"limit"`
	Remaining   int `json:"remaining"`
	RestoreRate int `json:"restoreRate"` // points per second
}
