// Package feedback takes labels, which come with the tokens of the answers that they are about, and counts good
// and bad ones.
package feedback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"evenkeel.dev/meter/internal/token"
)

const (
	// readers is the number of posts that are held in memory at a time.
	readers = 8
	// patience is how long one more waits for its turn.
	patience = 10 * time.Second
	// drain is how long posts that are being taken have at the end.
	drain = 10 * time.Second
)

// Run serves labels until the context ends. The error says why it cannot.
func Run(ctx context.Context, config Config) error {
	public, err := net.Listen("tcp", config.Listen)
	if err != nil {
		return err
	}
	admin, err := net.Listen("tcp", config.AdminListen)
	if err != nil {
		return errors.Join(err, public.Close())
	}
	return serve(ctx, config, public, admin)
}

func serve(ctx context.Context, config Config, public, admin net.Listener) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	taken, err := open(config, registry)
	if err != nil {
		return errors.Join(err, public.Close(), admin.Close())
	}
	defer taken.close()
	servers := []*http.Server{server(taken.handler()), server(taken.admin(registry))}
	failed := make(chan error, len(servers))
	for i, listener := range []net.Listener{public, admin} {
		go func() { failed <- servers[i].Serve(listener) }()
	}
	slog.Info("labels are taken", "address", public.Addr().String(), "deployment", config.Deployment)
	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
	}
	ending, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	for _, server := range servers {
		err = errors.Join(err, server.Shutdown(ending))
	}
	return err
}

func server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 2 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

// open reads what was seen before.
func open(config Config, registerer prometheus.Registerer) (*labels, error) {
	l := &labels{
		config: config, keys: token.OpenKeys(config.Keys), now: time.Now,
		metrics: newLabelMetrics(config.Deployment, process(), registerer), seen: newSeen(config.Window, maxSeen),
	}
	if problem := l.keys.Problem(); problem != "" {
		slog.Warn(problem)
	}
	if config.Folder == "" {
		return l, nil
	}
	var err error
	var skipped int
	if l.journal, skipped, err = openJournal(config.Folder, l.seen, l.now()); err != nil {
		return nil, fmt.Errorf("cannot open FEEDBACK_FOLDER: %w", err)
	}
	if skipped > 0 {
		slog.Warn("lines of what was seen cannot be read; their labels may count again", "lines", skipped)
	}
	l.metrics.remembered.Set(float64(len(l.seen.entries)))
	return l, nil
}

// process is when this one began.
func process() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000000Z") }

func (l *labels) close() {
	l.adding.Lock()
	defer l.adding.Unlock()
	if l.journal != nil {
		l.journal.close()
	}
}

// handler is the endpoint for clients.
func (l *labels) handler() http.Handler {
	mux := http.NewServeMux()
	turns := make(chan struct{}, readers)
	mux.HandleFunc("POST /v1/feedback", func(w http.ResponseWriter, r *http.Request) {
		if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
			http.Error(w, "post lines without a content encoding", http.StatusUnsupportedMediaType)
			return
		}
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
			l.take(w, r)
		case <-r.Context().Done():
		case <-time.After(patience):
			w.Header().Set("Retry-After", "10")
			http.Error(w, "other posts are being taken; post again later", http.StatusServiceUnavailable)
		}
	})
	return mux
}

// take answers 200 with counts, 400 with them if no line can be read, 413 for too many bytes or lines, and 503
// if what was seen cannot be written down. With 413 and 503 nothing was counted.
func (l *labels) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		http.Error(w, fmt.Sprintf("more than %d bytes; post them in parts", maxBody), http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		http.Error(w, "the body ended early", http.StatusBadRequest)
		return
	}
	answer, err := l.post(body)
	switch {
	case errors.Is(err, errTooMany):
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		slog.Error("labels are refused", "error", err)
		w.Header().Set("Retry-After", "10")
		http.Error(w, "labels cannot be kept now; post them again later", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if answer.Accepted+answer.Repeated+answer.Forged+answer.Expired+answer.Full == 0 {
		w.WriteHeader(http.StatusBadRequest)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// admin serves metrics and probes. It is ready while it has a key to verify with.
func (l *labels) admin(gatherer prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "live\n") })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if !l.keys.Any() {
			http.Error(w, l.keys.Problem(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready\n")
	})
	return mux
}
