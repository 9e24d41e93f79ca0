package graph

import "time"

// DefaultUsageMonths is how many months of usage are kept beside the present one when nothing is set.
const DefaultUsageMonths = 13

// MonthOf gives the beginning of the month (UTC) that t is in.
func MonthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// OldestUsage gives the beginning of the oldest month whose usage is kept at a time: that many months before the present one.
func OldestUsage(at time.Time, months int) time.Time { return MonthOf(at).AddDate(0, -months, 0) }
