package watch

import (
	"errors"
	"net/http"
	"sync"

	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/exchange"
)

// waiting is how many exchanges may wait to be looked at.
const waiting = 256

// Passed is a request and its answer as they have passed, encoded and framed.
type Passed struct {
	Exchange          exchange.Exchange
	Request, Response *Copy
}

// Queue hands exchanges over to an observer, one after the other. The zero value is of no use.
type Queue struct {
	observer  exchange.Observer
	uncounted func(result string)
	limit     int64
	queue     chan Passed
	done      chan struct{}

	mu     sync.RWMutex
	closed bool
}

// NewQueue begins to hand over to the observer. uncounted is told of those that the observer does not get:
// skipped, too_large or unreadable; it may be called by several goroutines. limit: of decoded bodies, in bytes.
func NewQueue(observer exchange.Observer, uncounted func(result string), limit int64) *Queue {
	q := &Queue{
		observer: observer, uncounted: uncounted, limit: limit,
		queue: make(chan Passed, waiting), done: make(chan struct{}),
	}
	go q.run()
	return q
}

// Put hands over an exchange, and its copies with it. It does not wait.
func (q *Queue) Put(passed Passed) {
	if !q.put(passed) {
		q.drop(passed, Skipped)
	}
}

func (q *Queue) put(passed Passed) bool {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if q.closed {
		return false
	}
	select {
	case q.queue <- passed:
		return true
	default:
		return false
	}
}

// Close returns when all that has been put is looked at. What is put later is not.
func (q *Queue) Close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	close(q.queue)
	<-q.done
}

func (q *Queue) run() {
	defer close(q.done)
	for passed := range q.queue {
		q.look(passed)
	}
}

func (q *Queue) drop(passed Passed, result string) {
	passed.Request.Release()
	passed.Response.Release()
	q.uncounted(result)
}

func (q *Queue) look(passed Passed) {
	exchanges, result := q.read(passed)
	// A body that breaks the observer must not take requests with it.
	defer func() {
		if recover() != nil {
			result = "unreadable"
		}
		passed.Request.Release()
		passed.Response.Release()
		if result != "" {
			q.uncounted(result)
		}
	}()
	for _, one := range exchanges {
		q.observer.Observe(one)
	}
}

// read gives the exchanges, or why there are none.
func (q *Queue) read(passed Passed) ([]exchange.Exchange, string) {
	for _, body := range []*Copy{passed.Request, passed.Response} {
		if _, lost := body.Bytes(); lost != "" {
			return nil, lost
		}
	}
	exchanges, err := Exchanges(passed, q.limit)
	switch {
	case errors.Is(err, bodies.ErrTooLarge):
		return nil, TooLarge
	case errors.Is(err, bodies.ErrUnknown):
		return nil, "unknown"
	case err != nil:
		return nil, "unreadable"
	case len(exchanges) == 0:
		return nil, Skipped
	}
	return exchanges, ""
}

// Exchanges decodes the copies, up to a number of bytes each. Of a gRPC stream there is one for each message
// that has an answer; streams in which requests and answers do not pair have none.
func Exchanges(passed Passed, limit int64) ([]exchange.Exchange, error) {
	request, _ := passed.Request.Bytes()
	response, _ := passed.Response.Bytes()
	one := passed.Exchange
	if one.Protocol == exchange.HTTP {
		var err error
		if one.Request, err = bodies.Plain(contentEncoding(one.RequestHeader), request, limit); err != nil {
			return nil, err
		}
		one.Response, err = bodies.Plain(contentEncoding(one.ResponseHeader), response, limit)
		return []exchange.Exchange{one}, err
	}
	asked, err := messages(request, one.RequestHeader.Get("Grpc-Encoding"), limit)
	if err != nil {
		return nil, err
	}
	answered, err := messages(response, one.ResponseHeader.Get("Grpc-Encoding"), limit)
	if err != nil {
		return nil, err
	}
	if len(answered) == 0 {
		answered = make([][]byte, len(asked))
	}
	if len(asked) != len(answered) {
		return nil, nil
	}
	var exchanges []exchange.Exchange
	for i := range asked {
		one.Request, one.Response = asked[i], answered[i]
		exchanges = append(exchanges, one)
	}
	return exchanges, nil
}

// Answer decodes the copy of an answer alone, up to a number of bytes. Of gRPC it must be one message.
func Answer(one exchange.Exchange, response *Copy, limit int64) (exchange.Exchange, error) {
	content, _ := response.Bytes()
	var err error
	if one.Protocol == exchange.HTTP {
		one.Response, err = bodies.Plain(contentEncoding(one.ResponseHeader), content, limit)
		return one, err
	}
	answered, err := messages(content, one.ResponseHeader.Get("Grpc-Encoding"), limit)
	if err == nil && len(answered) != 1 {
		err = errFrames
	}
	if err == nil {
		one.Response = answered[0]
	}
	return one, err
}

func contentEncoding(header http.Header) string { return header.Get("Content-Encoding") }
