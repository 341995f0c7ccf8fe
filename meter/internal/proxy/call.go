package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"evenkeel.dev/meter/internal/division"
	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/stream"
	"evenkeel.dev/meter/internal/watch"
)

// clientClosed is the code, as nginx has it, of requests whose client went away before the answer.
const clientClosed = 499

// call is one request on its way.
type call struct {
	proxy    *Proxy
	began    time.Time
	protocol string
	counted  bool
	// away answers the request in place of the own model server; shadow gets a copy. Both are nil for most.
	away, shadow *division.Target
	// sent is when the request was written, in nanoseconds after it began; only where there is a shadow.
	sent atomic.Int64
	in   *http.Request
	w    http.ResponseWriter

	// whole is the request's body, nil unless all of it was here.
	whole  []byte
	body   *spool
	answer *answer
	header http.Header
	code   int
}

type callKey struct{}

func callOf(r *http.Request) *call { return r.Context().Value(callKey{}).(*call) }

// looked tells whether somebody looks at the bodies.
func (c *call) looked() bool { return c.counted && c.proxy.Looked }

// keeps tells whether bodies are kept to their end.
func (c *call) keeps() bool { return c.looked() || c.shadow != nil }

func (c *call) begin() {
	if c.counted {
		c.proxy.Metrics.InFlight.Inc()
	}
}

// spool keeps a request's body as it is sent.
func (c *call) spool(out *http.Request) {
	limit := int64(replayBytes)
	if c.keeps() {
		limit = max(limit, c.proxy.MaxBody)
	}
	kept := watch.NewCopy(c.proxy.Budget, limit)
	if c.whole != nil {
		c.body = newWhole(c.whole, kept)
	} else {
		c.body = newSpool(out.Body, kept)
	}
	out.GetBody = c.body.open
	// It cannot fail before anything was read.
	out.Body, _ = c.body.open()
}

// rewind lets a request be sent from its beginning, false if that makes no sense.
func (c *call) rewind(r *http.Request) bool {
	if r.Context().Err() != nil {
		return false
	}
	if c.body == nil {
		return true
	}
	if _, broken := c.body.ended(); broken != nil {
		return false
	}
	body, err := c.body.open()
	r.Body = body
	return err == nil
}

// answered looks at an answer before its header is sent.
func answered(response *http.Response) error {
	c := callOf(response.Request)
	c.code, c.header = response.StatusCode, response.Header
	c.tell(response.Header)
	if response.Header.Get("Content-Type") == "" {
		// Else net/http's server would guess one.
		c.w.Header()["Content-Type"] = nil
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	if c.early() {
		c.duplex(response.Header)
	} else if c.proxy.leaving(c.in) {
		response.Header.Set("Connection", "close")
	}
	c.answer = &answer{ReadCloser: response.Body, call: c, response: response}
	response.Body = c.answer
	if c.protocol == exchange.GRPC {
		c.code = exchange.Status(response.Header)
		if c.code >= 0 {
			// The header says all. As it were of unknown length it might be sent before that is known,
			// and no trailers would follow.
			response.ContentLength = 0
		}
	}
	switch {
	case !c.counted:
	case isEventStream(response.Header) && response.Header.Get("Content-Encoding") == "":
		c.answer.tokens = &stream.Tokens{
			Began:   c.began,
			First:   func(d time.Duration) { c.proxy.Metrics.FirstToken.Observe(d.Seconds()) },
			Between: func(d time.Duration) { c.proxy.Metrics.BetweenTokens.Observe(d.Seconds()) },
		}
	case c.keeps() || stream.TellsUsage(c.in.URL.Path):
		c.answer.kept = watch.NewCopy(c.proxy.Budget, c.proxy.MaxBody)
		c.sign(response)
	}
	if c.body != nil && !c.keeps() {
		c.body.take().Release()
	}
	return nil
}

// early tells whether the answer has come before the request's end, in HTTP/1.
func (c *call) early() bool {
	if c.body == nil || c.in.ProtoMajor != 1 {
		return false
	}
	ended, _ := c.body.ended()
	return !ended
}

// duplex lets an answer come and end before the request has ended: net/http's server would read the rest before,
// for which the client may wait. The connection has no other request, as that server may still read the rest of
// this one when it begins with the next (golang/go#68560).
func (c *call) duplex(header http.Header) {
	if http.NewResponseController(c.w).EnableFullDuplex() == nil {
		header.Set("Connection", "close")
	}
}

// failed tells a client that there is no answer.
func failed(w http.ResponseWriter, out *http.Request, err error) {
	c := callOf(out)
	c.code, c.header = c.failure(out.Context(), err), w.Header()
	told := fmt.Sprintf("the model server did not answer: %v", err)
	c.tell(w.Header())
	if c.proxy.leaving(c.in) {
		w.Header().Set("Connection", "close")
	}
	if c.protocol == exchange.GRPC {
		c.code = c.lost(out.Context())
		w.Header().Set("Content-Type", "application/grpc")
		setStatus(w.Header(), c.code, told)
		w.WriteHeader(http.StatusOK)
		return
	}
	if c.code == http.StatusBadRequest {
		told = fmt.Sprintf("the request is broken: %v", err)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(c.code)
	_, _ = io.WriteString(w, told+"\n")
}

// failure is the code of a request without an answer.
func (c *call) failure(ctx context.Context, err error) int {
	if ctx.Err() != nil {
		return clientClosed
	}
	if c.body != nil {
		if _, broken := c.body.ended(); broken != nil {
			if errors.Is(broken, io.ErrUnexpectedEOF) {
				return clientClosed
			}
			return http.StatusBadRequest
		}
	}
	return http.StatusBadGateway
}

// end counts, and hands over what was kept. It also runs when the answer broke off.
func (c *call) end() {
	if c.counted {
		c.count()
		return
	}
	c.requestCopy().Release()
	if c.away != nil {
		c.proxy.Division.Count(c.away, c.passed())
	}
}

func (c *call) count() {
	m := c.proxy.Metrics
	m.InFlight.Dec()
	code := c.outcome()
	m.Answered(c.protocol, code, time.Since(c.began))
	request, response := c.requestCopy(), watch.NewCopy(c.proxy.Budget, 0)
	switch {
	case c.answer != nil && c.answer.tokens != nil:
		usage := c.answer.tokens.Usage()
		m.Tokens(usage.Prompt, usage.Completion)
		response.Release()
	case c.answer != nil && c.answer.kept != nil:
		response = c.answer.kept
	}
	if c.shadow != nil {
		c.mirror(code, request, response)
	}
	if !c.looked() {
		request.Release()
		if !stream.TellsUsage(c.in.URL.Path) {
			response.Release()
			return
		}
		request = watch.NewCopy(c.proxy.Budget, 0)
	}
	c.proxy.Queue.Put(watch.Passed{Exchange: c.exchange(code), Request: request, Response: response})
}

// requestCopy is the request's body as far as it was kept; an empty one where there was none.
func (c *call) requestCopy() *watch.Copy {
	if c.body == nil {
		return watch.NewCopy(c.proxy.Budget, 0)
	}
	kept := c.body.take()
	if ended, _ := c.body.ended(); !ended {
		kept.Release()
	}
	return kept
}

// outcome is the code that the request is counted with.
func (c *call) outcome() int {
	switch {
	case c.answer != nil && c.protocol == exchange.GRPC:
		return c.answer.status(c.in.Context())
	case c.answer != nil && c.answer.broken != nil:
		return http.StatusBadGateway
	case c.code == 0:
		return clientClosed
	}
	return c.code
}

func (c *call) exchange(code int) exchange.Exchange {
	return exchange.Exchange{
		Protocol: c.protocol, Path: c.in.URL.Path, Code: code,
		RequestHeader: c.in.Header, ResponseHeader: c.header, Began: c.began,
	}
}
