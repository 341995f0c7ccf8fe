package sidecar

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"evenkeel.dev/meter/internal/ready"
	"evenkeel.dev/meter/internal/warmup"
)

// readiness is what the kubelet's probe is told.
//
// A model server that has answered once may be slow afterwards: its own probe has its own patience, and this one
// must not take pods out of their Services sooner.
type readiness struct {
	server   ready.ModelServer
	warmUp   *warmup.WarmUp
	draining *atomic.Bool
	answered *atomic.Bool
}

// ServeHTTP answers 200, or 503 and why.
func (r readiness) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	problem := ""
	if r.draining.Load() {
		problem = "shutting down"
	} else if r.warmUp != nil && !r.warmUp.Ready() {
		problem = "the model server is not warm"
	} else if err := r.server.Problem(request.Context()); err == nil {
		r.answered.Store(true)
	} else if !r.answered.Load() || !errors.Is(err, context.DeadlineExceeded) {
		r.answered.Store(false)
		problem = "the model server is not ready: " + err.Error()
	}
	if problem != "" {
		http.Error(w, problem, http.StatusServiceUnavailable)
		return
	}
	live(w, request)
}

func live(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") }
