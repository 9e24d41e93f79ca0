// Package mail writes mail and sends it: message.go makes texts of what is in the queue, smtp.go hands them to an SMTP
// server, worker.go takes them from the queue (db/mails.go), again and again until they are sent. It is a room of its own
// because no request waits for it and no other room needs its library.
package mail

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"
	"time"
	"unicode"

	"grantwood/graph"
)

// Message is a mail as its reader sees it, in two forms with the same words.
type Message struct {
	ID      string // the same for every try, so that a mail that was sent twice can be told to be one
	To      string // address
	Subject string // one line
	Text    string
	HTML    string
}

//go:embed templates
var files embed.FS

var functions = map[string]any{"moment": moment}

var (
	texts = texttemplate.Must(texttemplate.New("").Funcs(functions).ParseFS(files, "templates/*.txt"))
	pages = htmltemplate.Must(htmltemplate.New("").Funcs(functions).ParseFS(files, "templates/*.html"))
)

// moment writes a time for people anywhere.
func moment(t *time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// Compose writes a mail. What people have entered becomes plain words of one line: it makes neither headers nor markup.
func Compose(m *graph.Mail) (Message, error) {
	c := m.Content
	c.Account, c.By, c.To = oneLine(c.Account), oneLine(c.By), oneLine(c.To)
	c.Threshold.Name = oneLine(c.Threshold.Name)
	name := strings.ToLower(string(m.Kind))
	out := Message{ID: m.MailID.String(), To: m.Recipient}
	var subject, text, page bytes.Buffer
	for _, write := range []func() error{
		func() error { return texts.ExecuteTemplate(&subject, name+".subject", c) },
		func() error { return texts.ExecuteTemplate(&text, name+".txt", c) },
		func() error { return pages.ExecuteTemplate(&page, name+".html", c) },
	} {
		if err := write(); err != nil {
			return out, fmt.Errorf("write mail %s: %w", m.Kind, err)
		}
	}
	// A name such as =?utf-8?q?=0A?= would be decoded by the reader's program.
	out.Subject = strings.ReplaceAll(oneLine(subject.String()), "=?", "= ?")
	out.Text, out.HTML = strings.TrimSpace(text.String())+"\n", page.String()
	return out, nil
}

// oneLine puts text on one line, without anything that is not printed.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
}
