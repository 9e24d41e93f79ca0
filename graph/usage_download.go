package graph

import "time"

// ExportFormat is the format of a downloaded file.
type ExportFormat string

// The formats.
const (
	CSV       ExportFormat = "CSV"
	JSONLines ExportFormat = "JSON_LINES"
	Parquet   ExportFormat = "PARQUET"
)

// Compression is how a downloaded file is compressed.
type Compression string

// The compressions. A Parquet file is compressed inside.
const (
	Uncompressed Compression = "NONE"
	Gzip         Compression = "GZIP"
	Zstandard    Compression = "ZSTD"
)

// UsageDownload is where somebody fetches a file of usage, for a few minutes.
type UsageDownload struct {
	URL       string
	ExpiresAt time.Time
	Records   int64 // as of now, for a progress bar
}

// DownloadLifetime is how long an address for a download works.
const DownloadLifetime = 5 * time.Minute

// DownloadRequest is what a downloaded file holds. In the database it is JSON.
type DownloadRequest struct {
	Format      ExportFormat
	Compression Compression
	Filter      UsageFilter // with both ends of the period
}

// DownloadPlace is the last record that somebody has received, after which an interrupted download goes on; and the moment that the
// file shows. The zero DownloadPlace is the beginning, now.
type DownloadPlace struct {
	Moment     time.Time
	OccurredAt time.Time
	Reference  string
}

// NewDownloadRequest checks the period of a download: BadUserInput when an end is missing, the end does not lie after the beginning, or
// more than 400 days do between them.
func NewDownloadRequest(format ExportFormat, compression Compression, f UsageFilter) (DownloadRequest, error) {
	r := DownloadRequest{Format: format, Compression: compression, Filter: f}
	switch {
	case f.From == nil:
		return r, refuse(BadUserInput, "filter.from", "Say from when.")
	case f.To == nil:
		return r, refuse(BadUserInput, "filter.to", "Say until when.")
	case !f.To.After(*f.From):
		return r, refuse(BadUserInput, "filter.to", "The end of the period lies after its beginning.")
	case f.To.After(f.From.AddDate(0, 0, maxReportDays)):
		return r, refuse(BadUserInput, "filter.to", "A download covers at most 400 days.")
	}
	return r, nil
}
