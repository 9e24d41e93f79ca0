package mailtest

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"testing"
)

// Read is a mail as its reader sees it.
type Read struct {
	Header  netmail.Header
	Subject string
	Text    string
	HTML    string
}

// Read takes a mail apart. It has to have a plain part and then an HTML part, and nothing else.
func (r Received) Read(t testing.TB) Read {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(r.Data))
	if err != nil {
		t.Fatalf("%v:\n%s", err, r.Data)
	}
	out := Read{Header: m.Header}
	if out.Subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		t.Fatal(err)
	}
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %q, %v", kind, err)
	}
	parts := multipart.NewReader(m.Body, parameters["boundary"])
	out.Text = part(t, parts, "text/plain")
	out.HTML = part(t, parts, "text/html")
	if _, err := parts.NextPart(); err != io.EOF {
		t.Fatalf("there is a third part, %v", err)
	}
	return out
}

func part(t testing.TB, parts *multipart.Reader, want string) string {
	t.Helper()
	p, err := parts.NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
	if err != nil || kind != want {
		t.Fatalf("part %q, %v, want %s", kind, err, want)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(p))
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
}
