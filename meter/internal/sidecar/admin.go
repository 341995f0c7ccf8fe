package sidecar

import (
	"io"
	"net/http"
	"sync/atomic"

	"evenkeel.dev/meter/internal/ready"
	"evenkeel.dev/meter/internal/warmup"
)

// readiness is what the kubelet's probe is told.
type readiness struct {
	server   ready.ModelServer
	warmUp   *warmup.WarmUp
	draining *atomic.Bool
}

// ServeHTTP answers 200, or 503 and why.
func (r readiness) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	problem := ""
	if r.draining.Load() {
		problem = "shutting down"
	} else if r.warmUp != nil && !r.warmUp.Ready() {
		problem = "the model server is not warm"
	} else if err := r.server.Problem(request.Context()); err != nil {
		problem = "the model server is not ready: " + err.Error()
	}
	if problem != "" {
		http.Error(w, problem, http.StatusServiceUnavailable)
		return
	}
	live(w, request)
}

func live(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") }
