package server

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Close codes of graphql-transport-ws, see PROTOCOL.md of the library graphql-ws, whose server has the sixth.
const (
	closeBadRequest   websocket.StatusCode = 4400
	closeUnauthorized websocket.StatusCode = 4401
	closeForbidden    websocket.StatusCode = 4403
	closeProtocol     websocket.StatusCode = 4406
	closeInitTimeout  websocket.StatusCode = 4408
	closeDuplicate    websocket.StatusCode = 4409
	closeManyInits    websocket.StatusCode = 4429
)

// dialect is one of the two subprotocols. They say the same in other words, and the legacy one says less.
type dialect struct {
	name                  string
	start, stop, next     string
	keepAlive, connection bool // sends "ka"; knows "connection_error" and "connection_terminate"
	pings                 bool // has "ping" and "pong" as messages
}

// dialects are the subprotocols in the order of preference: graphql-transport-ws is that of the library graphql-ws, and
// graphql-ws, confusingly, that of its predecessor subscriptions-transport-ws.
var dialects = []*dialect{
	{name: "graphql-transport-ws", start: "subscribe", stop: "complete", next: "next", pings: true},
	{name: "graphql-ws", start: "start", stop: "stop", next: "data", keepAlive: true, connection: true},
}

func dialectNames() []string {
	names := make([]string, len(dialects))
	for i, d := range dialects {
		names[i] = d.name
	}
	return names
}

// dialectNamed gives nil for a name that is none.
func dialectNamed(name string) *dialect {
	for _, d := range dialects {
		if strings.EqualFold(d.name, name) {
			return d
		}
	}
	return nil
}

// errorPayload is what a failed operation is told: all errors, or in the legacy protocol one error. That one carries the
// list beside its own sentence, where subscriptions-transport-ws looks first.
func (d *dialect) errorPayload(list gqlerror.List) any {
	if !d.connection {
		return list
	}
	first := list[0]
	return struct {
		*gqlerror.Error
		Errors gqlerror.List `json:"errors"`
	}{first, list}
}

// closing is why a socket is closed, as the peer is told.
type closing struct {
	code   websocket.StatusCode
	reason string
}

// badMessage is the end of a socket whose peer does not keep to the protocol.
func badMessage(reason string) *closing { return &closing{closeBadRequest, reason} }

// message is one from the client. ID is set where the type asks for it; Payload is an object or nil.
type message struct {
	kind    string
	id      string
	payload json.RawMessage
}

// maxMessageID is how long the ID of an operation may be; it is repeated with every event.
const maxMessageID = 256

// readMessage reads a message as strictly as it is specified. Members beyond those are nobody's business.
func (d *dialect) readMessage(text []byte) (message, *closing) {
	var m message
	members, ok := object(text)
	if !ok {
		return m, badMessage("A message is a JSON object")
	}
	if m.kind, ok = textOf(members["type"]); !ok {
		return m, badMessage("A message has a type")
	}
	payload := members["payload"]
	if string(payload) == "null" {
		payload = nil
	}
	if payload != nil && payload[0] != '{' {
		return m, badMessage("A payload is an object")
	}
	m.payload = payload
	if m.kind == d.start || m.kind == d.stop {
		if m.id, ok = textOf(members["id"]); !ok || m.id == "" || len(m.id) > maxMessageID {
			return m, badMessage("The ID of an operation is a text that is not empty, nor long")
		}
	}
	return m, nil
}

// object splits a JSON object into its members, each of which it has once.
func object(text []byte) (map[string]json.RawMessage, bool) {
	if !utf8.Valid(text) || halfCharacter(string(text)) {
		return nil, false
	}
	members, err := objectOf(text)
	return members, err == nil
}

// textOf reads a JSON string.
func textOf(value json.RawMessage) (string, bool) {
	if len(value) == 0 || value[0] != '"' {
		return "", false
	}
	var s string
	err := json.Unmarshal(value, &s)
	return s, err == nil
}

// readOperation reads the payload that starts an operation: the parameters of a request, of which the query has to be there,
// if only as an empty text beside the hash of a document.
func readOperation(payload json.RawMessage) (*graphql.RawParams, *closing) {
	members, ok := object(payload)
	if !ok {
		return nil, badMessage("An operation has a payload")
	}
	if _, ok := textOf(members["query"]); !ok {
		return nil, badMessage("query is a text")
	}
	params, refused := decoded(members)
	if refused != nil {
		return nil, badMessage("operationName is a text, variables and extensions are objects")
	}
	return params, nil
}

// envelope is a message to the client. Its payload is an answer, or anything else.
type envelope struct {
	ID      string `json:"id,omitempty"`
	Type    string `json:"type"`
	Payload any    `json:"payload,omitempty"`
}

// text gives the JSON of a message. Answers are written already, and taken as they are.
func (e envelope) text() ([]byte, error) {
	r, ok := e.Payload.(*graphql.Response)
	if !ok {
		return json.Marshal(e)
	}
	body, err := encoded(r)
	if err != nil {
		return nil, err
	}
	e.Payload = nil
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return slices.Concat(text[:len(text)-1], []byte(`,"payload":`), body, []byte("}")), nil
}
