package server_test

import (
	"net/http"
	"testing"
)

const eventStream = "text/event-stream"

// TestStreamOfAQuery: whoever accepts a stream only gets answers as one, also those to what cannot be run.
func TestStreamOfAQuery(t *testing.T) {
	t.Parallel()
	const begin, end = "event: next\ndata: ", "\n\nevent: complete\ndata:\n\n"
	for query, want := range map[string]string{
		"{ serverInfo { version } }": ":\n\n" + begin + `{"data":{"serverInfo":{"version":"test"}},"extensions":{"cost":{"cost":2,"limit":0,"remaining":0,"restoreRate":0}}}` + end,
		"{ viewer { kind } }": ":\n\n" + begin + `{"errors":[{"message":"Sign in first, or again: the credentials are missing or no longer valid.","path":["viewer"],` +
			`"locations":[{"line":1,"column":3}],"extensions":{"code":"UNAUTHENTICATED"}}],"data":{"viewer":null},` +
			`"extensions":{"cost":{"cost":2,"limit":0,"remaining":0,"restoreRate":0}}}` + end,
		"{ nothing }": begin + `{"errors":[{"message":"Cannot query field \"nothing\" on type \"Query\".","locations":[{"line":1,"column":3}],` +
			`"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}` + end,
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			req := nobody().newRequest(t, query, nil)
			if method == http.MethodGet {
				req = nobody().byGet(t, query)
			}
			req.Header.Set("Accept", eventStream)
			a := send(t, req)
			h := a.Header
			if a.Status != http.StatusOK || string(a.Body) != want || h.Get("Content-Type") != eventStream+"; charset=utf-8" ||
				h.Get("X-Accel-Buffering") != "no" || h.Get("Cache-Control") != "no-cache, no-store" {
				t.Errorf("%s %s: %d %v\n%q\nwant\n%q", method, query, a.Status, h, a.Body, want)
			}
		}
	}
}
