package server

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"

	"grantwood/graph"
)

// asksForSocket reports whether the request asks for a WebSocket. Every other Upgrade is ignored, as RFC 9110 says.
func asksForSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && headerNames(r.Header, "Upgrade", "websocket")
}

// open makes a socket of a request that asks for one, and returns: the socket lives on, with no more of the request
// than it needs. Refusals come as JSON, like all others of the server.
func (s *sockets) open(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	if no := s.checkHandshake(w, r); no != nil {
		refuse(w, no.status, no.code, no.sentence)
		return
	}
	request, _ := r.Context().Value(requestKey{}).(graph.Request)
	k := s.newSocket(request.Address, credentialsOf(r), exec)
	if no := s.admit(k); no != nil {
		w.Header().Set("Retry-After", "5")
		refuse(w, no.status, no.code, no.sentence)
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:       dialectNames(),
		InsecureSkipVerify: true, // the origin is checked above
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		s.Log.WarnContext(r.Context(), "socket not opened", "error", err, "request", request.ID)
		s.forget(k, websocket.StatusAbnormalClosure)
		return
	}
	k.begin(conn)
}

// checkHandshake checks what RFC 6455, section 4.2.1, asks of a client, and where the request comes from. Without a common
// subprotocol there is a handshake: browsers learn the reason from the close code only.
func (s *sockets) checkHandshake(w http.ResponseWriter, r *http.Request) *httpRefusal {
	if !headerNames(r.Header, "Connection", "upgrade") {
		return &httpRefusal{http.StatusBadRequest, graph.BadUserInput, "A WebSocket needs the header Connection: Upgrade."}
	}
	if v := r.Header.Values("Sec-WebSocket-Version"); len(v) != 1 || strings.TrimSpace(v[0]) != "13" {
		w.Header().Set("Sec-WebSocket-Version", "13")
		return &httpRefusal{http.StatusUpgradeRequired, graph.BadUserInput, "The version of the WebSocket protocol is 13."}
	}
	key := r.Header.Values("Sec-WebSocket-Key")
	if len(key) == 1 {
		if raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(key[0])); err != nil || len(raw) != 16 {
			key = nil
		}
	}
	if len(key) != 1 {
		return &httpRefusal{http.StatusBadRequest, graph.BadUserInput, "Sec-WebSocket-Key is 16 bytes in base64."}
	}
	if !s.originAllowed(r) {
		return &httpRefusal{http.StatusForbidden, graph.Forbidden, "Pages of that origin may not connect."}
	}
	return nil
}

// headerNames reports whether the list in a header has the token, in any case.
func headerNames(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for item := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(item), token) {
				return true
			}
		}
	}
	return false
}

// credentialsOf keeps the credentials of a request, and nothing else of it: its Authorization, or the session of a browser
// that also says which page is asking.
func credentialsOf(r *http.Request) *http.Request {
	if given := r.Header.Get("Authorization"); given != "" {
		return authorizedBy(given)
	}
	bare := &http.Request{Header: http.Header{}}
	if c, err := r.Cookie(sessionCookie); err == nil && c.Value != "" && r.Header.Get("Origin") != "" {
		bare.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return bare
}

func authorizedBy(authorization string) *http.Request {
	return &http.Request{Header: http.Header{"Authorization": {authorization}}}
}

// initCredentials gives what connection_init carries: nil when that is nothing. Clients send it at the top or below
// "headers", in either case.
func initCredentials(m message) (*http.Request, *closing) {
	if m.payload == nil {
		return nil, nil
	}
	members, ok := object(m.payload)
	if !ok {
		return nil, badMessage("A payload is an object")
	}
	places := []map[string]json.RawMessage{members}
	if headers, ok := object(members["headers"]); ok {
		places = append(places, headers)
	}
	for _, place := range places {
		for _, name := range []string{"Authorization", "authorization"} {
			value := place[name]
			if value == nil || string(value) == "null" || string(value) == `""` {
				continue
			}
			given, ok := textOf(value)
			if !ok {
				return nil, badMessage("Authorization is a text")
			}
			return authorizedBy(given), nil
		}
	}
	return nil, nil
}
