// Package warmup sends a model server its first requests.
//
// All containers of a pod share one network, whose table of sockets tells one process that listens from the
// next without asking it: a restart that took less time than a probe's period is seen as well.
package warmup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"evenkeel.dev/meter/internal/config"
)

// period is the time between two looks at the model server while it is not warm, and after a failure.
var period = 500 * time.Millisecond

// After so long with failures alone they are told by exiting: the kubelet keeps last words. It is longer where
// nothing tells a model that is broken from one that still loads.
var (
	patience             = time.Minute
	patienceWithoutProbe = 10 * time.Minute
)

// Bytes of an answer that are told.
const words = 500

// WarmUp is the model server as it is seen from here: which of its processes are warm.
type WarmUp struct {
	config    config.WarmUp
	address   string
	readyPath string
	loaded    func(context.Context) error
	client    *http.Client
	listening func() processes

	mu      sync.Mutex
	warm    processes
	left    int
	failing time.Time
	told    string
}

// New warms up what listens at an address, host:port. readyPath: empty if loaded only tells whether
// connections are accepted. loaded gives an error while the model is not loaded.
func New(c config.WarmUp, address, readyPath string, loaded func(context.Context) error) *WarmUp {
	return &WarmUp{
		config: c, address: address, readyPath: readyPath, loaded: loaded,
		listening: func() processes { return listening(address, tables) },
		client: &http.Client{
			Timeout:   c.Timeout,
			Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			},
		},
	}
}

// Ready tells whether a process that was warmed up still listens. Others may have joined it.
func (w *WarmUp) Ready() bool {
	found := w.listening()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.warm.shares(found)
}

// Run goes on until the context ends. The error is the model server's, if it keeps on failing.
func (w *WarmUp) Run(ctx context.Context) error {
	for {
		if err := w.look(ctx); err != nil {
			return err
		}
		if !pause(ctx) {
			return nil
		}
	}
}

func (w *WarmUp) look(ctx context.Context) error {
	found := w.listening()
	w.mu.Lock()
	known := w.warm.shares(found)
	if known {
		w.warm = found
	}
	w.mu.Unlock()
	if known || len(found) == 0 || w.loaded(ctx) != nil {
		return nil
	}
	began := time.Now()
	done, err := w.send(ctx, found)
	if err == nil && done {
		w.mu.Lock()
		w.warm = found
		w.mu.Unlock()
		log.Printf("warm after %d requests in %.1f s", w.config.Requests, time.Since(began).Seconds())
	}
	return err
}

// send sends the requests. It tells whether all were answered before those processes were gone; the error is
// of a while without any success.
func (w *WarmUp) send(ctx context.Context, of processes) (bool, error) {
	w.left, w.failing = w.config.Requests, time.Time{}
	var workers sync.WaitGroup
	for range min(w.config.Concurrency, w.config.Requests) {
		workers.Go(func() { w.work(ctx, of) })
	}
	workers.Wait()
	if ctx.Err() != nil {
		return false, nil
	}
	if w.outOfPatience() {
		return false, errors.New(w.told)
	}
	return w.left <= 0, nil
}

func (w *WarmUp) work(ctx context.Context, of processes) {
	for w.take() {
		err := w.ask(ctx)
		switch {
		case err == nil:
			w.mu.Lock()
			w.failing = time.Time{}
			w.mu.Unlock()
		case ctx.Err() != nil || !of.shares(w.listening()):
			w.giveBack()
			return
		case w.config.Strict:
			w.giveBack()
			w.note(err.Error())
			if w.outOfPatience() || !pause(ctx) {
				return
			}
		}
	}
}

// ask sends one request, and reads to the answer's end, so that the model has done all of its work.
func (w *WarmUp) ask(ctx context.Context) error {
	what := "POST " + w.config.Path
	request, err := http.NewRequestWithContext(
		ctx, http.MethodPost, "http://"+w.address+w.config.Path, bytes.NewReader(w.config.Body))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	request.Header.Set("Content-Type", w.config.ContentType)
	request.Header.Set("User-Agent", "evenkeel-warm-up")
	answer, err := w.client.Do(request)
	if err != nil {
		var cause *url.Error
		if errors.As(err, &cause) {
			err = cause.Err
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, words))
	if err == nil {
		_, err = io.Copy(io.Discard, answer.Body)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if answer.StatusCode < 200 || answer.StatusCode >= 300 {
		return fmt.Errorf("%s was answered %d: %s", what, answer.StatusCode, strings.TrimSpace(string(said)))
	}
	return nil
}

func (w *WarmUp) take() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left--
	return w.left >= 0
}

func (w *WarmUp) giveBack() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = max(w.left, 0) + 1
}

func (w *WarmUp) note(told string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if told != w.told {
		log.Print(told)
	}
	w.told = told
	if w.failing.IsZero() {
		w.failing = time.Now()
	}
}

func (w *WarmUp) outOfPatience() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	most := patienceWithoutProbe
	if w.readyPath != "" {
		most = patience
	}
	return !w.failing.IsZero() && time.Since(w.failing) >= most
}

// pause tells whether the context has not ended meanwhile.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(period):
		return true
	}
}
