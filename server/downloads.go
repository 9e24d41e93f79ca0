package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"grantwood/db"
	"grantwood/graph"
)

const (
	// downloadsAtOnce leaves connections of the database to everybody else: each download holds one while it lasts.
	downloadsAtOnce = 3
	// flushTime is how long the reader of a download may take for a part of it.
	flushTime = 30 * time.Second
	// goOnWithin is how long somebody may go on with a file as of its moment, and so see what was corrected since.
	goOnWithin = time.Hour
	// momentHeader tells which moment a file shows, for going on with it after an interruption.
	momentHeader = "X-Grantwood-Moment"
)

// download streams a file of usage to whoever has its address: GET /usage/download?token=…. An interrupted CSV or JSON_LINES file goes on
// with the parameters moment, as the header X-Grantwood-Moment said, and after and reference, the time and reference of the last
// record that has arrived. What goes wrong in the middle breaks the connection, so that nobody takes a part for the whole.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	request, _ := r.Context().Value(requestKey{}).(graph.Request)
	place, err := placeOf(r, request.At)
	if err != nil {
		refuse(w, http.StatusBadRequest, graph.BadUserInput, "To go on with a download, give moment, at most an hour ago, and after as RFC 3339, and reference.")
		return
	}
	select {
	case s.downloads <- struct{}{}:
		defer func() { <-s.downloads }()
	default:
		s.Metrics.downloads.WithLabelValues(downloadRefused).Inc()
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, graph.Unavailable, "Too many downloads are running; try again.")
		return
	}
	d, err := s.DB.OpenDownload(r.Context(), r.URL.Query().Get("token"), request)
	switch {
	case err != nil:
		s.Log.ErrorContext(r.Context(), "download failed", "error", err, "request", request.ID)
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, graph.Unavailable, "The database cannot be reached; try again.")
		return
	case d == nil:
		refuse(w, http.StatusNotFound, graph.NotFound, "The address of the download has ended; ask for a new one.")
		return
	case d.Request.Format == graph.Parquet && !place.OccurredAt.IsZero():
		refuse(w, http.StatusBadRequest, graph.BadUserInput, "A Parquet file starts over; only lines go on.")
		return
	}
	out := &patient{w: w, control: http.NewResponseController(w)}
	if err := s.stream(r.Context(), out, d, place); err != nil {
		s.Metrics.downloads.WithLabelValues(downloadBroken).Inc()
		s.Log.WarnContext(r.Context(), "download broke off", "error", err, "request", request.ID)
		if out.began {
			panic(http.ErrAbortHandler)
		}
		w.Header().Del("Content-Disposition")
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, graph.Unavailable, "The file could not be read; try again.")
		return
	}
	s.Metrics.downloads.WithLabelValues(downloadDone).Inc()
}

// placeOf reads where a download begins or goes on.
func placeOf(r *http.Request, now time.Time) (graph.DownloadPlace, error) {
	query := r.URL.Query()
	place := graph.DownloadPlace{Moment: now, Reference: query.Get("reference")}
	if !query.Has("after") {
		return place, nil
	}
	var err error
	if place.OccurredAt, err = time.Parse(time.RFC3339Nano, query.Get("after")); err != nil {
		return place, err
	}
	if place.Moment, err = time.Parse(time.RFC3339Nano, query.Get("moment")); err != nil {
		return place, err
	}
	if place.Moment.After(now) || place.Moment.Before(now.Add(-goOnWithin)) {
		return place, errors.New("the moment is no recent one")
	}
	return place, nil
}

func (s *Server) stream(ctx context.Context, w *patient, d *db.Download, place graph.DownloadPlace) error {
	f := d.Request.Filter
	media, ending := mediaOf(d.Request)
	h := w.w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="usage-%s-%s%s"`, f.From.UTC().Format(time.DateOnly), f.To.UTC().Format(time.DateOnly), ending))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set(momentHeader, place.Moment.UTC().Format(time.RFC3339Nano))
	out, err := compressed(w, d.Request)
	if err != nil {
		return err
	}
	if d.Request.Format == graph.Parquet {
		file := newParquetFile(out)
		defer func() { s.Metrics.downloadRows.Add(float64(file.rows)) }()
		if err := s.DB.ScanUsage(ctx, d, place, file); err != nil {
			return err
		}
		if err := file.close(); err != nil {
			return err
		}
		return out.Close()
	}
	file := &lines{out: out, csv: d.Request.Format == graph.CSV, goesOn: !place.OccurredAt.IsZero()}
	defer func() { s.Metrics.downloadRows.Add(float64(file.rows)) }()
	if err := s.DB.WriteUsage(ctx, d, place, file); err != nil {
		return err
	}
	if err := file.flush(); err != nil {
		return err
	}
	return out.Close()
}

func mediaOf(r graph.DownloadRequest) (media, ending string) {
	media, ending = "text/csv; charset=utf-8; header=present", ".csv"
	switch r.Format {
	case graph.JSONLines:
		media, ending = "application/x-ndjson", ".ndjson"
	case graph.Parquet:
		return "application/vnd.apache.parquet", ".parquet"
	}
	switch r.Compression {
	case graph.Gzip:
		return "application/gzip", ending + ".gz"
	case graph.Zstandard:
		return "application/zstd", ending + ".zst"
	}
	return media, ending
}

// patient gives the reader of each part some time: a reader who stops reading is cut off.
type patient struct {
	w       http.ResponseWriter
	control *http.ResponseController
	began   bool
}

// Write writes a part.
func (p *patient) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(flushTime)); err != nil {
		return 0, err
	}
	p.began = true
	return p.w.Write(b)
}

// Close does nothing: the answer ends with its handler.
func (*patient) Close() error { return nil }

func compressed(out io.WriteCloser, r graph.DownloadRequest) (io.WriteCloser, error) {
	switch {
	case r.Format == graph.Parquet || r.Compression == graph.Uncompressed:
		return out, nil
	case r.Compression == graph.Gzip:
		return gzip.NewWriterLevel(out, gzip.BestSpeed)
	}
	return zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
}
