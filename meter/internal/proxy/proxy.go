// Package proxy passes requests on to a model server, and counts them.
//
// One reverse proxy of the standard library does it for HTTP/1.1, HTTP/2 and gRPC, which is HTTP/2 with
// trailers: it needs to know nothing of methods and messages, and streams, status and metadata pass as they are.
package proxy

import (
	"context"
	"crypto/rand"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"evenkeel.dev/meter/internal/division"
	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/metrics"
	"evenkeel.dev/meter/internal/shadow"
	"evenkeel.dev/meter/internal/upstream"
	"evenkeel.dev/meter/internal/watch"
)

// Headers of answers.
const (
	RevisionHeader = "Evenkeel-Revision"
	VersionHeader  = "Evenkeel-Version"
	RequestID      = "X-Request-Id"
	TokenHeader    = "Evenkeel-Feedback-Token"
)

// copyBytes are copied at a time: most answers are smaller, and there may be hundreds at once.
const copyBytes = 8 << 10

// replayBytes of a request are kept until it is answered, so that it can be sent again.
const replayBytes = 64 << 10

// Options of proxies.
type Options struct {
	Revision, Version string
	// MaxBody is the size up to which bodies are looked at, in bytes.
	MaxBody int64
	Metrics *metrics.Metrics
	Budget  *watch.Budget
	Queue   *watch.Queue
	// Looked tells whether somebody looks at the bodies of all that is counted.
	Looked bool
	// Signer is nil if answers get no feedback token. Looked is true if there is one.
	Signer exchange.Signer
	// Division tells what another revision gets; nil: it gets nothing.
	Division *division.File
	// Shadows takes the requests that are mirrored. It is there where Division is.
	Shadows *shadow.Shadows
	// Draining tells whether clients should look for another server.
	Draining func() bool
}

// Proxy passes requests on to one address of a model server.
type Proxy struct {
	Options
	own, away transports
	// awayAfter is when another revision may be asked again, in nanoseconds.
	awayAfter atomic.Int64
	address   string
	grpc      bool
	forward   httputil.ReverseProxy
}

// transports speak HTTP/1.1 and HTTP/2.
type transports struct{ http1, http2 *http.Transport }

func newTransports(patience time.Duration) transports {
	return transports{upstream.HTTP1(patience), upstream.HTTP2(patience)}
}

// ownPatience is how long a connection to the model server may take.
const ownPatience = 30 * time.Second

// New passes on to an address. grpc: all that comes by HTTP/2 goes there by HTTP/2; else only gRPC does, as
// many model servers speak HTTP/1.1 alone.
func New(address string, grpc bool, options Options) *Proxy {
	p := &Proxy{
		Options: options, own: newTransports(ownPatience), away: newTransports(awayPatience), address: address, grpc: grpc,
	}
	p.forward = httputil.ReverseProxy{
		Rewrite:        p.rewrite,
		Transport:      p,
		BufferPool:     &buffers,
		ModifyResponse: answered,
		ErrorHandler:   failed,
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	return p
}

// ServeHTTP passes a request on.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(RequestID) == "" {
		r.Header.Set(RequestID, rand.Text())
	}
	if r.Header.Get("Upgrade") == "h2c" {
		// Anybody in between may decline it; in HTTP/1.1 the request is understood, and so counted.
		for _, name := range []string{"Upgrade", "Connection", "Http2-Settings"} {
			r.Header.Del(name)
		}
	}
	c := &call{proxy: p, began: time.Now(), in: r, w: w, protocol: exchange.HTTP, whole: arrived(r)}
	if isGRPC(r.Header) {
		c.protocol = exchange.GRPC
		c.counted = isCall(r.URL.Path)
	} else {
		c.counted = isInference(r)
	}
	if r.Header.Get("Expect") != "" {
		w = continued{w}
	}
	c.divide()
	c.begin()
	defer c.end()
	p.forward.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callKey{}, c)))
}

// continued tells a client once that it may go on: net/http's server does when the body is read, as the model
// server's word to go on makes it.
type continued struct{ http.ResponseWriter }

// Unwrap is for http.ResponseController.
func (c continued) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c continued) WriteHeader(code int) {
	if code != http.StatusContinue {
		c.ResponseWriter.WriteHeader(code)
	}
}

// rewrite leaves a request as the client has sent it.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme = "http"
	r.Out.URL.Host = p.address
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, given := r.In.Header[name]; given {
			r.Out.Header[name] = values
		}
	}
	// Its values come after the body.
	r.Out.Trailer = r.In.Trailer
	if r.Out.Body != nil {
		callOf(r.Out).spool(r.Out)
	}
}

// RoundTrip sends a request by the protocol that the model server speaks, or to another revision.
func (p *Proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	c := callOf(r)
	if c.away != nil {
		if answer, err := c.pass(r); c.away != nil {
			return answer, err
		}
	}
	return upstream.Send(c.by(p.own), c.timed(r), c.rewind)
}

// by chooses the protocol.
func (c *call) by(of transports) *http.Transport {
	if c.http2() {
		return of.http2
	}
	return of.http1
}

func (c *call) http2() bool { return c.in.ProtoMajor == 2 && (c.proxy.grpc || isGRPC(c.in.Header)) }

// tell puts into an answer's header where it comes from.
func (p *Proxy) tell(header http.Header, request *http.Request) {
	for name, value := range map[string]string{RevisionHeader: p.Revision, VersionHeader: p.Version} {
		if value != "" {
			header.Set(name, value)
		}
	}
	if header.Get(RequestID) == "" {
		header.Set(RequestID, request.Header.Get(RequestID))
	}
}

// leaving tells whether a client should not come back on its connection. By HTTP/2 it is told otherwise.
func (p *Proxy) leaving(request *http.Request) bool {
	return p.Draining != nil && p.Draining() && request.ProtoMajor == 1
}

type pool struct{ sync.Pool }

var buffers = pool{sync.Pool{New: func() any { return new([copyBytes]byte) }}}

func (p *pool) Get() []byte  { return p.Pool.Get().(*[copyBytes]byte)[:] }
func (p *pool) Put(b []byte) { p.Pool.Put((*[copyBytes]byte)(b)) }
