package server

import (
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/lexer"
)

// halfCharacter reports whether text, which is JSON or the inside of a string of GraphQL, has \uD800 to \uDFFF that is not one
// half of a pair. No string has such a character; the libraries make U+FFFD of it, which is another string.
func halfCharacter(text string) bool {
	for {
		i := strings.IndexByte(text, '\\')
		if i < 0 {
			return false
		}
		text = text[i:]
		r, long := escapedRune(text)
		switch {
		case !long: // of two bytes, or the last
			text = text[min(2, len(text)):]
			continue
		case !utf16.IsSurrogate(r):
			text = text[6:]
			continue
		}
		next, long := escapedRune(text[6:])
		if !long || utf16.DecodeRune(r, next) == '\uFFFD' {
			return true
		}
		text = text[12:]
	}
}

// escapedRune reads \uXXXX at the start of text.
func escapedRune(text string) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(text[2:6], 16, 16)
	return rune(n), err == nil
}

// halfInDocument is halfCharacter for the strings of a document; comments and block strings escape nothing.
func halfInDocument(text string) bool {
	if !strings.Contains(text, `\u`) || !halfCharacter(text) {
		return false
	}
	l := lexer.New(&ast.Source{Input: text})
	for {
		t, err := l.ReadToken()
		if err != nil || t.Kind == lexer.EOF {
			return false // the parser says what is wrong
		}
		if t.Kind == lexer.String && halfCharacter(text[t.Pos.Start:t.Pos.End]) {
			return true
		}
	}
}
