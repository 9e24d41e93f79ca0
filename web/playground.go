package web

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

//go:embed playground/dist/index.html playground/dist/playground/*
var playground embed.FS

// Settings are what the playground shows.
type Settings struct {
	Version string
	Demo    *Demo // nil unless the server is a demo
}

// Demo lets the page sign people in by one click. It is for demos, whose password is no secret.
type Demo struct {
	Password string   `json:"password"`
	People   []Person `json:"people"`
}

// Person is somebody of the demo.
type Person struct {
	Email string `json:"email"`
	Name  string `json:"name"`
	About string `json:"about"` // what they are for, in one line
}

// nonceMark and settingsMark are where the built page takes what differs from answer to answer.
const (
	nonceMark    = "__NONCE__"
	settingsMark = "__SETTINGS__"
)

// policy is the page's Content-Security-Policy (https://www.w3.org/TR/CSP3/). Scripts run only with the nonce of the answer, and what
// they load; everything comes from this server, and the page reaches no other. Attributes style are let in because the editor
// places each of its lines by one; they cannot load anything.
const policy = "default-src 'none'; script-src 'nonce-" + nonceMark + "' 'strict-dynamic'; " +
	"style-src-elem 'self' 'nonce-" + nonceMark + "'; style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Playground serves the page at /playground and its files below that. The page is never cached, since each answer has a nonce
// of its own; its files are for ever, since their names hold a hash of what is in them. What is not there is 404.
func Playground(s Settings) (http.Handler, error) {
	page, err := playground.ReadFile("playground/dist/index.html")
	if err != nil {
		return nil, fmt.Errorf("read the playground's page: %w", err)
	}
	files, err := readFiles(playground, "playground/dist/playground")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /playground", func(w http.ResponseWriter, _ *http.Request) { answerPage(w, page, s) })
	mux.HandleFunc("GET /playground/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "../playground") // relative: a proxy may put a path before ours
		w.WriteHeader(http.StatusPermanentRedirect)
	})
	mux.HandleFunc("GET /playground/{name}", func(w http.ResponseWriter, r *http.Request) { files.answer(w, r, r.PathValue("name")) })
	mux.HandleFunc("GET /playground/", http.NotFound)
	return mux, nil
}

// pageSettings is the JSON in the page.
type pageSettings struct {
	Version  string    `json:"version"`
	Examples []Example `json:"examples"`
	Demo     *Demo     `json:"demo,omitempty"`
}

func answerPage(w http.ResponseWriter, page []byte, s Settings) {
	settings := pageSettings{Version: s.Version, Examples: Examples(time.Now()), Demo: s.Demo}
	if s.Demo == nil {
		for i := range settings.Examples {
			settings.Examples[i].Person = ""
		}
	}
	data, err := json.Marshal(settings) // it writes < as \u003c, so that no text ends the script element
	if err != nil {
		http.Error(w, "The page could not be written.", http.StatusInternalServerError)
		return
	}
	nonce := rand.Text()
	h := w.Header()
	h.Set("Content-Security-Policy", strings.ReplaceAll(policy, nonceMark, nonce))
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/html; charset=utf-8")
	common(h)
	page = bytes.ReplaceAll(page, []byte(nonceMark), []byte(nonce))
	_, _ = w.Write(bytes.Replace(page, []byte(settingsMark), data, 1)) // the caller may have gone
}

// common are the headers of the page and its files alike.
func common(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}
