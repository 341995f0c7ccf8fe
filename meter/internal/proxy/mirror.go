package proxy

import (
	"net/http"
	"net/http/httptrace"
	"time"

	"evenkeel.dev/meter/internal/shadow"
	"evenkeel.dev/meter/internal/watch"
)

// timed notes when a request that has a shadow was written.
func (c *call) timed(r *http.Request) *http.Request {
	if c.shadow == nil {
		return r
	}
	return r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { c.sent.Store(int64(time.Since(c.began))) },
	}))
}

// mirror hands a request over to those who send its copy, with its own answer, once that is over.
func (c *call) mirror(code int, request, response *watch.Copy) {
	if reason := c.unfit(code, request, response); reason != "" {
		c.proxy.Shadows.Skip(c.shadow, reason)
		return
	}
	own := shadow.Own{
		To: c.shadow, GRPC: c.proxy.grpc, HTTP2: c.http2(), In: c.in,
		Exchange: c.exchange(code), Request: request, Response: response,
	}
	if c.answer != nil && !c.answer.whole.IsZero() {
		own.Took = max(0, c.answer.whole.Sub(c.began)-time.Duration(c.sent.Load()))
	}
	c.proxy.Shadows.Put(own)
}

// unfit is the reason for which a request makes no pair; "" if it does.
func (c *call) unfit(code int, request, response *watch.Copy) string {
	whole := c.answer != nil && !c.answer.whole.IsZero()
	broken := c.answer != nil && c.answer.broken != nil
	switch {
	case code == http.StatusSwitchingProtocols, c.header != nil && isEventStream(c.header):
		return shadow.Stream
	case !whole && !broken && (c.answer != nil || c.in.Context().Err() != nil || code == clientClosed):
		return shadow.Unfinished
	}
	if c.body != nil {
		if ended, _ := c.body.ended(); !ended {
			return shadow.Unfinished
		}
	}
	for _, one := range []*watch.Copy{request, response} {
		switch _, lost := one.Bytes(); lost {
		case watch.TooLarge:
			return shadow.TooLarge
		case watch.Skipped:
			return shadow.Budget
		}
	}
	return ""
}
