package stream

import (
	"strings"

	"evenkeel.dev/meter/internal/exchange"
)

// TellsUsage tells whether answers at a path of OpenAI's API say how many tokens were used.
func TellsUsage(path string) bool {
	return strings.HasSuffix(path, "/completions") || strings.HasSuffix(path, "/embeddings")
}

// Observer counts the tokens that answers tell, and hands them on. Next is nil if there is nobody.
type Observer struct {
	Count func(prompt, completion int)
	Next  exchange.Observer
}

// Observe looks at one that was not streamed.
func (o Observer) Observe(e exchange.Exchange) {
	if e.Protocol == exchange.HTTP && TellsUsage(e.Path) {
		if usage := UsageOf(e.Response); usage != nil {
			o.Count(usage.Prompt, usage.Completion)
		}
	}
	if o.Next != nil {
		o.Next.Observe(e)
	}
}
