package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// filePolicy is the Content-Security-Policy of a file. It counts for workers, which take theirs from their script, and for
// whoever opens a file as a page.
const filePolicy = "default-src 'none'; script-src 'self'; frame-ancestors 'none'"

// types of what a build writes, by the end of the name: those that the system knows differ from host to host.
var types = map[string]string{
	".js":    "text/javascript; charset=utf-8",
	".css":   "text/css; charset=utf-8",
	".svg":   "image/svg+xml",
	".ttf":   "font/ttf",
	".woff2": "font/woff2",
}

// file is a built file, whose name holds a hash of what is in it.
type file struct {
	media string
	etag  string // without quotes
	text  []byte
	// compressed gives the text by gzip, or nil when that does not pay. It is made at the first call and kept.
	compressed func() []byte
}

type files map[string]file

// readFiles reads the files of a directory. A type that is not known is an error: the browser would refuse the file.
func readFiles(from fs.FS, dir string) (files, error) {
	entries, err := fs.ReadDir(from, dir)
	if err != nil {
		return nil, fmt.Errorf("read the built files: %w", err)
	}
	all := files{}
	for _, e := range entries {
		text, err := fs.ReadFile(from, path.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the built files: %w", err)
		}
		media, ok := types[path.Ext(e.Name())]
		if !ok {
			return nil, fmt.Errorf("the type of the built file %s is not known", e.Name())
		}
		hash := sha256.Sum256(text)
		all[e.Name()] = file{media: media, etag: hex.EncodeToString(hash[:12]), text: text,
			compressed: sync.OnceValue(func() []byte { return compress(text) })}
	}
	return all, nil
}

func compress(text []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(text) // memory does not fail
	_ = w.Close()
	if out.Len() > len(text)*9/10 {
		return nil
	}
	return out.Bytes()
}

func (f files) answer(w http.ResponseWriter, r *http.Request, name string) {
	file, ok := f[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", filePolicy)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Type", file.media)
	h.Set("Vary", "Accept-Encoding")
	common(h)
	text, etag := file.text, file.etag
	if acceptsGzip(r) {
		if small := file.compressed(); small != nil {
			text, etag = small, etag+"-gzip"
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("Etag", `"`+etag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3): gzip is named, and not refused by a weight of zero.
func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(coding, " ", ""), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.Trim(strings.TrimPrefix(strings.ToLower(weight), "q="), "0.") != "" || weight == ""
		}
	}
	return false
}
