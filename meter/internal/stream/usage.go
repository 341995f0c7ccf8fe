package stream

import (
	"encoding/json"
	"strings"

	"evenkeel.dev/meter/internal/exchange"
)

// Usage are numbers of tokens.
type Usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
}

// TellsUsage tells whether answers at a path of OpenAI's API say how many tokens were used.
func TellsUsage(path string) bool {
	return Generates(path) || strings.HasSuffix(path, "/embeddings")
}

// Generates tells whether answers at a path of OpenAI's API are texts, which end with [DONE] if they are streamed.
func Generates(path string) bool { return strings.HasSuffix(path, "/completions") }

// Counts takes what answers tell.
type Counts interface {
	// Tokens that were used.
	Tokens(prompt, completion int)
	// Finished is why one of an answer's choices ends.
	Finished(reason string)
}

// Observer counts what answers tell, and hands them on. Next is nil if there is nobody.
type Observer struct {
	Counts Counts
	Next   exchange.Observer
}

// Observe looks at one that was not streamed.
func (o Observer) Observe(e exchange.Exchange) {
	if e.Protocol == exchange.HTTP && TellsUsage(e.Path) {
		o.count(e.Response)
	}
	if o.Next != nil {
		o.Next.Observe(e)
	}
}

func (o Observer) count(answer []byte) {
	var read struct {
		Usage   *Usage   `json:"usage"`
		Choices []choice `json:"choices"`
	}
	if json.Unmarshal(answer, &read) != nil {
		return
	}
	if read.Usage != nil {
		o.Counts.Tokens(read.Usage.Prompt, read.Usage.Completion)
	}
	for _, one := range read.Choices {
		if one.Reason != "" {
			o.Counts.Finished(one.Reason)
		}
	}
}
