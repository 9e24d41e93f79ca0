package mail

import (
	"context"
	"log/slog"
)

// Log shows messages in a log instead of sending them, links included: for the demo, where everybody may see them.
type Log struct{ Logger *slog.Logger }

// Deliver writes the message.
func (l Log) Deliver(ctx context.Context, m Message) error {
	l.Logger.InfoContext(ctx, "mail", "to", m.To, "subject", m.Subject, "text", m.Text)
	return nil
}
