// Package shadow sends copies of requests to another revision, and compares its answers with the own ones.
//
// All of it comes after the own answer, so that no client waits for a shadow, in bounded memory and by a bounded
// number of connections: what is more is left out, and counted.
package shadow

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"evenkeel.dev/meter/internal/division"
	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/profile"
	"evenkeel.dev/meter/internal/watch"
)

const (
	// inFlight shadows are sent at a time, and waiting ones wait for their turn.
	inFlight = 64
	waiting  = 256
	// patience is how long a shadow may take, with its connection: the last bound of latencies.
	patience = time.Minute
)

// Reasons for which a request that was chosen makes no pair.
const (
	// Unreached: the other revision's meter has not been found at its address yet.
	Unreached = "unreached"
	// Busy: too many shadows wait already.
	Busy = "busy"
	// Budget: no memory is left for a copy.
	Budget = "budget"
	// TooLarge: the request or one of its answers has more bytes than are looked at.
	TooLarge = "too_large"
	// Stream: it is none of one message and one answer.
	Stream = "stream"
	// Protocol: the other revision has no address for it.
	Protocol = "protocol"
	// Unfinished: the request or its own answer was not whole, as when a client goes away.
	Unfinished = "unfinished"
	// TooSlow: the own answer took longer than a shadow may.
	TooSlow = "too_slow"
	// Shutdown: the meter ends.
	Shutdown = "shutdown"
)

// Options of shadows.
type Options struct {
	// Revision is the own one.
	Revision string
	// MaxBody is the size up to which bodies are copied and compared, in bytes.
	MaxBody int64
	// Budget is that of all bodies that are held for shadows.
	Budget *watch.Budget
	// Tolerance is the relative difference up to which numbers are the same.
	Tolerance float64
	// Profile is the model's, nil if there is none; it may itself be nil.
	Profile func() *profile.Profile
	// Patience is how long a shadow may take; 0: a minute.
	Patience time.Duration
}

// Own is a request and its own answer. Request and Response are borrowed, and whole.
type Own struct {
	To *division.Target
	// GRPC tells that it came to the port for gRPC, HTTP2 that it went on by HTTP/2.
	GRPC, HTTP2 bool
	Method      string
	URL         *url.URL
	Exchange    exchange.Exchange
	// Took is the time from the end of the request to the end of the answer.
	Took              time.Duration
	Request, Response *watch.Copy

	// held are the bytes of the headers, and what bears them.
	held   int
	budget *watch.Budget
}

// Shadows sends and compares.
type Shadows struct {
	Options
	ctx     context.Context
	stop    context.CancelFunc
	queue   chan Own
	workers sync.WaitGroup

	http1, http2 *http.Transport
	metrics      *metrics
	// reading: one pair of bodies is read at a time.
	reading  sync.Mutex
	comparer comparer
}

// New waits for requests, and registers metrics.
func New(options Options, registerer prometheus.Registerer) *Shadows {
	s := &Shadows{Options: options, queue: make(chan Own, waiting), metrics: newMetrics(registerer)}
	if s.Patience == 0 {
		s.Patience = patience
	}
	s.comparer.tolerance = s.Tolerance
	s.http1, s.http2 = transports()
	s.ctx, s.stop = context.WithCancel(context.Background())
	for range inFlight {
		s.workers.Go(s.work)
	}
	return s
}

// Use makes the counters of a division's mirror.
func (s *Shadows) Use(now *division.Division) {
	if now.Mirror != nil {
		s.metrics.use(now.Mirror.Revision)
	}
}

// Skip counts a request that was chosen and makes no pair.
func (s *Shadows) Skip(to *division.Target, reason string) { s.metrics.of(to).skip(reason) }

// Put hands over a request. It does not wait.
func (s *Shadows) Put(own Own) {
	if reason := s.put(own); reason != "" {
		s.Skip(own.To, reason)
	}
}

func (s *Shadows) put(own Own) string {
	switch {
	case s.ctx.Err() != nil:
		return Shutdown
	case own.To.Address(own.GRPC) == "":
		return Protocol
	case own.Took >= s.Patience:
		return TooSlow
	}
	if reason := own.hold(s.Budget, s.MaxBody); reason != "" {
		own.release()
		return reason
	}
	select {
	case s.queue <- own:
		return ""
	default:
		own.release()
		return Busy
	}
}

// hold has all that is kept for a shadow borne by a budget, or tells why it cannot be.
func (o *Own) hold(budget *watch.Budget, limit int64) string {
	request, response := o.Request, o.Response
	o.budget, o.Request, o.Response = budget, watch.NewCopy(budget, limit), watch.NewCopy(budget, limit)
	size := len(o.URL.Path) + len(o.URL.RawPath) + len(o.URL.RawQuery)
	for _, header := range []http.Header{o.Exchange.RequestHeader, o.Exchange.ResponseHeader} {
		for name, values := range header {
			size += len(name)
			for _, value := range values {
				size += len(value)
			}
		}
	}
	if !budget.Take(size) {
		return Budget
	}
	o.held = size
	for from, to := range map[*watch.Copy]*watch.Copy{request: o.Request, response: o.Response} {
		content, _ := from.Bytes()
		to.Adopt(content)
		if _, lost := to.Bytes(); lost != "" {
			return lostFor(lost)
		}
	}
	return ""
}

// lostFor is the reason for which a body is not there.
func lostFor(lost string) string {
	if lost == watch.TooLarge {
		return TooLarge
	}
	return Budget
}

func (o *Own) release() {
	o.Request.Release()
	o.Response.Release()
	o.budget.Give(o.held)
}

// Close gives up what is on its way or waits.
func (s *Shadows) Close() {
	s.stop()
	s.workers.Wait()
	for {
		select {
		case own := <-s.queue:
			own.release()
			s.Skip(own.To, Shutdown)
		default:
			s.http1.CloseIdleConnections()
			s.http2.CloseIdleConnections()
			return
		}
	}
}

func (s *Shadows) work() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case own := <-s.queue:
			s.pair(own)
		}
	}
}

// pair asks the other revision, and counts what came of it.
func (s *Shadows) pair(own Own) {
	counts := s.metrics.of(own.To)
	reason := Unfinished
	defer func() {
		// Bodies are somebody else's: one that a reader fails on must not end the process that requests go through.
		if failure := recover(); failure != nil {
			slog.Error("a pair was not counted", "failure", failure, "path", own.Exchange.Path)
		}
		own.release()
		if reason != "" {
			counts.skip(reason)
		}
	}()
	if reason = s.unary(own); reason != "" {
		return
	}
	answer, lost := s.ask(own)
	defer answer.body.Release()
	if reason = lost; reason != "" {
		return
	}
	mine := outcome{failed: exchange.Failed(own.Exchange.Protocol, own.Exchange.Code), took: own.Took}
	counts.pair(mine, answer.outcome)
	if compared, differ := s.compare(own, answer); compared {
		counts.compared(differ)
	}
}

// unary tells why a call of gRPC cannot be sent again: it is none of one message and one answer.
func (s *Shadows) unary(own Own) string {
	if own.Exchange.Protocol != exchange.GRPC {
		return ""
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	passed := watch.Passed{Exchange: own.Exchange, Request: own.Request, Response: own.Response}
	if exchanges, err := watch.Exchanges(passed, s.MaxBody); err != nil || len(exchanges) != 1 {
		return Stream
	}
	return ""
}

// compare reads both answers.
func (s *Shadows) compare(own Own, answer answer) (compared, differ bool) {
	theirs := own.Exchange
	theirs.Code, theirs.ResponseHeader = answer.code, answer.header
	if !own.Exchange.Succeeded() || !theirs.Succeeded() {
		return false, false
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	mine, err := watch.Answer(own.Exchange, own.Response, s.MaxBody)
	if err != nil {
		return false, false
	}
	var known *profile.Profile
	if s.Profile != nil {
		known = s.Profile()
	}
	// What cannot be decoded cannot be read either.
	theirs, _ = watch.Answer(theirs, answer.body, s.MaxBody)
	return s.comparer.compare(mine, theirs, known)
}
