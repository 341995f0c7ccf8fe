package proxy

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

var dialer = net.Dialer{Timeout: 30 * time.Second}

// http1 speaks HTTP/1.1.
func http1() *http.Transport {
	return &http.Transport{
		DialContext:           dial,
		DisableCompression:    true,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       idle,
		MaxIdleConnsPerHost:   1024,
		WriteBufferSize:       writeBuffer,
	}
}

// http2 speaks HTTP/2 without TLS.
func http2() *http.Transport {
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	return &http.Transport{
		DialContext:        dial,
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

// send sends a request again for as long as nothing of it was written to a connection that was kept. http.Transport
// does so itself, but not if it is its reader who learns first that the model server has closed the connection.
func send(by *http.Transport, r *http.Request) (*http.Response, error) {
	var used *connection
	var before int64
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) {
			if used, _ = got.Conn.(*connection); used == nil || !got.Reused {
				used = nil
				return
			}
			before = used.written.Load()
			used.kept.Store(true)
		},
	}))
	for {
		used = nil
		answer, err := by.RoundTrip(r)
		if err == nil || used == nil || used.written.Load() != before || !callOf(r).rewind(r) {
			return answer, err
		}
	}
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

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	made, err := dialer.DialContext(ctx, network, address)
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
