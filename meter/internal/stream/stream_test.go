package stream

import (
	"strings"
	"testing"
	"testing/quick"
	"time"
)

func tokens(first, between *[]time.Duration) *Tokens {
	return &Tokens{
		Began:   time.Unix(100, 0),
		First:   func(d time.Duration) { *first = append(*first, d) },
		Between: func(d time.Duration) { *between = append(*between, d) },
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

func TestTokensHaveTheirTimes(t *testing.T) {
	var first, between []time.Duration
	read := tokens(&first, &between)
	for i, line := range strings.SplitAfter(answer, "\n") {
		read.Add([]byte(line), time.Unix(100+int64(i), 0))
	}
	if len(first) != 1 || first[0] != 3*time.Second || len(between) != 2 || between[0] != time.Second || between[1] != 2*time.Second {
		t.Errorf("first %v, between %v", first, between)
	}
	if used := read.Usage(); used != (Usage{Completion: 3}) {
		t.Errorf("used %v", used)
	}
}

func TestWhatTheServerTellsIsUsed(t *testing.T) {
	var first, between []time.Duration
	read := tokens(&first, &between)
	read.Add([]byte(answer+`data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4}}`+"\r\n"), time.Now())
	if used := read.Usage(); used != (Usage{9, 4}) || len(between) != 2 {
		t.Errorf("used %v", used)
	}
}

func TestEventsOfOtherAPIsAreTokens(t *testing.T) {
	var first, between []time.Duration
	read := tokens(&first, &between)
	read.Add([]byte("data: {\"token\":{\"text\":\"a\"}}\n\ndata: {\"token\":{}}\n\ndata: broken\n\n"), time.Now())
	if read.Usage().Completion != 2 {
		t.Errorf("used %v", read.Usage())
	}
}

func TestLongEventsAreSkippedAndOthersNot(t *testing.T) {
	var first, between []time.Duration
	read := tokens(&first, &between)
	for range 5 {
		read.Add([]byte("data: {"+strings.Repeat("x", 20_000)), time.Now())
	}
	read.Add([]byte("\n"+answer), time.Now())
	if read.Usage().Completion != 3 {
		t.Errorf("used %v", read.Usage())
	}
}

// However the bytes are cut.
func TestCutsDoNotMatter(t *testing.T) {
	property := func(cuts []byte) bool {
		var first, between []time.Duration
		read := tokens(&first, &between)
		rest := answer
		for _, cut := range cuts {
			n := min(int(cut), len(rest))
			read.Add([]byte(rest[:n]), time.Now())
			rest = rest[n:]
		}
		read.Add([]byte(rest), time.Now())
		return read.Usage().Completion == 3 && len(first) == 1
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte(answer))
	f.Add([]byte("data: {\"choices\":[{\"delta\":5}]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, between []time.Duration
		read := tokens(&first, &between)
		read.Add(data, time.Now())
		if len(first) > 1 || len(read.line) > most {
			t.Errorf("%d firsts, %d bytes", len(first), len(read.line))
		}
	})
}

func TestUsageOfAnswers(t *testing.T) {
	if used := UsageOf([]byte(`{"usage":{"prompt_tokens":3}}`)); used == nil || used.Prompt != 3 {
		t.Errorf("used %v", used)
	}
	for _, none := range []string{"", "[1]", `{"usage":7}`, `{}`} {
		if used := UsageOf([]byte(none)); used != nil {
			t.Errorf("%q used %v", none, used)
		}
	}
}
