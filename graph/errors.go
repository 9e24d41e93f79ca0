package graph

import (
	"errors"
	"strings"
	"time"
)

// Code names what went wrong; it is the stable part of every error that reaches a caller.
type Code string

// Codes of top-level errors: access, syntax, limits and faults.
const (
	Unauthenticated  Code = "UNAUTHENTICATED"
	Forbidden        Code = "FORBIDDEN"
	BadUserInput     Code = "BAD_USER_INPUT"
	RateLimited      Code = "RATE_LIMITED"
	TooComplex       Code = "COMPLEXITY_LIMIT_EXCEEDED"
	AccountSuspended Code = "ACCOUNT_SUSPENDED"
	Unavailable      Code = "UNAVAILABLE"
	Internal         Code = "INTERNAL"

	ParseFailed            Code = "GRAPHQL_PARSE_FAILED"
	ValidationFailed       Code = "GRAPHQL_VALIDATION_FAILED"
	PersistedQueryNotFound Code = "PERSISTED_QUERY_NOT_FOUND"
)

// UserErrorCode is a Code that a mutation returns in `userErrors`.
type UserErrorCode = Code

// Codes of user errors: refusals and mistakes that the caller can correct.
const (
	Invalid            Code = "INVALID"
	NotFound           Code = "NOT_FOUND"
	Conflict           Code = "CONFLICT"
	InvalidState       Code = "INVALID_STATE"
	NotAllowed         Code = "NOT_ALLOWED"
	LimitReached       Code = "LIMIT_REACHED"
	InvalidCredentials Code = "INVALID_CREDENTIALS"

	IdempotencyMismatch Code = "IDEMPOTENCY_MISMATCH"
)

// Error is a failure that a caller may see: a code, a sentence and the path of the argument, such as
// input.keyIds.2. Every other error is shown to nobody.
type Error struct {
	Code    Code
	Message string
	Path    []string
	// Rule and Parameter name the broken rule of an Invalid value, such as max and 64; Limit the limit of a
	// LimitReached.
	Rule, Parameter string
	Limit           int
	// RetryAfter is how long to wait before another try, for RateLimited.
	RetryAfter time.Duration
}

// Error gives code, path and sentence.
func (e *Error) Error() string {
	text := string(e.Code)
	if len(e.Path) > 0 {
		text += " at " + strings.Join(e.Path, ".")
	}
	return text + ": " + e.Message
}

// IsUserError reports whether the error belongs into the `userErrors` of a mutation.
func (e *Error) IsUserError() bool {
	switch e.Code {
	case Invalid, NotFound, Conflict, InvalidState, NotAllowed, LimitReached, InvalidCredentials, IdempotencyMismatch:
		return true
	}
	return false
}

// At gives a copy of the error with the path, written with dots.
func (e *Error) At(path string) *Error {
	c := *e
	c.Path = strings.Split(path, ".")
	return &c
}

// Errors are user errors of one call that concern several of its arguments, in the order of these.
type Errors []*Error

// Add appends what rules return, nil when they refuse nothing.
func (l *Errors) Add(refusals ...error) {
	for _, err := range refusals {
		*l = append(*l, ErrorsOf(err)...)
	}
}

// Err gives the errors as one, nil when there are none.
func (l Errors) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// Error gives one after the other.
func (l Errors) Error() string {
	texts := make([]string, len(l))
	for i, e := range l {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap gives each of them.
func (l Errors) Unwrap() []error {
	list := make([]error, len(l))
	for i, e := range l {
		list[i] = e
	}
	return list
}

// ErrorsOf gives what of an error a caller may see: several errors, one, or none.
func ErrorsOf(err error) Errors {
	if list, ok := errors.AsType[Errors](err); ok {
		return list
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return Errors{e}
	}
	return nil
}

// ErrorCode gives the code of the Error in err's chain, or Internal when there is none.
func ErrorCode(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// refuse makes an error with a path written with dots; an empty path concerns the whole call.
func refuse(code Code, path, message string) *Error {
	e := &Error{Code: code, Message: message}
	if path != "" {
		e = e.At(path)
	}
	return e
}

// atMost reports LimitReached when n is more than the limit.
func atMost(limit, n int, path, message string) error {
	if n <= limit {
		return nil
	}
	e := refuse(LimitReached, path, message)
	e.Limit = limit
	return e
}

// Missing is the one answer for objects that do not exist, are hidden, foreign, or named by a malformed ID.
func Missing(path string) *Error {
	return refuse(NotFound, path, "There is no such object, or it is not visible to you.")
}

// UserError is a problem in a mutation's input or in the state of the data, as the schema shows it.
type UserError interface{ isUserError() }

// GeneralError is a user error without further data.
type GeneralError struct {
	Code    Code
	Message string
	Path    []string
}

// ValidationError is a user error for a value that breaks a rule.
type ValidationError struct {
	GeneralError
	Rule      string
	Parameter *string
}

// LimitError is a user error for a limit that is reached.
type LimitError struct {
	GeneralError
	Limit int
}

func (*GeneralError) isUserError()    {}
func (*ValidationError) isUserError() {}
func (*LimitError) isUserError()      {}

// UserError gives the error as the schema shows it.
func (e *Error) UserError() UserError {
	general := GeneralError{Code: e.Code, Message: e.Message, Path: e.Path}
	if general.Path == nil {
		general.Path = []string{}
	}
	switch {
	case e.Code == Invalid && e.Rule != "":
		v := &ValidationError{GeneralError: general, Rule: e.Rule}
		if e.Parameter != "" {
			v.Parameter = &e.Parameter
		}
		return v
	case e.Code == LimitReached:
		return &LimitError{GeneralError: general, Limit: e.Limit}
	}
	return &general
}
