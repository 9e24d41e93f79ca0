package graph

import (
	"encoding/json"
	"fmt"
	"time"
)

// MailKind is an occasion on which somebody gets mail.
type MailKind string

// The occasions.
const (
	MailInvitation      MailKind = "INVITATION"
	MailPasswordReset   MailKind = "PASSWORD_RESET"
	MailHandedOver      MailKind = "HANDED_OVER"
	MailPasswordChanged MailKind = "PASSWORD_CHANGED"

	MailThresholdCrossed MailKind = "THRESHOLD_CROSSED"
)

// Mail is a mail that waits to be sent.
type Mail struct {
	MailID    UUID
	Kind      MailKind
	Recipient string // address
	Content   MailContent
	DueAt     time.Time // when it is to be tried next; while somebody is trying, when their time for it ends
	GiveUpAt  time.Time // a failure from which on is the last
	Attempts  int       // how often it was tried, the present try included
}

// MailContent is what the text of a mail says; which parts are set depends on the kind. Names are as people have entered
// them.
type MailContent struct {
	Account    string     `json:"account,omitempty"`    // name of the account
	By         string     `json:"by,omitempty"`         // who invited or handed over; empty for the provider
	To         string     `json:"to,omitempty"`         // to whom the account was handed over
	ForPrimary bool       `json:"forPrimary,omitempty"` // the invitee becomes the primary user
	Link       string     `json:"link,omitempty"`       // lets its holder in
	ExpiresAt  *time.Time `json:"expiresAt,omitempty"`  // end of the link
	At         *time.Time `json:"at,omitempty"`         // when what is told happened

	Threshold MailThreshold `json:"threshold,omitzero"` // what was crossed
}

// MailThreshold says in words what was crossed. The name is as people have entered it.
type MailThreshold struct {
	Object   string `json:"object"`   // key or unit
	Name     string `json:"name"`     // of the key or unit
	Measure  string `json:"measure"`  // cost or quantity
	Limit    string `json:"limit"`    // such as 10 EUR
	When     string `json:"when"`     // such as on 1 March 2026
	Each     string `json:"each"`     // day or month
	TimeZone string `json:"timeZone"` // whose clock the period follows
}

// Summary gives what happened in a sentence.
func (m MailThreshold) Summary() string {
	return "The " + m.Measure + " of the " + m.Object + " " + m.Name + " reached " + m.Limit + " " + m.When + " (" + m.TimeZone + ")."
}

// Scan reads JSON.
func (c *MailContent) Scan(src any) error {
	text, ok := src.([]byte)
	if !ok {
		return fmt.Errorf("scan content of a mail: unexpected %T", src)
	}
	return json.Unmarshal(text, c)
}

// Expired reports whether the link of the mail has ended, so that there is no use in sending it.
func (m *Mail) Expired(at time.Time) bool {
	return m.Content.ExpiresAt != nil && !at.Before(*m.Content.ExpiresAt)
}
