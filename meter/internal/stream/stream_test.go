package stream

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"evenkeel.dev/meter/internal/exchange"
)

// seen are the times and reasons that were told.
type seen struct {
	first, between []time.Duration
	reasons        []string
}

func (s *seen) tokens() *Tokens {
	return &Tokens{
		Began:    time.Unix(100, 0),
		First:    func(d time.Duration) { s.first = append(s.first, d) },
		Between:  func(d time.Duration) { s.between = append(s.between, d) },
		Finished: func(reason string) { s.reasons = append(s.reasons, reason) },
	}
}

const answer = `data: {"choices":[{"delta":{"role":"assistant","content":""}}]}

: a comment
data: {"choices":[{"delta":{"content":"a"}}]}
data:{"choices":[{"text":"b"}],"usage":null}

data: {"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}
data: {"choices":[{"delta":{"content":null},"finish_reason":"stop"}]}
data: [DONE]
`

// each adds one line a second.
func each(t *Tokens, text string) {
	for i, line := range strings.SplitAfter(text, "\n") {
		t.Add([]byte(line), time.Unix(100+int64(i), 0))
	}
}

func TestTokensHaveTheirTimes(t *testing.T) {
	var told seen
	read := told.tokens()
	each(read, answer)
	if !slices.Equal(told.first, []time.Duration{3 * time.Second}) ||
		!slices.Equal(told.between, []time.Duration{time.Second, 2 * time.Second}) ||
		!slices.Equal(told.reasons, []string{"stop"}) {
		t.Errorf("told %v", told)
	}
	if mean, several := read.PerToken(); !several || mean != 1500*time.Millisecond || read.Usage() != nil || read.Chunks() != 3 {
		t.Errorf("%v a token, %v, %d", mean, read.Usage(), read.Chunks())
	}
}

func TestWhatTheServerTellsIsUsed(t *testing.T) {
	var told seen
	read := told.tokens()
	each(read, answer+`data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":7}}`+"\r\n")
	if used := read.Usage(); used == nil || *used != (Usage{9, 7}) || len(told.between) != 2 {
		t.Errorf("used %v", used)
	}
	if mean, several := read.PerToken(); !several || mean != 500*time.Millisecond {
		t.Errorf("%v a token", mean)
	}
}

// As with vLLM's continuous_usage_stats.
func TestAChunkOfSeveralTokensCountsByThem(t *testing.T) {
	var told seen
	read := told.tokens()
	for _, tokens := range []string{"1", "5", "5", "6"} {
		each(read, `data: {"choices":[{"text":"a"}],"usage":{"completion_tokens":`+tokens+"}}\n")
		read.last = time.Unix(96, 0)
	}
	want := []time.Duration{time.Second, 4 * time.Second, 4 * time.Second}
	if !slices.Equal(told.between, want) {
		t.Errorf("between %v", told.between)
	}
}

func TestNoMeanIsToldOfOneChunk(t *testing.T) {
	for _, text := range []string{"", `data: {"choices":[{"text":"a"}],"usage":{"completion_tokens":9}}` + "\n"} {
		read := new(seen).tokens()
		each(read, text)
		if mean, several := read.PerToken(); several {
			t.Errorf("%v a token", mean)
		}
	}
}

func TestEnds(t *testing.T) {
	half := `data: {"choices":[{"text":"a"}]}` + "\n\n"
	for _, c := range []struct {
		text string
		left bool
		end  string
	}{
		{answer, false, Done},
		// Clients close once they have read the last word.
		{answer, true, Done},
		{half, false, Broken},
		{half, true, Left},
		{"", false, Broken},
		{half + `data: {"error":{"message":"out of memory","code":500}}` + "\n\ndata: [DONE]\n\n", false, Failed},
		{half + `data: {"error":"gone"}` + "\n\n", true, Failed},
		{`data: {"object":"error","message":"no"}` + "\n", false, Failed},
		{"event: error\ndata: no\n\n", false, Failed},
		{`data: {"choices":[{"text":"a"}],"error":null}` + "\ndata: [DONE]\n", false, Done},
		{`data: {"choices":[{"delta":{},"finish_reason":"abort"}]}` + "\ndata: [DONE]\n", false, Failed},
		{`data: {"choices":[{"delta":{},"finish_reason":"error"}]}` + "\ndata: [DONE]\n", false, Failed},
		{`data: {"choices":[{"delta":{},"finish_reason":"length"}]}` + "\ndata:[DONE]\n", false, Done},
	} {
		read := new(seen).tokens()
		read.Add([]byte(c.text), time.Now())
		if end := read.End(c.left); end != c.end {
			t.Errorf("%q, left %v, ended as %s", c.text, c.left, end)
		}
	}
}

func TestAnErrorIsNoToken(t *testing.T) {
	var told seen
	read := told.tokens()
	each(read, `data: {"error":{"message":"no"}}`+"\n")
	if len(told.first) > 0 || read.Chunks() > 0 {
		t.Errorf("told %v", told)
	}
}

func TestEventsOfOtherAPIsAreTokens(t *testing.T) {
	read := new(seen).tokens()
	read.Add([]byte("data: {\"token\":{\"text\":\"a\"}}\n\ndata: {\"token\":{}}\n\ndata: broken\n\n"), time.Now())
	if read.Chunks() != 2 {
		t.Errorf("%d chunks", read.Chunks())
	}
}

func TestLongEventsAreSkippedAndOthersNot(t *testing.T) {
	read := new(seen).tokens()
	for range 5 {
		read.Add([]byte("data: {"+strings.Repeat("x", 20_000)), time.Now())
	}
	read.Add([]byte("\n"+answer), time.Now())
	if read.Chunks() != 3 {
		t.Errorf("%d chunks", read.Chunks())
	}
}

// However the bytes are cut.
func TestCutsDoNotMatter(t *testing.T) {
	property := func(cuts []byte) bool {
		var told seen
		read := told.tokens()
		rest := answer
		for _, cut := range cuts {
			n := min(int(cut), len(rest))
			read.Add([]byte(rest[:n]), time.Now())
			rest = rest[n:]
		}
		read.Add([]byte(rest), time.Now())
		return read.Chunks() == 3 && len(told.first) == 1 && len(told.reasons) == 1 && read.End(false) == Done
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte(answer))
	f.Add([]byte("data: {\"choices\":[{\"delta\":5}]}\n"))
	f.Add([]byte("event: error\ndata: {\"choices\":[{\"finish_reason\":\"abort\"}],\"usage\":{\"completion_tokens\":-1}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var told seen
		read := told.tokens()
		read.Add(data, time.Unix(100, 0))
		if len(told.first) > 1 || len(read.line) > most {
			t.Errorf("%d firsts, %d bytes", len(told.first), len(read.line))
		}
		if mean, _ := read.PerToken(); mean < 0 {
			t.Errorf("%v a token", mean)
		}
	})
}

// counts are the tokens and reasons that an observer has counted.
type counts struct {
	used    []Usage
	reasons []string
}

func (c *counts) Tokens(prompt, completion int) { c.used = append(c.used, Usage{prompt, completion}) }
func (c *counts) Finished(reason string)        { c.reasons = append(c.reasons, reason) }

func TestWhatWholeAnswersTell(t *testing.T) {
	const chat = "/v1/chat/completions"
	for name, c := range map[string]struct {
		path, answer string
		want         counts
	}{
		"an embedding":      {"/v1/embeddings", `{"usage":{"prompt_tokens":3}}`, counts{used: []Usage{{3, 0}}}},
		"a text":            {chat, `{"choices":[{"finish_reason":"length"},{"finish_reason":null}],"usage":{"completion_tokens":3}}`, counts{[]Usage{{0, 3}}, []string{"length"}}},
		"nothing":           {chat, "", counts{}},
		"no object":         {chat, "[1]", counts{}},
		"no usage":          {chat, `{"usage":7}`, counts{}},
		"neither":           {chat, `{}`, counts{}},
		"another API's":     {"/v2/models/fraud/infer", `{"usage":{"prompt_tokens":3}}`, counts{}},
		"with a path ahead": {"/openai/v1/completions", `{"usage":{"prompt_tokens":3}}`, counts{used: []Usage{{3, 0}}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got counts
			Observer{Counts: &got}.Observe(exchange.Exchange{Protocol: exchange.HTTP, Path: c.path, Response: []byte(c.answer)})
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("counted %v", got)
			}
		})
	}
}
