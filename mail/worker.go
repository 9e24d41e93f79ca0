package mail

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"grantwood/db"
	"grantwood/graph"
)

const (
	// lease is how long a mail belongs to who claimed it: longer than a try can take. Of a process that dies meanwhile the
	// mail is sent when it has ended.
	lease = 5 * time.Minute
	// batch is how many mails are taken from the queue at a time, and atOnce how many of them are sent at a time.
	batch  = 20
	atOnce = 4
	// firstPause is before the second try; it doubles with every further one, up to longestPause.
	firstPause   = 30 * time.Second
	longestPause = 2 * time.Hour
)

// Worker sends the mail of a queue. Any number of them may work on one: a mail is sent by one of them, and twice only when
// that one died between sending it and noting so.
type Worker struct {
	DB        *db.DB
	Transport Transport
	Log       *slog.Logger
	Now       func() time.Time // the time; time.Now when nil
	Every     time.Duration    // between looks into the queue; 2 s when zero
	Tried     func(Outcome)    // told what became of each try; nobody when nil
}

// Outcome is what became of a try to send a mail.
type Outcome string

// What becomes of mails: one that is put off is tried again.
const (
	Sent    Outcome = "sent"
	PutOff  Outcome = "put_off"
	GivenUp Outcome = "given_up"
)

func (w Worker) tell(o Outcome) {
	if w.Tried != nil {
		w.Tried(o)
	}
}

// Run works until ctx ends. A try that is running then is finished.
func (w Worker) Run(ctx context.Context) {
	every := w.Every
	if every == 0 {
		every = 2 * time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	failing := false
	for ctx.Err() == nil {
		tried, err := w.Round(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			w.Log.ErrorContext(ctx, "the mail queue cannot be read", "error", err)
		}
		failing = err != nil
		if tried == batch {
			continue // there is more
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// Round tries what is due now, once, and says how many mails that were.
func (w Worker) Round(ctx context.Context) (tried int, err error) {
	due, err := w.DB.DueMails(ctx, w.now(), batch)
	if err != nil {
		return 0, err
	}
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, d := range due {
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			// The end of the program does not break off a try: nobody would know whether the mail was sent.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease)
			defer cancel()
			return w.try(ctx, d)
		})
	}
	return len(due), g.Wait()
}

func (w Worker) now() time.Time {
	now := time.Now
	if w.Now != nil {
		now = w.Now
	}
	return now().UTC().Truncate(time.Microsecond) // as the database keeps it
}

func (w Worker) try(ctx context.Context, d db.DueMail) error {
	m, err := w.DB.ClaimMail(ctx, d, w.now().Add(lease))
	if err != nil || m == nil {
		return err
	}
	// Never the content, which holds links that let somebody in.
	log := w.Log.With("mail", m.MailID.String(), "kind", m.Kind, "to", m.Recipient, "attempt", m.Attempts)
	if m.Expired(w.now()) {
		log.WarnContext(ctx, "mail given up: its link has expired")
		w.tell(GivenUp)
		return w.DB.RemoveMail(ctx, m)
	}
	err = w.deliver(ctx, m)
	if err == nil {
		log.DebugContext(ctx, "mail sent")
		w.tell(Sent)
		return w.DB.RemoveMail(ctx, m)
	}
	next := w.now().Add(Pause(m.Attempts))
	if _, refused := errors.AsType[*RefusedError](err); refused || next.After(m.GiveUpAt) {
		log.ErrorContext(ctx, "mail given up", "error", err)
		w.tell(GivenUp)
		return w.DB.RemoveMail(ctx, m)
	}
	w.tell(PutOff)
	log.WarnContext(ctx, "mail not sent, will be tried again", "error", err, "at", next)
	return w.DB.PutOffMail(ctx, m, next)
}

func (w Worker) deliver(ctx context.Context, m *graph.Mail) error {
	message, err := Compose(m)
	if err != nil {
		return &RefusedError{err}
	}
	ctx, cancel := context.WithTimeout(ctx, lease/2)
	defer cancel()
	return w.Transport.Deliver(ctx, message)
}

// Pause is how long to wait after the attempt with a number, from 1.
func Pause(attempt int) time.Duration {
	pause := firstPause
	for range attempt - 1 {
		if pause *= 2; pause >= longestPause {
			return longestPause
		}
	}
	return pause
}
