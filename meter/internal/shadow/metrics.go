package shadow

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"evenkeel.dev/meter/internal/division"
	latency "evenkeel.dev/meter/internal/metrics"
)

// Sides of a pair.
const (
	shadowSide = "shadow"
	ownSide    = "own"
)

var sides = []string{ownSide, shadowSide}

// outcome is what came of a request on one side.
type outcome struct {
	failed bool
	// late tells that it was given up as it took too long.
	late bool
	// took is the time from the end of the request to the end of the answer.
	took time.Duration
}

// metrics count pairs by the revision of the shadows. Those of a former one go when another one comes, so that their
// number is bounded.
type metrics struct {
	mu       sync.Mutex
	revision string
	counts   *counts

	pairs, compared, disagreed *prometheus.CounterVec
	skipped, errors, slow      *prometheus.CounterVec
	duration                   *prometheus.HistogramVec
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		made := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"shadow"}, labels...))
		registerer.MustRegister(made)
		return made
	}
	m := &metrics{
		pairs: counter("evenkeel_model_shadow_pairs_total",
			"Requests that were mirrored and have an outcome on both sides."),
		skipped: counter("evenkeel_model_shadow_skipped_total",
			"Requests that were chosen to be mirrored and make no pair, by reason.", "reason"),
		compared: counter("evenkeel_model_shadow_compared_total",
			"Pairs that were answered well on both sides and whose predictions were compared."),
		disagreed: counter("evenkeel_model_shadow_disagreed_total",
			"Pairs that were compared and whose predictions differ."),
		errors: counter("evenkeel_model_shadow_discordant_errors_total",
			"Pairs of which only the worse side failed.", "worse"),
		slow: counter("evenkeel_model_shadow_discordant_slow_total",
			"Pairs of which only the worse side took longer than le seconds.", "le", "worse"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "evenkeel_model_shadow_duration_seconds",
			Help:    "Time from the end of a request to the end of its answer, of pairs of which no side failed.",
			Buckets: latency.Bounds(),
		}, []string{"shadow", "side"}),
	}
	registerer.MustRegister(m.duration)
	return m
}

// counts are those of one revision.
type counts struct {
	pairs, equal, disagreed prometheus.Counter
	skipped, errors         map[string]prometheus.Counter
	slow                    map[string][]prometheus.Counter
	duration                map[string]prometheus.Observer
}

// use makes the counters of a revision at 0: what is counted first would else be no increase.
func (m *metrics) use(revision string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts != nil && m.revision == revision {
		return
	}
	for _, one := range []*prometheus.CounterVec{m.pairs, m.compared, m.disagreed, m.skipped, m.errors, m.slow} {
		one.Reset()
	}
	m.duration.Reset()
	m.revision, m.counts = revision, m.zero(revision)
}

func (m *metrics) zero(revision string) *counts {
	made := &counts{
		pairs: m.pairs.WithLabelValues(revision), equal: m.compared.WithLabelValues(revision),
		disagreed: m.disagreed.WithLabelValues(revision),
		skipped:   map[string]prometheus.Counter{}, errors: map[string]prometheus.Counter{},
		slow: map[string][]prometheus.Counter{}, duration: map[string]prometheus.Observer{},
	}
	for _, reason := range []string{Unreached, Busy, Budget, TooLarge, Stream, Protocol, Unfinished, TooSlow, Shutdown} {
		made.skipped[reason] = m.skipped.WithLabelValues(revision, reason)
	}
	for _, side := range sides {
		made.errors[side] = m.errors.WithLabelValues(revision, side)
		made.duration[side] = m.duration.WithLabelValues(revision, side)
		for _, bound := range latency.Bounds() {
			le := strconv.FormatFloat(bound, 'g', -1, 64)
			made.slow[side] = append(made.slow[side], m.slow.WithLabelValues(revision, le, side))
		}
	}
	return made
}

// of gives the counters of a target. Those of a former one are no longer shown.
func (m *metrics) of(to *division.Target) *counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil || m.revision != to.Revision {
		return nil
	}
	return m.counts
}

func (c *counts) skip(reason string) {
	if c != nil {
		c.skipped[reason].Inc()
	}
}

// pair counts both outcomes. Times say nothing where a side failed before it had an answer.
func (c *counts) pair(own, shadow outcome) {
	if c == nil {
		return
	}
	c.pairs.Inc()
	if own.failed != shadow.failed {
		c.errors[worse(own.failed)].Inc()
	}
	if own.failed || shadow.failed && !shadow.late {
		return
	}
	for i, bound := range latency.Bounds() {
		slow := own.took.Seconds() > bound
		if slow != (shadow.took.Seconds() > bound) {
			c.slow[worse(slow)][i].Inc()
		}
	}
	if !shadow.failed {
		c.duration[ownSide].Observe(own.took.Seconds())
		c.duration[shadowSide].Observe(shadow.took.Seconds())
	}
}

func worse(own bool) string {
	if own {
		return ownSide
	}
	return shadowSide
}

func (c *counts) compared(differ bool) {
	if c == nil {
		return
	}
	c.equal.Inc()
	if differ {
		c.disagreed.Inc()
	}
}
