// Package stream reads the tokens of language models' answers, as servers of OpenAI's API give them.
package stream

import (
	"bytes"
	"encoding/json"
	"time"
)

// most is the size up to which an event is looked at.
const most = 64 << 10

// Ends of a streamed answer.
const (
	// Done: the server has said that it is complete.
	Done = "done"
	// Failed: the server has told of an error in it, or has given it up.
	Failed = "error"
	// Broken: it ended without a word.
	Broken = "broken"
	// Left: its client went away before the end.
	Left = "client"
)

// Ends are all of them.
var Ends = []string{Done, Failed, Broken, Left}

// Tokens are those of one streamed answer: server-sent events, each of which brings a chunk of one or more.
//
// First, Between and Finished are called at once: with the time since the request began; with the time since the
// chunk before, divided by the tokens of this one if the server tells them with each; and with the reason for which
// one of the answer's choices ends.
type Tokens struct {
	Began          time.Time
	First, Between func(time.Duration)
	Finished       func(reason string)

	first, last  time.Time
	chunks       int
	usage        *Usage
	done, failed bool
	line         []byte
	long         bool
}

// Add looks at the bytes that follow, which have come at a time.
func (t *Tokens) Add(more []byte, now time.Time) {
	for len(more) > 0 {
		part := more
		end := bytes.IndexByte(more, '\n')
		if end >= 0 {
			part = more[:end]
		}
		if len(t.line)+len(part) > most {
			t.line, t.long = nil, true
		}
		if !t.long {
			t.line = append(t.line, part...)
		}
		if end < 0 {
			return
		}
		t.read(t.line, now)
		t.line, t.long = t.line[:0], false
		more = more[end+1:]
	}
}

// Usage is what the last event that tells it has told; nil if none has.
func (t *Tokens) Usage() *Usage { return t.usage }

// Chunks is the number of events that have brought something.
func (t *Tokens) Chunks() int { return t.chunks }

// PerToken is the mean time from token to token; false if there were too few. Where the server does not tell its
// tokens, a chunk counts as one.
func (t *Tokens) PerToken() (time.Duration, bool) {
	tokens := t.chunks
	if t.usage != nil && t.usage.Completion > 0 {
		tokens = t.usage.Completion
	}
	if t.chunks < 2 || tokens < 2 {
		return 0, false
	}
	return t.last.Sub(t.first) / time.Duration(tokens-1), true
}

// End tells how the answer has ended. left: its client is gone.
func (t *Tokens) End(left bool) string {
	switch {
	case t.failed:
		return Failed
	case t.done:
		return Done
	case left:
		return Left
	}
	return Broken
}

// read looks at a line.
func (t *Tokens) read(line []byte, now time.Time) {
	field, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimSpace(value)
	switch string(field) {
	case "event":
		t.failed = t.failed || string(value) == "error"
	case "data":
		if string(value) == "[DONE]" {
			t.done = true
		} else if len(value) > 0 {
			t.data(value, now)
		}
	}
}

func (t *Tokens) data(data []byte, now time.Time) {
	one := readEvent(data)
	tokens := 1
	if one.usage != nil {
		if t.usage != nil && one.usage.Completion > t.usage.Completion && t.usage.Completion > 0 {
			tokens = one.usage.Completion - t.usage.Completion
		}
		t.usage = one.usage
	}
	t.failed = t.failed || one.failed
	if one.content {
		t.chunk(tokens, now)
	}
	for _, reason := range one.reasons {
		t.failed = t.failed || reason == "abort" || reason == "error"
		t.Finished(reason)
	}
}

func (t *Tokens) chunk(tokens int, now time.Time) {
	t.chunks++
	if t.chunks == 1 {
		t.first = now
		t.First(now.Sub(t.Began))
	} else {
		t.Between(now.Sub(t.last) / time.Duration(tokens))
	}
	t.last = now
}

// event is what one says. content: it brings a part of the answer.
type event struct {
	content, failed bool
	usage           *Usage
	reasons         []string
}

// chunk is an event of OpenAI's API. Text and Delta tell whether it brings something.
type chunk struct {
	Object  string          `json:"object"`
	Error   json.RawMessage `json:"error"`
	Usage   *Usage          `json:"usage"`
	Choices *[]choice       `json:"choices"`
}

type choice struct {
	Text   string                     `json:"text"`
	Delta  map[string]json.RawMessage `json:"delta"`
	Reason string                     `json:"finish_reason"`
}

// readEvent reads one. Those that say who speaks, why it ended or what was used bring nothing; those of other APIs
// do.
func readEvent(data []byte) event {
	var read chunk
	if json.Unmarshal(data, &read) != nil {
		return event{content: data[0] == '{'}
	}
	if read.Object == "error" || len(read.Error) > 0 && string(read.Error) != "null" {
		return event{failed: true, usage: read.Usage}
	}
	found := event{usage: read.Usage}
	if read.Choices == nil {
		found.content = read.Usage == nil
		return found
	}
	for _, one := range *read.Choices {
		found.content = found.content || one.Text != ""
		for name, value := range one.Delta {
			text := string(value)
			found.content = found.content || name != "role" && text != `""` && text != "null" && text != "[]"
		}
		if one.Reason != "" {
			found.reasons = append(found.reasons, one.Reason)
		}
	}
	return found
}
