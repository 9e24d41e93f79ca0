package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
)

// patience is how long a test waits for what has to come. What must not come is not waited for: something else is asked
// for, and has to be the next.
const patience = time.Minute

// wire is a socket without a client library: what no proper client sends can be sent over it.
type wire struct {
	t    testing.TB
	conn *websocket.Conn
}

const (
	modern = "graphql-transport-ws"
	legacy = "graphql-ws"
)

// dial opens a socket.
func dial(t testing.TB, url, protocol string, header http.Header) *wire {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, strings.Replace(url, "http", "ws", 1)+"/graphql",
		&websocket.DialOptions{Subprotocols: strings.Fields(protocol), HTTPHeader: header})
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	conn.SetReadLimit(-1)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &wire{t, conn}
}

// greeted opens a socket and gets its acknowledgement.
func greeted(t testing.TB, url, protocol, token string) *wire {
	t.Helper()
	w := dial(t, url, protocol, nil)
	payload := `{}`
	if token != "" {
		payload = `{"Authorization":"` + authorization(token) + `"}`
	}
	w.send(`{"type":"connection_init","payload":` + payload + `}`)
	w.expect(`{"type":"connection_ack"}`)
	if protocol == legacy {
		w.expect(`{"type":"ka"}`)
	}
	return w
}

func authorization(token string) string {
	if strings.HasPrefix(token, "Basic ") {
		return token
	}
	return "Bearer " + token
}

func (w *wire) send(text string) {
	w.t.Helper()
	w.sendAs(websocket.MessageText, text)
}

func (w *wire) sendAs(kind websocket.MessageType, text string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.conn.Write(ctx, kind, []byte(text)); err != nil {
		w.t.Fatalf("send %s: %v", text, err)
	}
}

// next reads the next message.
func (w *wire) next() (map[string]any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, text, err := w.conn.Read(ctx)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	return m, json.Unmarshal(text, &m)
}

// expect reads a message and compares it, but for sentences and locations of errors.
func (w *wire) expect(want string) {
	w.t.Helper()
	got, err := w.next()
	if err != nil {
		w.t.Fatalf("want %s, got %v", want, err)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(want), &m); err != nil {
		w.t.Fatal(err)
	}
	if diff := cmp.Diff(m, withoutSentences(got)); diff != "" {
		w.t.Fatalf("message (-want +got):\n%s", diff)
	}
}

// withoutSentences leaves code and path of errors, wherever in the message they are, and leaves out what an answer cost.
func withoutSentences(v any) any {
	switch x := v.(type) {
	case map[string]any:
		extensions, isError := x["extensions"].(map[string]any)
		if extensions["cost"] != nil {
			delete(x, "extensions")
		}
		for name, value := range x {
			if isError && (name == "message" || name == "locations") {
				delete(x, name)
				continue
			}
			x[name] = withoutSentences(value)
		}
	case []any:
		for i := range x {
			x[i] = withoutSentences(x[i])
		}
	}
	return v
}

// expectClose reads the end of the socket.
func (w *wire) expectClose(code int, reason string) {
	w.t.Helper()
	m, err := w.next()
	var got websocket.CloseError
	if !errors.As(err, &got) {
		w.t.Fatalf("want the end with %d, got %v, %v", code, m, err)
	}
	if int(got.Code) != code || reason != "" && got.Reason != reason {
		w.t.Fatalf("closed with %d %q, want %d %q", got.Code, got.Reason, code, reason)
	}
}

const typename = `{"query":"{ __typename }"}`

// TestSocketMessages holds what every message has to be, by what the server does with one that is not.
func TestSocketMessages(t *testing.T) {
	t.Parallel()
	start := func(payload string) string { return `{"type":"subscribe","id":"1","payload":` + payload + `}` }
	for name, c := range map[string]struct {
		protocol, text string
		code           int
	}{
		"no JSON":                         {modern, `hello`, 4400},
		"nothing":                         {modern, ``, 4400},
		"two objects":                     {modern, `{"type":"ping"}{"type":"ping"}`, 4400},
		"a list":                          {modern, `[{"type":"ping"}]`, 4400},
		"null":                            {modern, `null`, 4400},
		"no type":                         {modern, `{"id":"1"}`, 4400},
		"type is a number":                {modern, `{"type":1}`, 4400},
		"type in another case":            {modern, `{"Type":"ping"}`, 4400},
		"unknown type":                    {modern, `{"type":"iWantEverything"}`, 4400},
		"the server's type":               {modern, `{"type":"next","id":"1","payload":{}}`, 4400},
		"acknowledged by the client":      {modern, `{"type":"connection_ack"}`, 4400},
		"a legacy type":                   {modern, `{"type":"start","id":"1","payload":` + typename + `}`, 4400},
		"no UTF-8":                        {modern, "{\"type\":\"ping\",\"payload\":{\"a\":\"\xff\"}}", 4400},
		"payload of a ping is a text":     {modern, `{"type":"ping","payload":"a"}`, 4400},
		"payload of a pong is a list":     {modern, `{"type":"pong","payload":[]}`, 4400},
		"a name twice":                    {modern, `{"type":"ping","type":"ping"}`, 4400},
		"half a character":                {modern, `{"type":"ping","payload":{"a":"\ud800"}}`, 4400},
		"a second init":                   {modern, `{"type":"connection_init"}`, 4429},
		"no id":                           {modern, `{"type":"subscribe","payload":` + typename + `}`, 4400},
		"id is a number":                  {modern, `{"type":"subscribe","id":1,"payload":` + typename + `}`, 4400},
		"id is empty":                     {modern, `{"type":"subscribe","id":"","payload":` + typename + `}`, 4400},
		"id is long":                      {modern, `{"type":"subscribe","id":"` + strings.Repeat("x", 300) + `","payload":` + typename + `}`, 4400},
		"no payload":                      {modern, `{"type":"subscribe","id":"1"}`, 4400},
		"payload is a text":               {modern, start(`"{ __typename }"`), 4400},
		"no query":                        {modern, start(`{}`), 4400},
		"query in another case":           {modern, start(`{"Query":"{ __typename }"}`), 4400},
		"query is null":                   {modern, start(`{"query":null}`), 4400},
		"query is an object":              {modern, start(`{"query":{}}`), 4400},
		"variables are a text":            {modern, start(`{"query":"{ __typename }","variables":"{}"}`), 4400},
		"variables are a list":            {modern, start(`{"query":"{ __typename }","variables":[]}`), 4400},
		"operationName is a number":       {modern, start(`{"query":"{ __typename }","operationName":1}`), 4400},
		"extensions are a text":           {modern, start(`{"query":"{ __typename }","extensions":""}`), 4400},
		"complete without id":             {modern, `{"type":"complete"}`, 4400},
		"legacy: a modern type":           {legacy, `{"type":"subscribe","id":"1","payload":` + typename + `}`, 4400},
		"legacy: ping":                    {legacy, `{"type":"ping"}`, 4400},
		"legacy: a second init":           {legacy, `{"type":"connection_init"}`, 4429},
		"legacy: no id":                   {legacy, `{"type":"start","payload":` + typename + `}`, 4400},
		"legacy: stop without id":         {legacy, `{"type":"stop"}`, 4400},
		"legacy: the server's type":       {legacy, `{"type":"ka"}`, 4400},
		"legacy: terminate is a good end": {legacy, `{"type":"connection_terminate"}`, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := greeted(t, sharedAPI().url, c.protocol, "")
			w.send(c.text)
			w.expectClose(c.code, "")
		})
	}
}

// TestSocketFrames holds what a message may be before it is read.
func TestSocketFrames(t *testing.T) {
	t.Parallel()
	t.Run("binary", func(t *testing.T) {
		t.Parallel()
		w := greeted(t, sharedAPI().url, modern, "")
		w.sendAs(websocket.MessageBinary, `{"type":"ping"}`)
		w.expectClose(4400, "A message is text")
	})
	t.Run("as long as may be", func(t *testing.T) {
		t.Parallel()
		w := greeted(t, sharedAPI().url, modern, "")
		frame := `{"type":"ping","payload":{"a":""}}`
		w.send(strings.Replace(frame, `""`, `"`+strings.Repeat("x", 1<<20-len(frame))+`"`, 1))
		if m, err := w.next(); err != nil || m["type"] != "pong" {
			t.Errorf("got %v, %v", m["type"], err)
		}
	})
	t.Run("too long", func(t *testing.T) {
		t.Parallel()
		w := greeted(t, sharedAPI().url, modern, "")
		w.send(strings.Repeat(" ", 1<<20+1))
		w.expectClose(1009, "")
	})
}

// TestSocketState holds what may be sent when.
func TestSocketState(t *testing.T) {
	t.Parallel()
	t.Run("ping before the acknowledgement", func(t *testing.T) {
		t.Parallel()
		w := dial(t, sharedAPI().url, modern, nil)
		w.send(`{"type":"ping"}`)
		w.expect(`{"type":"pong"}`)
		w.send(`{"type":"ping","payload":{"n":1}}`)
		w.expect(`{"type":"pong","payload":{"n":1}}`)
		w.send(`{"type":"pong"}`)
		w.send(`{"type":"connection_init","payload":null}`)
		w.expect(`{"type":"connection_ack"}`)
	})
	t.Run("operation before the acknowledgement", func(t *testing.T) {
		t.Parallel()
		w := dial(t, sharedAPI().url, modern, nil)
		w.send(`{"type":"subscribe","id":"1","payload":` + typename + `}`)
		w.expectClose(4401, "Unauthorized")
	})
	t.Run("complete of what is not known", func(t *testing.T) {
		t.Parallel()
		w := dial(t, sharedAPI().url, modern, nil)
		w.send(`{"type":"complete","id":"1"}`)
		w.send(`{"type":"ping"}`)
		w.expect(`{"type":"pong"}`)
	})
	t.Run("legacy: operation before the acknowledgement", func(t *testing.T) {
		t.Parallel()
		w := dial(t, sharedAPI().url, legacy, nil)
		w.send(`{"type":"start","id":"1","payload":` + typename + `}`)
		w.expectClose(4401, "Unauthorized")
	})
	t.Run("no common protocol", func(t *testing.T) {
		t.Parallel()
		dial(t, sharedAPI().url, "soap", nil).expectClose(4406, "Subprotocol not acceptable")
		dial(t, sharedAPI().url, "", nil).expectClose(4406, "Subprotocol not acceptable")
	})
	t.Run("the modern protocol is preferred", func(t *testing.T) {
		t.Parallel()
		if got := dial(t, sharedAPI().url, legacy+" "+modern, nil).conn.Subprotocol(); got != modern {
			t.Errorf("chosen: %q", got)
		}
	})
}

// TestSocketOperations runs queries and mutations, in both protocols.
func TestSocketOperations(t *testing.T) {
	t.Parallel()
	for protocol, words := range map[string][2]string{modern: {"subscribe", "next"}, legacy: {"start", "data"}} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			world := newWorld(t)
			w := greeted(t, sharedAPI().url, protocol, world.owner.token)
			ask := func(id, payload string) {
				w.send(`{"id":"` + id + `","type":"` + words[0] + `","payload":` + payload + `}`)
			}
			for range 3 { // the ID is free again as soon as the end is there
				ask("a", `{"query":"query A($id: ID!) { node(id: $id) { id } } query B { __typename }","operationName":"A","variables":{"id":"`+world.master+`"}}`)
				w.expect(`{"id":"a","type":"` + words[1] + `","payload":{"data":{"node":{"id":"` + world.master + `"}}}}`)
				w.expect(`{"id":"a","type":"complete"}`)
			}
			ask("b", `{"query":"mutation { createApiKey(input: {name: \"Over a socket\", kind: OTHER}) { key { name } userErrors { message } } }"}`)
			w.expect(`{"id":"b","type":"` + words[1] + `","payload":{"data":{"createApiKey":{"key":{"name":"Over a socket"},"userErrors":[]}}}}`)
			w.expect(`{"id":"b","type":"complete"}`)
			ask("c", `{"query":"{ account(id: \"x\") { name } }"}`)
			w.expect(`{"id":"c","type":"` + words[1] + `","payload":{"data":{"account":null}}}`)
			w.expect(`{"id":"c","type":"complete"}`)
			for _, query := range []string{"{", "{ nothing }", "", "query A { __typename } query B { __typename }"} {
				ask("d", `{"query":"`+query+`"}`) // no complete comes after the error, for the ID is used again at once
				m, err := w.next()
				if err != nil || m["type"] != "error" || m["id"] != "d" {
					t.Errorf("%q: got %v, %v", query, m, err)
				}
			}
			if names := world.owner.names(t); len(names) != 2 {
				t.Errorf("keys: %q", names)
			}
		})
	}
}

// TestSocketErrorPayload holds the two forms of an error.
func TestSocketErrorPayload(t *testing.T) {
	t.Parallel()
	w := greeted(t, sharedAPI().url, modern, "")
	w.send(`{"id":"1","type":"subscribe","payload":{"query":"{ nothing nowhere }"}}`)
	w.expect(`{"id":"1","type":"error","payload":[{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}},{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}`)
	w = greeted(t, sharedAPI().url, legacy, "")
	w.send(`{"id":"1","type":"start","payload":{"query":"{ nothing nowhere }"}}`)
	w.expect(`{"id":"1","type":"error","payload":{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"},"errors":[
		{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}},{"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}}`)
}
