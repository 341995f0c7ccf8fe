// Package upstream sends requests to those who answer them, by HTTP/1.1 and HTTP/2 without TLS.
package upstream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"syscall"
	"time"
)

// idle is how long connections to the model server are kept: less than any model server keeps them (gunicorn
// two seconds, uvicorn five), so that it is not the one that closes them just when they are used again.
const idle = time.Second

// writeBuffer holds a request with most bodies, so that it goes out in one piece.
const writeBuffer = 16 << 10

const (
	streamBuffer     = 256 << 10
	connectionBuffer = 16 << 20
)

var errStale = errors.New("the model server has closed the connection")

// Unsent is an error before which nothing of the request was written.
type Unsent struct{ error }

// Unwrap gives the error itself.
func (u Unsent) Unwrap() error { return u.error }

// HTTP1 speaks HTTP/1.1. patience is how long it waits for a connection.
func HTTP1(patience time.Duration) *http.Transport {
	return &http.Transport{
		DialContext:           dialer(patience),
		DisableCompression:    true,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       idle,
		MaxIdleConnsPerHost:   1024,
		WriteBufferSize:       writeBuffer,
	}
}

// HTTP2 speaks HTTP/2 without TLS. patience is how long it waits for a connection.
func HTTP2(patience time.Duration) *http.Transport {
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	return &http.Transport{
		DialContext:        dialer(patience),
		DisableCompression: true,
		IdleConnTimeout:    idle,
		Protocols:          protocols,
		HTTP2:              Limits(),
	}
}

// Limits of what HTTP/2 buffers where one side is slower than the other, on both sides.
func Limits() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxReceiveBufferPerStream: streamBuffer, MaxReceiveBufferPerConnection: connectionBuffer,
	}
}

// Send sends a request, and again for as long as nothing of it was written to a connection that was kept.
// http.Transport does so itself, but not if it is its reader who learns first that the model server has closed the
// connection. again has the request's body begin anew, false if that makes no sense. The error is Unsent if nothing
// was written.
func Send(by *http.Transport, r *http.Request, again func(*http.Request) bool) (*http.Response, error) {
	var got, reused bool
	var used *connection
	var before int64
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			got, reused = true, info.Reused
			if used, _ = info.Conn.(*connection); used != nil {
				before = used.written.Load()
				used.kept.Store(reused)
			}
		},
	}))
	for {
		got, used = false, nil
		answer, err := by.RoundTrip(r)
		if err == nil {
			return answer, nil
		}
		if got && (used == nil || used.written.Load() != before) {
			return nil, err
		}
		if !got || !reused || !again(r) {
			return nil, Unsent{err}
		}
	}
}

// connection refuses to write to a model server that has closed it since its last request. One that closes it in the
// midst of a request may have answered before: http.Transport reads no answer after a write that fails, so that the
// rest of the request is taken and dropped. If there is no answer, reading tells.
//
// http.Transport sends any request again of which nothing was written, but no POST of which something was: a
// model may have got it. It learns of the end in a goroutine of its own, which may be late; the kernel knows.
// It is what the MySQL driver of Go does before its first write.
type connection struct {
	net.Conn
	raw syscall.RawConn
	// kept: nothing was written since it was taken for another request.
	kept atomic.Bool
	// written are the bytes so far.
	written atomic.Int64
}

func dialer(patience time.Duration) func(ctx context.Context, network, address string) (net.Conn, error) {
	by := net.Dialer{Timeout: patience}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		made, err := by.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if owner, ok := made.(syscall.Conn); ok {
			if raw, err := owner.SyscallConn(); err == nil {
				return &connection{Conn: made, raw: raw}, nil
			}
		}
		return made, nil
	}
}

func (c *connection) Write(p []byte) (int, error) {
	first := c.kept.Swap(false)
	if first && c.ended() {
		return 0, errStale
	}
	n, err := c.Conn.Write(p)
	if gone := errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET); gone && (n > 0 || !first) {
		n, err = len(p), nil
	}
	c.written.Add(int64(n))
	return n, err
}

// ended looks without taking anything away, and beside the reader who waits.
func (c *connection) ended() bool {
	var n int
	var err error
	var one [1]byte
	if c.raw.Control(func(fd uintptr) {
		n, _, err = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	}) != nil {
		return true
	}
	return n == 0 && err == nil || errors.Is(err, syscall.ECONNRESET)
}
