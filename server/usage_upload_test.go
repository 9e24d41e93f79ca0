package server_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
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

// TestUploadCSV sends the same as a table, with tags, quoted values, and lines of every bad form.
func TestUploadCSV(t *testing.T) {
	t.Parallel()
	w, meter := newWorld(t), operator(t, graph.ScopeIngest)
	k, at := w.credential(t, "Europe"), lately().Format(time.RFC3339Nano)
	table := "\xef\xbb\xbfreference,key,occurredAt,product,quantity,cost,country,tag:campaign,direction,status,currency,replaces\r\n" +
		"a," + k.key + "," + at + ",SMS,2,0.5,,,,,,\r\n" + // 2
		"\n" +
		`"b ""1"",` + "\n" + `x",` + k.key + "," + at + ",VOICE,60,-0.00000001,DE,spring,INBOUND,FAILED,EUR,\n" + // 4 and 5
		"c," + k.key + "," + at + ",SMS,two,0.5,,,,,,\n" + // 6
		"d," + k.key + "," + at + ",SMS\n" + // 7
		"e,\"" + k.key + "\"x," + at + ",SMS,2,0.5,,,,,,\n" + // 8
		"f,," + at + ",SMS,2,0.5,,,,,,\n" + // 9
		"g," + k.key + "," + at + ",SMS,2,0.5,,,,,,a" // 10
	want := uploaded{status: 200, refused: []string{"6 INVALID quantity", "7 INVALID", "8 INVALID", "9 INVALID key"}, last: "true 10 accepted 3 duplicates 0 refused 4", steps: 1}
	meter.upload(t, "", "text/csv", strings.NewReader(table)).is(t, want)
	want.last = "true 10 accepted 0 duplicates 3 refused 4"
	meter.upload(t, "", "text/csv", strings.NewReader(table)).is(t, want)
	stored := texts(t, `SELECT concat_ws('|', reference, product, quantity, cost, country, direction, succeeded, tags, replaces) FROM usage_records WHERE account_id = $1 AND replaced_by IS NULL`, graph.ParseID(w.account).Account)
	if diff := cmp.Diff("b \"1\",\nx|VOICE|60|-1|DE|INBOUND|f|{\"campaign\": \"spring\"} g|SMS|2|50000000|ZZ|t|{}|a", sorted(stored)); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// TestUploadRefusals: what is no upload at all, before anything is read, and lines of JSON that are no records.
func TestUploadRefusals(t *testing.T) {
	t.Parallel()
	w, meter := newWorld(t), operator(t, graph.ScopeIngest)
	k := w.credential(t, "Europe")
	token, _ := tokenOf(t, w.owner.client, usageOnly, k.id)
	const lines, table = "application/x-ndjson", "text/csv"
	good, header := usageLine(k.key, "1"), "key,reference,product,quantity,cost,occurredAt"
	w.unchanged(t, func() {
		for _, c := range []struct {
			name    string
			c       client
			media   string
			body    string
			headers []string
			status  int
			code    string
		}{
			{"nobody", nobody(), lines, good, nil, 401, "UNAUTHENTICATED"},
			{"unknown token", client{api: sharedAPI(), token: "gwo_x"}, lines, good, nil, 401, "UNAUTHENTICATED"},
			{"owner", w.owner.client, lines, good, nil, 403, "FORBIDDEN"},
			{"access token", token, lines, good, nil, 403, "FORBIDDEN"},
			{"owner's cookie", nobody(), lines, good, []string{"Cookie", "grantwood_session=" + w.owner.token}, 401, "UNAUTHENTICATED"},
			{"other scopes", operator(t, graph.ScopeAdmin, graph.ScopeSupport, graph.ScopeVerify), lines, good, nil, 403, "FORBIDDEN"},
			{"no form", meter, "", good, nil, 415, "BAD_USER_INPUT"},
			{"a form's form", meter, "application/x-www-form-urlencoded", good, nil, 415, "BAD_USER_INPUT"},
			{"other characters", meter, table + "; charset=latin1", good, nil, 415, "BAD_USER_INPUT"},
			{"other compression", meter, lines, good, []string{"Content-Encoding", "br"}, 415, "BAD_USER_INPUT"},
			{"not compressed", meter, lines, good, []string{"Content-Encoding", "gzip"}, 400, "BAD_USER_INPUT"},
			{"no header", meter, table, "", nil, 400, "BAD_USER_INPUT"},
			{"column missing", meter, table, "key,reference,product,quantity,cost\n", nil, 400, "BAD_USER_INPUT"},
			{"column twice", meter, table, header + ",key\n", nil, 400, "BAD_USER_INPUT"},
			{"unknown column", meter, table, header + ",price\n", nil, 400, "BAD_USER_INPUT"},
			{"tag without a name", meter, table, header + ",tag:\n", nil, 400, "BAD_USER_INPUT"},
			{"endless header", meter, table, `"` + strings.Repeat("x\n", 1<<20), nil, 400, "BAD_USER_INPUT"},
		} {
			t.Log(c.name)
			c.c.upload(t, "", c.media, strings.NewReader(c.body), c.headers...).is(t, uploaded{status: c.status, last: c.code})
		}
		bad := []struct{ line, field string }{
			{"nonsense\n", ""}, {"[1]\n", ""}, {"null\n", ""}, {"{\"key\": \"\xff\"}\n", ""}, {good[:20] + "\n", ""}, {strings.TrimSpace(good) + strings.TrimSpace(good) + "\n", ""},
			{`{"key":"` + strings.Repeat("x", 70_000) + "\"}\n", ""}, {strings.Repeat("x", 1<<20) + "\n", ""},
		}
		for _, name := range []string{"key", "reference", "product", "quantity", "cost", "occurredAt"} {
			bad = append(bad, struct{ line, field string }{usageLine(k.key, "1", name, nil), name})
		}
		for _, change := range [][]any{{"price", "1"}, {"quantity", "1"}, {"quantity", 1.5}, {"quantity", 1e30}, {"cost", true}, {"cost", "1e100"}, {"cost", ""}, {"occurredAt", "yesterday"}, {"occurredAt", 5},
			{"country", 49}, {"tags", []string{"a"}}, {"tags", map[string]any{"a": 1}}, {"tags", map[string]any{"": "x"}}, {"status", "succeeded"}, {"direction", "UP"}, {"currency", "USD"}, {"replaces", 1}} {
			bad = append(bad, struct{ line, field string }{usageLine(k.key, "1", change...), change[0].(string)})
		}
		body, want := "", uploaded{status: 200, steps: 1}
		for i, b := range bad {
			body += b.line
			want.refused = append(want.refused, strings.TrimSpace(fmt.Sprint(i+1, " INVALID ", b.field)))
		}
		want.last = fmt.Sprintf("true %d accepted 0 duplicates 0 refused %[1]d", len(bad))
		meter.upload(t, "", lines, strings.NewReader(body)).is(t, want)
		meter.upload(t, "", lines, strings.NewReader("")).is(t, uploaded{status: 200, last: "true 0 accepted 0 duplicates 0 refused 0"})
	})
	for method, status := range map[string]int{http.MethodGet: 405, http.MethodPut: 405, http.MethodDelete: 405} {
		req, err := http.NewRequestWithContext(t.Context(), method, meter.url+"/usage/records", nil)
		if err != nil {
			t.Fatal(err)
		}
		if a := send(t, req); a.Status != status || a.Header.Get("Allow") != http.MethodPost {
			t.Errorf("%s: %d, allowed are %q", method, a.Status, a.Header.Get("Allow"))
		}
	}
}

// manyLines gives lines of records of one key, a millisecond apart.
func manyLines(key string, n int) string {
	var b strings.Builder
	start := lately()
	for i := range n {
		fmt.Fprintf(&b, `{"key":%q,"reference":"r%d","product":"SMS","quantity":1,"cost":"0.01","occurredAt":%q}`+"\n", key, i, start.Add(time.Duration(i)*time.Millisecond).Format(time.RFC3339Nano))
	}
	return b.String()
}

// TestUploadStrict stops at the first refusal: batches before stay, nothing of its batch or later is added.
func TestUploadStrict(t *testing.T) {
	t.Parallel()
	w, meter := newWorld(t), operator(t, graph.ScopeIngest)
	k := w.credential(t, "Europe")
	lines := strings.SplitAfter(manyLines(k.key, 11_000), "\n")
	lines[5100] = usageLine(k.key, "bad", "quantity", -1)
	meter.upload(t, "?strict=true", "application/x-ndjson", strings.NewReader(strings.Join(lines, ""))).is(t,
		uploaded{status: 200, refused: []string{"5101 INVALID quantity"}, last: "false 5000 accepted 5000 duplicates 0 refused 1 INVALID", steps: 1})
	lines[5100] = "nonsense\n"
	meter.upload(t, "?strict=true", "application/x-ndjson", strings.NewReader(strings.Join(lines, ""))).is(t,
		uploaded{status: 200, refused: []string{"5101 INVALID"}, last: "false 5000 accepted 0 duplicates 5000 refused 1 INVALID", steps: 1})
	meter.upload(t, "", "application/x-ndjson", strings.NewReader(strings.Join(lines, ""))).is(t,
		uploaded{status: 200, refused: []string{"5101 INVALID"}, last: "true 11000 accepted 5999 duplicates 5000 refused 1", steps: 3})
}

// TestUploadInterrupted breaks an upload off, in the middle of a line and of compressed data, and sends the whole again: each
// record is there once.
func TestUploadInterrupted(t *testing.T) {
	t.Parallel()
	w, meter := newWorld(t), operator(t, graph.ScopeIngest)
	k := w.credential(t, "Europe")
	body := manyLines(k.key, 12_000)
	in, out := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, meter.url+"/usage/records", in)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Authorization", "Bearer "+meter.token)
	go func() { _, _ = io.WriteString(out, body[:len(body)/2]) }()
	res, err := http.DefaultClient.Do(req) // the answer comes before the end of the body
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 1000)
	n, err := res.Body.Read(line)
	if want := `{"acknowledged":5000,"accepted":5000,"duplicates":0,"refused":0}`; err != nil || strings.TrimSpace(string(line[:n])) != want {
		t.Fatalf("%v: %s", err, line[:n])
	}
	_ = out.CloseWithError(io.ErrClosedPipe)
	_ = res.Body.Close()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, body)
	_ = z.Close()
	half := packed.Bytes()[:packed.Len()*2/3]
	damaged := meter.upload(t, "", "application/x-ndjson", bytes.NewReader(half), "Content-Encoding", "gzip")
	if !strings.HasPrefix(damaged.last, "false 5000 accepted 0 duplicates 5000 refused 0 BAD_USER_INPUT") {
		t.Errorf("half of the compressed body: %+v", damaged)
	}
	meter.upload(t, "", "application/x-ndjson", bytes.NewReader(packed.Bytes()), "Content-Encoding", "gzip").is(t,
		uploaded{status: 200, last: "true 12000 accepted 7000 duplicates 5000 refused 0", steps: 3})
	var count int
	if err := shared(t).Get(&count, `SELECT count(DISTINCT reference) FROM usage_records WHERE account_id = $1`, graph.ParseID(w.account).Account); err != nil || count != 12_000 {
		t.Errorf("%d records, %v", count, err)
	}
}

// slowBody is a body whose rest comes when it is let.
type slowBody struct {
	io.Reader
	rest chan io.Reader
}

func (s *slowBody) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err == io.EOF {
		more, ok := <-s.rest
		if !ok {
			return n, io.EOF
		}
		s.Reader = more
		return n, nil
	}
	return n, err
}

// TestUploadEndsWithTheToken: a token that is revoked during an upload adds nothing any more, and a server that stops ends uploads
// after a whole batch.
func TestUploadEndsWithTheToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(a api, label string) error
		want string
	}{
		"revoked": {func(a api, label string) error { _, err := a.db.RevokeOperators(t.Context(), label); return err }, "false 5000 accepted 5000 duplicates 0 refused 0 UNAUTHENTICATED"},
		"stopped": {func(a api, _ string) error { a.srv.Drain(); return nil }, "false 5000 accepted 5000 duplicates 0 refused 0 UNAVAILABLE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, a := newWorld(t), apiOn(t, sharedAPI().db)
			label := "Meter " + address()
			_, token, err := a.db.CreateOperator(t.Context(), label, graph.ScopeList{graph.ScopeIngest})
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.SplitAfter(manyLines(w.credential(t, "Europe").key, 7000), "\n")
			body := &slowBody{strings.NewReader(strings.Join(lines[:5000], "")), make(chan io.Reader, 1)}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.url+"/usage/records", body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-ndjson")
			req.Header.Set("Authorization", "Bearer "+token)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			first := make([]byte, 1)
			if _, err := res.Body.Read(first); err != nil { // the first batch is there
				t.Fatal(err)
			}
			if err := c.end(a, label); err != nil {
				t.Fatal(err)
			}
			body.rest <- strings.NewReader(strings.Join(lines[5000:], ""))
			close(body.rest)
			rest, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			readUploaded(t, answer{Status: res.StatusCode, Body: append(first, rest...)}).is(t, uploaded{status: 200, last: c.want, steps: 1})
		})
	}
}

// TestUploadInBoundedMemory sends a hundred thousand lines, of which only the first batch is new, and looks at how much memory is in
// use meanwhile: it does not grow with what was sent.
func TestUploadInBoundedMemory(t *testing.T) {
	w, meter := newWorld(t), operator(t, graph.ScopeIngest)
	lines := manyLines(w.credential(t, "Europe").key, 5000)
	var at []uint64
	bodies := make([]io.Reader, 20)
	for i := range bodies {
		bodies[i] = &measured{Reader: strings.NewReader(lines), at: &at}
	}
	meter.upload(t, "", "application/x-ndjson", io.MultiReader(bodies...)).is(t,
		uploaded{status: 200, last: "true 100000 accepted 5000 duplicates 95000 refused 0", steps: 20})
	early, late := at[3], at[len(at)-1]
	if late > early+16<<20 {
		t.Errorf("in use were %d bytes after 3 batches, and %d in the end", early, late)
	}
}

// measured notes how much memory is in use when its reading begins.
type measured struct {
	io.Reader
	at    *[]uint64
	begun bool
}

func (m *measured) Read(p []byte) (int, error) {
	if !m.begun {
		m.begun = true
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		*m.at = append(*m.at, s.HeapAlloc)
	}
	return m.Reader.Read(p)
}
