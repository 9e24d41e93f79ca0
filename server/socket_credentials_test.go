package server_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"grantwood/graph"
)

const askWho = `{"id":"1","type":"subscribe","payload":{"query":"{ viewer { kind user { id } apiKey { id } } }"}}`

// viewerAnswer is what askWho brings to a user, a key and nobody.
func viewerAnswer(kind, user, key string) string {
	quoted := func(id string) string {
		if id == "" {
			return "null"
		}
		return `{"id":"` + id + `"}`
	}
	return `{"id":"1","type":"next","payload":{"data":{"viewer":{"kind":` + kind + `,"user":` + quoted(user) + `,"apiKey":` + quoted(key) + `}}}}`
}

// TestSocketCredentials holds all places in which credentials are found, and that bad ones end the socket.
func TestSocketCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := sharedAPI().url
	bearer := `"Bearer ` + w.owner.token + `"`
	cookie := func(origin string) http.Header {
		h := http.Header{"Cookie": {"grantwood_session=" + w.owner.token}}
		if origin != "" {
			h.Set("Origin", origin)
		}
		return h
	}
	user := viewerAnswer(`"USER"`, w.owner.id, "")
	for name, c := range map[string]struct {
		header  http.Header
		payload string
		want    string // "" for a socket that is closed with 4403
	}{
		"Authorization":                 {nil, `{"Authorization":` + bearer + `}`, user},
		"authorization":                 {nil, `{"authorization":` + bearer + `}`, user},
		"scheme in another case":        {nil, `{"authorization":"bearer ` + w.owner.token + `"}`, user},
		"in headers":                    {nil, `{"headers":{"Authorization":` + bearer + `}}`, user},
		"in headers, small":             {nil, `{"headers":{"authorization":` + bearer + `},"other":[1]}`, user},
		"of the request":                {http.Header{"Authorization": {"Bearer " + w.owner.token}}, `{}`, user},
		"the payload wins":              {http.Header{"Authorization": {"Bearer nonsense"}}, `{"Authorization":` + bearer + `}`, user},
		"cookie and our page":           {cookie(url), `null`, user},
		"cookie and our public page":    {cookie("http://grantwood.example"), `null`, user},
		"cookie without a page":         {cookie(""), `null`, nobodyAnswer},
		"none":                          {nil, `null`, nobodyAnswer},
		"null":                          {nil, `{"Authorization":null}`, nobodyAnswer},
		"empty":                         {nil, `{"Authorization":"","headers":{}}`, nobodyAnswer},
		"unknown token":                 {nil, `{"Authorization":"Bearer nonsense"}`, ""},
		"no token":                      {nil, `{"Authorization":"Bearer"}`, ""},
		"unknown scheme":                {nil, `{"Authorization":"Digest x"}`, ""},
		"changed token":                 {nil, `{"Authorization":"Bearer ` + flip(w.owner.token, len(w.owner.token)-10) + `"}`, ""},
		"broken Basic":                  {nil, `{"Authorization":"Basic x"}`, ""},
		"the payload wins, though bad":  {cookie(url), `{"Authorization":"Bearer nonsense"}`, ""},
		"bad Authorization of request":  {http.Header{"Authorization": {"Bearer nonsense"}}, `{}`, ""},
		"key with a wrong secret":       {nil, `{"Authorization":"Basic ` + base64.StdEncoding.EncodeToString([]byte("key:secret")) + `"}`, ""},
		"session that ended, as cookie": {http.Header{"Cookie": {"grantwood_session=nonsense"}, "Origin": {url}}, `{}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := dial(t, url, modern, c.header)
			s.send(`{"type":"connection_init","payload":` + c.payload + `}`)
			if c.want == "" {
				s.expectClose(4403, "Forbidden")
				return
			}
			s.expect(`{"type":"connection_ack"}`)
			s.send(askWho)
			s.expect(c.want)
		})
	}
	t.Run("not a text", func(t *testing.T) {
		t.Parallel()
		s := dial(t, url, modern, nil)
		s.send(`{"type":"connection_init","payload":{"Authorization":1}}`)
		s.expectClose(4400, "Authorization is a text")
	})
	t.Run("legacy: says why", func(t *testing.T) {
		t.Parallel()
		s := dial(t, url, legacy, nil)
		s.send(`{"type":"connection_init","payload":{"Authorization":"Bearer nonsense"}}`)
		s.expect(`{"type":"connection_error","payload":{"message":"Forbidden"}}`)
		s.expectClose(4403, "")
	})
}

const nobodyAnswer = `{"id":"1","type":"next","payload":{"errors":[{"path":["viewer"],"extensions":{"code":"UNAUTHENTICATED"}}],"data":{"viewer":null}}}`

// TestSocketOfKey authenticates with a key and its secret, and ends when the key is disabled.
func TestSocketOfKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.owner.post(t, `mutation { createApiKey(input: {name: "A", kind: OTHER}) { key { id key } secret } }`, nil)
	id, _ := a.at(t, "createApiKey.key.id").(string)
	key, _ := a.at(t, "createApiKey.key.key").(string)
	secret, _ := a.at(t, "createApiKey.secret").(string)
	s := greeted(t, sharedAPI().url, modern, "Basic "+base64.StdEncoding.EncodeToString([]byte(key+":"+secret)))
	s.send(askWho)
	s.expect(viewerAnswer(`"KEY"`, "", id))
	s.expect(`{"id":"1","type":"complete"}`)
	w.owner.ask(t, `mutation($id: ID!) { setApiKeyEnabled(input: {keyId: $id, enabled: false}) { userErrors { message } } }`, map[string]any{"id": id}, "setApiKeyEnabled")
	s.send(askWho)
	s.expectClose(4403, "Forbidden")
}

// TestSocketFollowsGrants: a switch works at the next operation of a socket that is open, as at the next request.
func TestSocketFollowsGrants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key(t, "Hidden")
	u := w.user(t, invitee{role: graph.RoleReporting, withoutMaster: true})
	s := greeted(t, sharedAPI().url, modern, u.token)
	keys := `{"id":"1","type":"subscribe","payload":{"query":"{ account { apiKeys { nodes { id } } } }"}}`
	seen := func(nodes string) {
		t.Helper()
		s.send(keys)
		s.expect(`{"id":"1","type":"next","payload":{"data":{"account":{"apiKeys":{"nodes":` + nodes + `}}}}}`)
		s.expect(`{"id":"1","type":"complete"}`)
	}
	seen(`[]`)
	w.grant(t, u.id, key, graph.GrantEnabled)
	seen(`[{"id":"` + key + `"}]`)
	w.grant(t, u.id, key, graph.GrantDisabled)
	seen(`[]`)
	w.disable(t, u.id)
	s.send(keys)
	s.expectClose(4403, "Forbidden")
}

// TestSocketHandshakes holds that what is no handshake is refused in JSON, or is an ordinary request.
func TestSocketHandshakes(t *testing.T) {
	t.Parallel()
	good := map[string]string{"Connection": "keep-alive, Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol": modern}
	for name, c := range map[string]struct {
		change map[string]string
		status int
		code   graph.Code
	}{
		"good":                     {nil, http.StatusSwitchingProtocols, ""},
		"in another case":          {map[string]string{"Connection": "UPGRADE", "Upgrade": "WebSocket"}, http.StatusSwitchingProtocols, ""},
		"our page":                 {map[string]string{"Origin": sharedAPI().url}, http.StatusSwitchingProtocols, ""},
		"no version":               {map[string]string{"Sec-WebSocket-Version": ""}, http.StatusUpgradeRequired, graph.BadUserInput},
		"old version":              {map[string]string{"Sec-WebSocket-Version": "8"}, http.StatusUpgradeRequired, graph.BadUserInput},
		"no key":                   {map[string]string{"Sec-WebSocket-Key": ""}, http.StatusBadRequest, graph.BadUserInput},
		"short key":                {map[string]string{"Sec-WebSocket-Key": "AAAA"}, http.StatusBadRequest, graph.BadUserInput},
		"no connection to upgrade": {map[string]string{"Connection": "keep-alive"}, http.StatusBadRequest, graph.BadUserInput},
		"another site":             {map[string]string{"Origin": "https://evil.example"}, http.StatusForbidden, graph.Forbidden},
		"a page without origin":    {map[string]string{"Origin": "null"}, http.StatusForbidden, graph.Forbidden},
		"our address, encrypted":   {map[string]string{"Origin": "https://grantwood.example"}, http.StatusForbidden, graph.Forbidden},
		"no origin at all":         {map[string]string{"Origin": "%"}, http.StatusForbidden, graph.Forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sharedAPI().url+"/graphql", nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, set := range []map[string]string{good, c.change} {
				for header, value := range set {
					req.Header.Set(header, value)
					if value == "" {
						req.Header.Del(header)
					}
				}
			}
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			if res.StatusCode != c.status {
				t.Fatalf("status %d, want %d", res.StatusCode, c.status)
			}
			if c.code != "" {
				text, _ := io.ReadAll(res.Body)
				var body struct {
					Errors []struct{ Extensions struct{ Code graph.Code } }
				}
				if err := json.Unmarshal(text, &body); err != nil || len(body.Errors) != 1 || body.Errors[0].Extensions.Code != c.code {
					t.Errorf("answer: %s", text)
				}
			}
			if c.status == http.StatusUpgradeRequired && res.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Error("the version that would do is not said")
			}
			if c.status == http.StatusSwitchingProtocols && res.Header.Get("Sec-WebSocket-Extensions") != "" {
				t.Error("extensions were agreed on")
			}
		})
	}
}
