package proxy

import (
	"net/http"
	"time"

	"evenkeel.dev/meter/internal/stream"
)

// tokens counts those of a streamed answer as they pass.
func (c *call) tokens() *stream.Tokens {
	m := c.proxy.Metrics
	return &stream.Tokens{
		Began:    c.began,
		First:    func(d time.Duration) { m.FirstToken.Observe(d.Seconds()) },
		Between:  func(d time.Duration) { m.BetweenTokens.Observe(d.Seconds()) },
		Finished: m.Finished,
	}
}

// streamed counts what only the end of a streamed answer tells.
func (c *call) streamed(tokens *stream.Tokens) {
	m := c.proxy.Metrics
	usage := tokens.Usage()
	if usage != nil {
		m.Tokens(usage.Prompt, usage.Completion)
	}
	m.Chunks(tokens.Chunks(), usage != nil)
	if mean, several := tokens.PerToken(); several {
		m.PerToken.Observe(mean.Seconds())
	}
	// Streams of other APIs say in other ways that they are complete.
	if c.code == http.StatusOK && stream.Generates(c.in.URL.Path) {
		m.Streamed(tokens.End(c.in.Context().Err() != nil))
	}
}
