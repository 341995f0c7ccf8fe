// Package sidecar runs the meter beside a model server.
package sidecar

import (
	"context"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"evenkeel.dev/meter/internal/config"
	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/metrics"
	"evenkeel.dev/meter/internal/profile"
	"evenkeel.dev/meter/internal/proxy"
	"evenkeel.dev/meter/internal/ready"
	"evenkeel.dev/meter/internal/stream"
	"evenkeel.dev/meter/internal/upstream"
	"evenkeel.dev/meter/internal/warmup"
	"evenkeel.dev/meter/internal/watch"
)

// headerPatience is for a request's header.
const headerPatience = time.Minute

// Watchers look at the bodies of requests and answers. Observer and Signer may be nil.
type Watchers struct {
	Observer exchange.Observer
	Signer   exchange.Signer
	// Profile is the model's, nil if there is none.
	Profile func() *profile.Profile
	// Uncounted is told what became of those that Observer does not get.
	Uncounted func(result string)
}

// Run serves until the context ends and the requests that have come before are answered. The error says why it
// cannot, or what the model server said to requests that should warm it up.
func Run(until context.Context, c config.Config, m *metrics.Metrics, watchers Watchers) error {
	largest, copies := bodyLimits(c.MaxBodyBytes, limitMemory(limitFile))
	c.MaxBodyBytes = largest
	ctx, stop := context.WithCancelCause(until)
	defer stop(nil)

	server := ready.ModelServer{HTTP: c.Upstream, GRPC: c.GRPCUpstream, Path: c.ReadyPath}
	var warmUp *warmup.WarmUp
	if c.WarmUp != nil {
		warmUp = warmup.New(*c.WarmUp, c.Upstream, c.ReadyPath, server.Problem)
	}
	draining := &atomic.Bool{}
	divided := divide(ctx, c, m, watchers, copies)
	traffic, queue, err := listen(c, m, watchers, divided, draining)
	if err != nil {
		return err
	}
	admin := http.NewServeMux()
	admin.Handle("GET /ready", readiness{server, warmUp, draining, new(atomic.Bool)})
	admin.HandleFunc("GET /live", live)
	admin.Handle("GET /metrics", m.Page(c.RuntimeMetrics))
	probes, err := open(c.AdminListen, &http.Server{Handler: admin, ReadHeaderTimeout: headerPatience})
	if err != nil {
		return err
	}
	for _, one := range append(traffic, probes) {
		go func() { stop(one.Serve(one.listener)) }()
	}
	if warmUp != nil {
		go func() {
			if err := warmUp.Run(ctx); err != nil {
				stop(err)
			}
		}()
	}
	<-ctx.Done()
	draining.Store(true)
	divided.close()
	drain(traffic)
	queue.Close()
	_ = probes.Close()
	if until.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// listen opens what requests come to.
func listen(
	c config.Config, m *metrics.Metrics, watchers Watchers, divided divided, draining *atomic.Bool,
) ([]*opened, *watch.Queue, error) {
	uncounted := watchers.Uncounted
	if uncounted == nil {
		uncounted = func(string) {}
	}
	observer := stream.Observer{Count: m.Tokens, Next: watchers.Observer}
	options := proxy.Options{
		Revision: c.Revision, Version: c.Version, MaxBody: c.MaxBodyBytes, Metrics: m,
		Budget: divided.copies, Division: divided.file, Shadows: divided.shadows, Queue: watch.NewQueue(observer, uncounted, c.MaxBodyBytes),
		Looked: watchers.Observer != nil || watchers.Signer != nil, Signer: watchers.Signer,
		Draining: draining.Load,
	}
	made, err := open(c.Listen, front(proxy.New(c.Upstream, false, options)))
	if err != nil {
		return nil, nil, err
	}
	if c.GRPCListen == "" {
		return []*opened{made}, options.Queue, nil
	}
	calls, err := open(c.GRPCListen, front(proxy.New(c.GRPCUpstream, true, options)))
	return []*opened{made, calls}, options.Queue, err
}

// front serves HTTP/1.1, and HTTP/2 to those who begin with it. Connections that idle are left to the client.
func front(handler http.Handler) *http.Server {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	limits := upstream.Limits()
	limits.MaxConcurrentStreams = 1000
	return &http.Server{
		Handler: handler, Protocols: protocols, HTTP2: limits,
		ReadHeaderTimeout: headerPatience, DisableGeneralOptionsHandler: true, ConnContext: proxy.ConnContext,
	}
}

// opened is a server whose port is taken.
type opened struct {
	*http.Server
	listener net.Listener
	busy     *busy
}

func open(address string, server *http.Server) (*opened, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	made := &opened{server, proxy.Arrivals{Listener: listener}, &busy{Handler: server.Handler}}
	server.Handler = made.busy
	log.Printf("listening on %s", listener.Addr())
	return made, nil
}
