package db

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"strings"

	"grantwood/graph"
)

// Prefixes of tokens, so that people, logs and scanners recognise them.
const (
	sessionToken    = "gws"
	invitationToken = "gwi"
	resetToken      = "gwr" // its account is a person
	operatorToken   = "gwo"
	accessToken     = "gwt"
	downloadToken   = "gwd"
)

// token is what a caller presents: the account and the row that it stands for, and a secret of 256 bits. With the
// account in the token, finding the row needs one look-up in one account. Operators belong to no account.
type token struct {
	prefix  string
	account graph.UUID
	row     graph.UUID
	secret  [32]byte
}

var tokenText = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

func newToken(prefix string, account, row graph.UUID) token {
	t := token{prefix: prefix, account: account, row: row}
	_, _ = rand.Read(t.secret[:]) // never fails
	return t
}

// String gives the text that is shown once.
func (t token) String() string {
	raw := append(append(t.account[:], t.row[:]...), t.secret[:]...)
	return t.prefix + "_" + tokenText.EncodeToString(raw)
}

// hash is what is stored. A secret of 256 random bits needs no slow hash.
func (t token) hash() []byte {
	sum := sha256.Sum256(t.secret[:])
	return sum[:]
}

// opens reports, in constant time, whether the token's secret is the one behind the stored hash.
func (t token) opens(stored []byte) bool { return subtle.ConstantTimeCompare(t.hash(), stored) == 1 }

// parseToken reads a token with the prefix from its text.
func parseToken(text, prefix string) (t token, ok bool) {
	body, ok := strings.CutPrefix(text, prefix+"_")
	if !ok || len(body) != tokenText.EncodedLen(64) {
		return t, false
	}
	raw, err := tokenText.DecodeString(body)
	if err != nil || tokenText.EncodeToString(raw) != body {
		return t, false
	}
	return token{prefix: prefix, account: graph.UUID(raw[0:16]), row: graph.UUID(raw[16:32]), secret: [32]byte(raw[32:64])}, true
}

// newPublicKey makes the public part of a key. It carries the account, so that the provider's gateways find it in one
// account, and 64 random bits.
func newPublicKey(account graph.UUID) string {
	var random [8]byte
	_, _ = rand.Read(random[:])
	return publicKey + tokenText.EncodeToString(account[:]) + tokenText.EncodeToString(random[:])
}

// publicKey begins the public part of every key.
const publicKey = "gwk"

// accountOfKey gives the account that the public part of a key names, the zero UUID when it names none.
func accountOfKey(key string) graph.UUID {
	body, ok := strings.CutPrefix(key, publicKey)
	digits := tokenText.EncodedLen(len(graph.UUID{}))
	if !ok || len(body) < digits {
		return graph.UUID{}
	}
	raw, err := tokenText.DecodeString(body[:digits])
	if err != nil {
		return graph.UUID{}
	}
	return graph.UUID(raw)
}

// newKeySecret makes the secret of a key, its last characters as a hint, and its hash.
func newKeySecret() (secret, hint string, hash []byte) {
	secret = rand.Text()
	sum := sha256.Sum256([]byte(secret))
	return secret, secret[len(secret)-4:], sum[:]
}
