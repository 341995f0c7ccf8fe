package load

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"os"
	"slices"
	"time"

	"evenkeel.dev/meter/internal/ready"
)

const (
	// firsts are the requests that are sent one after the other before the search: a model server's first
	// answers are slow, and of the later half it is known how fast one alone is.
	firsts = 20
	// polled is the time between two looks at a target that is not ready.
	polled = 100 * time.Millisecond
)

// Run waits for the target, searches for its rate and writes the report; the context ends it. The error is of
// the report alone: what keeps the target from being measured stands in it.
func Run(ctx context.Context, c Config) error {
	used := NewUsage()
	watched, stop := context.WithCancel(ctx)
	defer stop()
	go used.Watch(watched)
	report := measured(ctx, c, used)
	report.MemoryBytes = used.Peak()
	text := report.text()
	fmt.Printf("%s\n", text)
	return os.WriteFile(c.Report, text, 0o644)
}

func measured(ctx context.Context, c Config, used *Usage) Report {
	began := time.Now()
	if err := started(ctx, c); err != nil {
		return Report{Problem: fmt.Sprintf("the model server was not ready within %v: %v", c.Start, err)}
	}
	report := Report{ReadySeconds: rounded(time.Since(began).Seconds())}
	target := NewHTTP(c.URL, c.Body, c.ContentType, c.Bound, used)
	alone := target.Alone(ctx, firsts)
	if len(alone) == 0 {
		report.Problem = "no request was answered well: " + target.problem
		return report
	}
	base := quantile(alone[len(alone)/2:], 0.5)
	report.AloneSeconds = rounded(base)
	if base > c.Bound.Latency.Seconds() {
		report.LimitedBy = ByLatency
		return report
	}
	// One worker at half its load, and no step that takes more than a quarter of the time.
	first := math.Max(0.5/base, 4*float64(least(c.Bound.Quantile))/c.Duration.Seconds())
	found := Search(ctx, target, c.Bound, first, c.MaxRate, target.Now()+c.Duration)
	return report.with(found, c.Bound, target.problem)
}

// started waits until the target is ready.
func started(ctx context.Context, c Config) error {
	address, err := url.Parse(c.URL)
	if err != nil {
		return err
	}
	server := ready.ModelServer{HTTP: address.Host, Path: c.ReadyPath}
	until := time.Now().Add(c.Start)
	for err = server.Problem(ctx); err != nil && time.Now().Before(until) && ctx.Err() == nil; err = server.Problem(ctx) {
		time.Sleep(polled)
	}
	return err
}

// quantile is the value below which so large a share of the values lies (the inverse of their distribution).
func quantile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := int(math.Ceil(share*float64(len(sorted)))) - 1
	return sorted[min(max(at, 0), len(sorted)-1)]
}
