package server_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

// lately is a time in the past hour, such that a quarter of an hour after it is past too.
func lately() time.Time { return time.Now().UTC().Add(-30 * time.Minute).Truncate(time.Microsecond) }

// usageLine is a record of a key as a line of JSON, with some fields changed; a nil leaves one out.
func usageLine(key, reference string, changes ...any) string {
	r := with(input{"key": key, "reference": reference, "product": "SMS", "quantity": 1, "cost": "0.0125", "occurredAt": lately().Truncate(time.Hour).Format(time.RFC3339)}, changes...)
	for name, value := range r {
		if value == nil {
			delete(r, name)
		}
	}
	text, _ := json.Marshal(r)
	return string(text) + "\n"
}

// uploaded is the answer to an upload.
type uploaded struct {
	status  int
	refused []string // such as "3 INVALID quantity"
	last    string   // such as "true 10 accepted 8 duplicates 1 refused 1 INVALID"
	steps   int      // lines of progress before the last
}

func (c client) upload(t testing.TB, path, media string, body io.Reader, headers ...string) uploaded {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+"/usage/records"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", media)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return readUploaded(t, send(t, req))
}

func readUploaded(t testing.TB, a answer) uploaded {
	t.Helper()
	u := uploaded{status: a.Status}
	for line := range bytes.Lines(a.Body) {
		var l struct {
			Line                                        int
			Code, Field                                 string
			Finished                                    *bool
			Acknowledged, Accepted, Duplicates, Refused int
			Error                                       struct{ Code string }
			Errors                                      []struct{ Extensions struct{ Code string } }
		}
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		switch {
		case l.Line > 0:
			u.refused = append(u.refused, strings.TrimSpace(fmt.Sprint(l.Line, " ", l.Code, " ", l.Field)))
		case l.Finished != nil:
			u.last = strings.TrimSpace(fmt.Sprintf("%t %d accepted %d duplicates %d refused %d %s", *l.Finished, l.Acknowledged, l.Accepted, l.Duplicates, l.Refused, l.Error.Code))
		case l.Errors != nil:
			u.last = l.Errors[0].Extensions.Code
		default:
			u.steps++
		}
	}
	return u
}

func (u uploaded) is(t testing.TB, want uploaded) {
	t.Helper()
	if diff := cmp.Diff(want, u, cmp.AllowUnexported(uploaded{})); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

// TestUpload sends lines of JSON, twice: good ones, and one of each bad kind.
func TestUpload(t *testing.T) {
	t.Parallel()
	w, meter := newWorld(t), operator(t, graph.ScopeIngest)
	k := w.credential(t, "Europe")
	other := newWorld(t).credential(t, "Elsewhere")
	body := "\xef\xbb\xbf" + usageLine(k.key, "1") + "\r\n" + usageLine(k.key, "2", "direction", "INBOUND", "country", "DE", "status", "FAILED", "tags", map[string]string{"a": "b"}, "cost", 0.5) +
		usageLine(other.key, "1", "currency", "EUR") + strings.TrimSuffix(usageLine(k.key, "3"), "\n")
	good := uploaded{status: 200, last: "true 5 accepted 4 duplicates 0 refused 0", steps: 1}
	meter.upload(t, "", "application/x-ndjson", strings.NewReader(body)).is(t, good)
	again := uploaded{status: 200, last: "true 5 accepted 0 duplicates 4 refused 0", steps: 1}
	meter.upload(t, "", "application/x-ndjson; charset=UTF-8", strings.NewReader(body)).is(t, again)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, body)
	_ = z.Close()
	meter.upload(t, "", "application/x-ndjson", bytes.NewReader(packed.Bytes()), "Content-Encoding", "gzip").is(t, again)
}
