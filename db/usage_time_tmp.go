package db

import "time"

const (
	quarter = 15 * time.Minute
	day     = 24 * time.Hour
)

func mod(micros int64, d time.Duration) int64 {
	n := d.Microseconds()
	return (micros%n + n) % n
}
