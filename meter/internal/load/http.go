package load

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

const (
	// workers are the requests that are open at the same time at most.
	workers = 2048
	// patience is the least time after which a request is given up; it is four bounds where that is more.
	patience = time.Second
	// kept is how long an idle connection is: less than any model server keeps it.
	kept = time.Second
	// words are the bytes of an answer that are told.
	words = 300
	// recovery is the time within which a target has to answer well again after a step that failed.
	recovery = 15 * time.Second
)

// HTTP is a model server that is asked the same again and again, by POST.
type HTTP struct {
	target vegeta.Target
	bound  Bound
	client *http.Client
	used   *Usage
	began  time.Time
	// problem is the last failure in words; "" before the first.
	problem string
}

// NewHTTP loads a URL. used: of the target's processes.
func NewHTTP(url string, body []byte, contentType string, bound Bound, used *Usage) *HTTP {
	return &HTTP{
		target: vegeta.Target{
			Method: http.MethodPost, URL: url, Body: body,
			Header: http.Header{"Content-Type": []string{contentType}},
		},
		bound: bound, used: used, began: time.Now(),
		client: &http.Client{
			Timeout: max(patience, 4*bound.Latency),
			Transport: &http.Transport{
				MaxIdleConnsPerHost: workers, IdleConnTimeout: kept, DisableCompression: true,
				DialContext: (&net.Dialer{Timeout: patience}).DialContext,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Now is the time since it was made.
func (h *HTTP) Now() time.Duration { return time.Since(h.began) }

// Attack is Target's.
func (h *HTTP) Attack(ctx context.Context, rate float64, requests int, enough func(Step) bool) Step {
	began, before := time.Now(), h.used.Seconds()
	pace := &steady{rate: rate, requests: uint64(requests)}
	attacker := vegeta.NewAttacker(vegeta.Client(h.client), vegeta.MaxWorkers(workers), vegeta.MaxBody(words))
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()
	step, over := Step{Rate: rate}, false
	for result := range attacker.Attack(vegeta.NewStaticTargeter(h.target), pace, 0, "") {
		h.count(&step, result, pace.due(result.Seq))
		if !over && enough(step) {
			over = true
			attacker.Stop()
		}
	}
	if after := h.used.Seconds(); after > before {
		step.Cores = (after - before) / time.Since(began).Seconds()
	}
	return step
}

func (h *HTTP) count(step *Step, result *vegeta.Result, due time.Time) {
	step.Sent++
	latency := result.Timestamp.Add(result.Latency).Sub(due)
	if result.Timestamp.Sub(due) > h.bound.Latency/4 {
		step.Late++
	}
	if told := problem(result); told != "" {
		h.problem = told
		step.Failed++
		step.Missed++
		step.Latencies = append(step.Latencies, math.Inf(1))
		return
	}
	step.Latencies = append(step.Latencies, latency.Seconds())
	if latency > h.bound.Latency {
		step.Missed++
	}
}

// problem is what was wrong with an answer, "" if nothing was.
func problem(result *vegeta.Result) string {
	switch {
	case result.Code == 0:
		return result.Error
	case result.Code < 200 || result.Code > 299:
		return strings.TrimSpace(fmt.Sprintf("status %d: %s", result.Code, result.Body))
	}
	return result.Error
}

// Alone sends requests one after the other, and gives the latencies of those that were answered well.
func (h *HTTP) Alone(ctx context.Context, requests int) []float64 {
	var seconds []float64
	for range requests {
		// At so low a rate none waits for another.
		step := h.Attack(ctx, 1e6, 1, func(Step) bool { return false })
		if step.Failed == 0 && step.Sent == 1 {
			seconds = append(seconds, step.Latencies[0])
		}
		if ctx.Err() != nil {
			break
		}
	}
	return seconds
}

// Recovered is Target's.
func (h *HTTP) Recovered(ctx context.Context) bool {
	for until := time.Now().Add(recovery); time.Now().Before(until) && ctx.Err() == nil; {
		if answered := h.Alone(ctx, 1); len(answered) == 1 && answered[0] <= h.bound.Latency.Seconds() {
			return true
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}

// steady paces requests at a constant rate, and remembers when each is due.
type steady struct {
	rate     float64
	requests uint64
	began    atomic.Pointer[time.Time]
}

// Pace is vegeta's: how long to wait before the next request, and whether there is none.
func (s *steady) Pace(elapsed time.Duration, sent uint64) (time.Duration, bool) {
	if sent == 0 {
		began := time.Now().Add(-elapsed)
		s.began.Store(&began)
	}
	return s.at(sent) - elapsed, sent >= s.requests
}

// Rate is vegeta's.
func (s *steady) Rate(time.Duration) float64 { return s.rate }

func (s *steady) at(number uint64) time.Duration {
	return time.Duration(float64(number) / s.rate * float64(time.Second))
}

func (s *steady) due(number uint64) time.Time { return s.began.Load().Add(s.at(number)) }
