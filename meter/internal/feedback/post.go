package feedback

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"evenkeel.dev/meter/internal/token"
)

// Outcome is what became of a line.
type Outcome string

// Outcomes.
const (
	Accepted   Outcome = "accepted"
	Repeated   Outcome = "repeated"
	Forged     Outcome = "forged"
	Expired    Outcome = "expired"
	Unreadable Outcome = "unreadable"
	// Full: there is no room to remember one more answer; post it again later.
	Full Outcome = "full"
)

// Bounds of a post.
const (
	maxBody  = 8 << 20
	maxLine  = 64 << 10
	maxLines = 10_000
	// maxErrors is the number of lines whose errors are told.
	maxErrors = 10
)

// errTooMany says that a post has more lines than are taken.
var errTooMany = fmt.Errorf("more than %d lines; post them in parts", maxLines)

// Answer is what a client is told.
type Answer struct {
	Accepted   int `json:"accepted"`
	Repeated   int `json:"repeated"`
	Forged     int `json:"forged"`
	Expired    int `json:"expired"`
	Unreadable int `json:"unreadable"`
	Full       int `json:"full"`
	// Errors are those of the first lines that have one.
	Errors []LineError `json:"errors,omitempty"`
}

// LineError says what is wrong with a line; the first is 1.
type LineError struct {
	Line  int    `json:"line"`
	Error string `json:"error"`
}

func (a *Answer) count(outcome Outcome) {
	*map[Outcome]*int{
		Accepted: &a.Accepted, Repeated: &a.Repeated, Forged: &a.Forged, Expired: &a.Expired,
		Unreadable: &a.Unreadable, Full: &a.Full,
	}[outcome]++
}

func (a *Answer) tell(line int, err error) {
	if len(a.Errors) < maxErrors {
		a.Errors = append(a.Errors, LineError{line, err.Error()})
	}
}

// label is a line that has been verified.
type label struct {
	mark     mark
	revision string
	slices   []string
	loss     float64
}

// refusal is one that has not: its outcome, and the reason, which is finer.
type refusal struct {
	outcome Outcome
	reason  string
	err     error
}

func (r *refusal) Error() string { return r.err.Error() }

// labels takes posts. It may be used by several goroutines.
type labels struct {
	config  Config
	keys    *token.Keys
	metrics *labelMetrics
	now     func() time.Time

	// adding guards what follows, and makes a label's check, its record and its count one step.
	adding  sync.Mutex
	seen    *seen
	journal *journal
}

// post takes a body of JSON lines: all that it can, or, with an error, none.
func (l *labels) post(body []byte) (Answer, error) {
	now := l.now()
	var answer Answer
	var verified []label
	var refused []string
	number := 0
	for line := range bytes.Lines(body) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if number > maxLines {
			return Answer{}, errTooMany
		}
		one, err := l.verify(line, now)
		var refusal *refusal
		if errors.As(err, &refusal) {
			answer.count(refusal.outcome)
			answer.tell(number, err)
			refused = append(refused, refusal.reason)
			continue
		}
		verified = append(verified, one)
	}
	if err := l.add(verified, now, &answer); err != nil {
		return Answer{}, err
	}
	for _, reason := range refused {
		l.metrics.refused(reason)
	}
	return answer, nil
}

// verify reads a line and its token. Its error is a refusal.
func (l *labels) verify(content []byte, now time.Time) (label, error) {
	unreadable := func(err error) (label, error) {
		return label{}, &refusal{Unreadable, string(Unreadable), err}
	}
	if len(content) > maxLine {
		return unreadable(fmt.Errorf("the line has more than %d bytes", maxLine))
	}
	line, err := parse(content)
	if err != nil {
		return unreadable(err)
	}
	payload, err := token.Verify(l.keys, line.Token, l.config.Deployment, now, l.config.MaxAge)
	if err != nil {
		outcome, reason := refusedToken(err)
		return label{}, &refusal{outcome, reason, err}
	}
	row, err := line.row(payload.Rows)
	if err != nil {
		return unreadable(err)
	}
	loss, err := line.loss(payload.Rows[row].Prediction, l.config.Threshold)
	if err != nil {
		return unreadable(err)
	}
	return label{mark{payload.ID, row}, payload.Revision, payload.Rows[row].Slices, loss}, nil
}

func refusedToken(err error) (Outcome, string) {
	switch {
	case errors.Is(err, token.ErrUnknownKey):
		return Forged, reasonUnknownKey
	case errors.Is(err, token.ErrOther):
		return Forged, reasonOther
	case errors.Is(err, token.ErrForged):
		return Forged, string(Forged)
	case errors.Is(err, token.ErrExpired):
		return Expired, string(Expired)
	}
	return Unreadable, string(Unreadable)
}

// add counts labels once each.
//
// They are written down first and counted then. A crash in between loses them: who posts them again is told
// that they are repeated. The other order would count them twice, which would pass for evidence.
func (l *labels) add(verified []label, now time.Time, answer *Answer) error {
	l.adding.Lock()
	defer l.adding.Unlock()
	l.seen.sweep(now)
	outcomes := make([]Outcome, len(verified))
	var marks []mark
	for i, one := range verified {
		if outcomes[i] = l.seen.add(one.mark, now); outcomes[i] == Accepted {
			marks = append(marks, one.mark)
		}
	}
	if l.journal != nil && len(marks) > 0 {
		if err := l.journal.append(marks, now); err != nil {
			for _, m := range marks {
				l.seen.take(m)
			}
			return fmt.Errorf("cannot write down what was seen: %w", err)
		}
		if err := l.journal.compact(l.seen); err != nil {
			slog.Warn("cannot compact what was seen", "error", err)
		}
	}
	for i, one := range verified {
		answer.count(outcomes[i])
		if outcomes[i] == Accepted {
			l.metrics.accepted(one)
		} else {
			l.metrics.refused(string(outcomes[i]))
		}
	}
	l.metrics.remembered.Set(float64(len(l.seen.entries)))
	return nil
}
