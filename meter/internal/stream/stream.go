// Package stream reads the tokens of language models' answers, as servers of OpenAI's API give them.
package stream

import (
	"bytes"
	"encoding/json"
	"time"
)

// most is the size up to which an event is looked at.
const most = 64 << 10

// Usage are numbers of tokens.
type Usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
}

// UsageOf is what an answer that is not streamed says; nil if it says nothing.
func UsageOf(answer []byte) *Usage {
	var read struct {
		Usage *Usage `json:"usage"`
	}
	if json.Unmarshal(answer, &read) != nil {
		return nil
	}
	return read.Usage
}

// Tokens are those of one streamed answer: server-sent events, of which each brings a token.
//
// First and Between are called at once, with the time since the request began, or since the token before.
type Tokens struct {
	Began          time.Time
	First, Between func(time.Duration)

	last  time.Time
	count int
	usage *Usage
	line  []byte
	long  bool
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
		t.event(t.line, now)
		t.line, t.long = t.line[:0], false
		more = more[end+1:]
	}
}

// Usage is what the last event that tells it has told, or else the tokens that were counted.
func (t *Tokens) Usage() Usage {
	if t.usage != nil {
		return *t.usage
	}
	return Usage{Completion: t.count}
}

func (t *Tokens) event(line []byte, now time.Time) {
	data, found := bytes.CutPrefix(line, []byte("data:"))
	if data = bytes.TrimSpace(data); !found || len(data) == 0 || string(data) == "[DONE]" {
		return
	}
	token, usage := read(data)
	if usage != nil {
		t.usage = usage
	}
	if !token {
		return
	}
	t.count++
	if t.count == 1 {
		t.First(now.Sub(t.Began))
	} else {
		t.Between(now.Sub(t.last))
	}
	t.last = now
}

// chunk is an event of OpenAI's API. Text and Delta tell whether it brings a token.
type chunk struct {
	Usage   *Usage    `json:"usage"`
	Choices *[]choice `json:"choices"`
}

type choice struct {
	Text  string                     `json:"text"`
	Delta map[string]json.RawMessage `json:"delta"`
}

// read tells whether an event brings a token. Those that say who speaks, why it ended or what was used do not;
// those of other APIs do.
func read(data []byte) (token bool, usage *Usage) {
	var event chunk
	if json.Unmarshal(data, &event) != nil {
		return data[0] == '{', nil
	}
	if event.Choices == nil {
		return event.Usage == nil, event.Usage
	}
	for _, one := range *event.Choices {
		token = token || one.Text != ""
		for name, value := range one.Delta {
			text := string(value)
			token = token || name != "role" && text != `""` && text != "null" && text != "[]"
		}
	}
	return token, event.Usage
}
