package server_test

import (
	"encoding/base32"
	"strings"
	"testing"

	"grantwood/graph"
)

// tokenText is how tokens are written: a prefix, then account, row and secret.
var tokenText = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// bytesOf gives what is behind the prefix of a token.
func bytesOf(t testing.TB, token string) []byte {
	t.Helper()
	_, body, _ := strings.Cut(token, "_")
	raw, err := tokenText.DecodeString(body)
	if err != nil || len(raw) != 64 {
		t.Fatalf("not a token: %q: %v", token, err)
	}
	return raw
}

// splice puts another account's ID into a token.
func splice(t testing.TB, token, account string) string {
	t.Helper()
	raw, other := bytesOf(t, token), graph.ParseID(account).Account
	copy(raw, other[:])
	return token[:4] + tokenText.EncodeToString(raw)
}

// flip changes one character of a text to another one of the same alphabet.
func flip(text string, i int) string {
	c := byte('0')
	if text[i] == c {
		c = '1'
	}
	return text[:i] + string(c) + text[i+1:]
}
