package proxy

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
)

// Arrivals accepts connections that know how much of a request's body is here already.
//
// http.Transport sends a request in one piece only if it has the whole body: header and body would else wake the
// model server twice. Nobody waits for that: a body that is still on its way follows its header as it comes.
type Arrivals struct{ net.Listener }

// Accept waits for a connection.
func (l Arrivals) Accept() (net.Conn, error) {
	made, err := l.Listener.Accept()
	if tcp, ok := made.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			return &arriving{TCPConn: tcp, raw: raw}, nil
		}
	}
	return made, err
}

type arrivingKey struct{}

// ConnContext is that of a server on Arrivals.
func ConnContext(ctx context.Context, connection net.Conn) context.Context {
	return context.WithValue(ctx, arrivingKey{}, connection)
}

var headerEnd = []byte("\r\n\r\n")

// arriving is a client's connection.
type arriving struct {
	*net.TCPConn
	raw syscall.RawConn
	// behind is what was read behind the end of a header, in bytes.
	behind atomic.Int64
}

func (c *arriving) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	behind := 0
	if end := bytes.Index(p[:n], headerEnd); end >= 0 {
		behind = n - end - len(headerEnd)
	}
	c.behind.Store(int64(behind))
	return n, err
}

// waits tells whether as many bytes as the buffer has can be read at once. It takes none away.
func (c *arriving) waits(buffer []byte) bool {
	n := 0
	err := c.raw.Control(func(fd uintptr) {
		n, _, _ = syscall.Recvfrom(int(fd), buffer, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	return err == nil && n == len(buffer)
}

// arrived reads a request's body if all of it is here. It is nil, and nothing is read, if it is not, if there is
// none, or if nobody knows.
func arrived(r *http.Request) []byte {
	c, known := r.Context().Value(arrivingKey{}).(*arriving)
	if !known || r.ProtoMajor != 1 {
		return nil
	}
	// What was behind a header is behind one only: another request in the same piece has its own.
	behind := c.behind.Swap(0)
	if r.ContentLength <= 0 || r.ContentLength > replayBytes || r.Header.Get("Expect") != "" {
		return nil
	}
	body := make([]byte, r.ContentLength)
	if rest := body[min(behind, r.ContentLength):]; len(rest) > 0 && !c.waits(rest) {
		return nil
	}
	if n, err := io.ReadFull(r.Body, body); err != nil {
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body[:n]), failing{err}), r.Body}
		return nil
	}
	return body
}
