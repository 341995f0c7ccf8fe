package shadow

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"evenkeel.dev/meter/internal/division"
	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/upstream"
	"evenkeel.dev/meter/internal/watch"
)

const (
	// connecting is how long a connection may take.
	connecting = 5 * time.Second
	// headerBytes bound the header of an answer, and the trailer.
	headerBytes = 64 << 10
	// streamBytes and connectionBytes are what HTTP/2 buffers of answers that come faster than they are read.
	streamBytes     = 64 << 10
	connectionBytes = 1 << 20
	// readBytes are read at a time.
	readBytes = 8 << 10
)

// Codes of what has no answer of its own.
const (
	noAnswer = http.StatusBadGateway
	noStatus = 14
)

// transports are those of shadows alone, so that what they do to connections harms no others.
func transports() (http1, http2 *http.Transport) {
	http1, http2 = upstream.HTTP1(connecting), upstream.HTTP2(connecting)
	http1.MaxIdleConnsPerHost = inFlight
	http2.HTTP2.MaxReceiveBufferPerStream, http2.HTTP2.MaxReceiveBufferPerConnection = streamBytes, connectionBytes
	for _, one := range []*http.Transport{http1, http2} {
		one.MaxResponseHeaderBytes = headerBytes
	}
	return http1, http2
}

// answer is the other revision's. The body is released by whoever asked.
type answer struct {
	outcome
	code   int
	header http.Header
	body   *watch.Copy
}

// ask sends a copy of a request. The reason tells why there is no outcome, if there is none.
func (s *Shadows) ask(own Own) (found answer, reason string) {
	ctx, cancel := context.WithTimeout(s.ctx, s.Patience)
	defer cancel()
	var sent atomic.Int64
	began := time.Now()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { sent.Store(int64(time.Since(began))) },
	})
	found = answer{code: noAnswer, body: watch.NewCopy(s.Budget, s.MaxBody)}
	if own.Exchange.Protocol == exchange.GRPC {
		found.code = noStatus
	}
	err := s.receive(s.request(ctx, own), own, &found)
	found.took = max(0, time.Since(began)-time.Duration(sent.Load()))
	if _, lost := found.body.Bytes(); lost != "" {
		return found, lostFor(lost)
	}
	switch {
	case s.ctx.Err() != nil:
		return found, Shutdown
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		found.failed, found.late, found.took = true, true, s.Patience
	default:
		found.failed = err != nil || exchange.Failed(own.Exchange.Protocol, found.code)
	}
	return found, ""
}

// receive gives the whole answer, or as much of it as there is memory for.
func (s *Shadows) receive(r *http.Request, own Own, into *answer) error {
	by := s.http1
	if own.HTTP2 {
		by = s.http2
	}
	response, err := upstream.Send(by, r, func(r *http.Request) bool {
		body, err := r.GetBody()
		r.Body = body
		return err == nil && r.Context().Err() == nil
	})
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusSwitchingProtocols {
		return errors.New("nobody has asked for another protocol")
	}
	if err := keep(response.Body, into.body); err != nil {
		return err
	}
	into.header, into.code = response.Header, response.StatusCode
	if own.Exchange.Protocol == exchange.GRPC {
		into.code = noStatus
		for _, header := range []http.Header{response.Trailer, response.Header} {
			if code := exchange.Status(header); code >= 0 {
				into.code = code
				break
			}
		}
	}
	return nil
}

var buffers = sync.Pool{New: func() any { return new([readBytes]byte) }}

// keep reads a body to its end, or until there is no room for more.
func keep(body io.Reader, into *watch.Copy) error {
	buffer := buffers.Get().(*[readBytes]byte)
	defer buffers.Put(buffer)
	for {
		n, err := body.Read(buffer[:])
		into.Add(buffer[:n])
		if _, lost := into.Bytes(); err == io.EOF || lost != "" {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// request is a copy, of which the other revision is told that it is one.
func (s *Shadows) request(ctx context.Context, own Own) *http.Request {
	content, _ := own.Request.Bytes()
	body := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	target := *own.In.URL
	target.Scheme, target.Host = "http", own.To.Address(own.GRPC)
	r := (&http.Request{
		Method: own.In.Method, URL: &target, Host: target.Host, Header: own.In.Header.Clone(),
		ContentLength: int64(len(content)), GetBody: body,
	}).WithContext(ctx)
	r.Body, _ = body()
	if len(content) == 0 {
		r.Body, r.GetBody = http.NoBody, func() (io.ReadCloser, error) { return http.NoBody, nil }
	}
	endToEnd(r.Header)
	if own.Exchange.Protocol == exchange.GRPC {
		r.Header.Set("Te", "trailers")
		r.ContentLength = -1
	}
	r.Header.Set(division.ShadowHeader, s.Revision)
	return r
}

// endToEnd takes away what is about a connection (RFC 9110, 7.6.1), and what only makes sense to who waits.
func endToEnd(header http.Header) {
	for _, line := range header["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			header.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range []string{
		"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Expect", "Content-Length",
	} {
		header.Del(name)
	}
}
