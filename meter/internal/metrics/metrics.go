// Package metrics is what the meter counts of requests and their answers.
package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"evenkeel.dev/meter/internal/exchange"
)

// Seconds are the upper bounds of the classic buckets.
var Seconds = []float64{
	0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
}

// Metrics of a model's answers. It may be used by several goroutines.
type Metrics struct {
	// Registry has all metrics.
	Registry *prometheus.Registry
	// Registerer gives what is registered with it the labels deployment, revision and version.
	Registerer prometheus.Registerer

	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	tokens   *prometheus.CounterVec

	// InFlight is the number of requests that are being answered.
	InFlight prometheus.Gauge
	// FirstToken and BetweenTokens are in seconds.
	FirstToken, BetweenTokens prometheus.Histogram
}

// New registers the metrics of one revision of a ModelDeployment.
func New(deployment, revision, version string) *Metrics {
	registry := prometheus.NewRegistry()
	m := &Metrics{
		Registry: registry,
		Registerer: prometheus.WrapRegistererWith(
			prometheus.Labels{"deployment": deployment, "revision": revision, "version": version}, registry),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "evenkeel_model_requests_total",
			Help: "Inference requests by the code of their answer; of gRPC the status number.",
		}, []string{"protocol", "code"}),
		duration: prometheus.NewHistogramVec(histogram("evenkeel_model_request_duration_seconds",
			"Time from a request's header to the end of its answer."), []string{"protocol"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "evenkeel_model_tokens_total",
			Help: "Tokens that language models say they have used, or that were counted in their stream.",
		}, []string{"kind"}),
		InFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "evenkeel_model_requests_in_flight",
			Help: "Inference requests that are being answered.",
		}),
		FirstToken: prometheus.NewHistogram(histogram("evenkeel_model_time_to_first_token_seconds",
			"Time from a request's header to the first token of a streamed answer.")),
		BetweenTokens: prometheus.NewHistogram(histogram("evenkeel_model_inter_token_seconds",
			"Time between two tokens of a streamed answer.")),
	}
	m.Registerer.MustRegister(m.requests, m.duration, m.tokens, m.InFlight, m.FirstToken, m.BetweenTokens)
	registry.MustRegister(collectors.NewGoCollector(), processStart())
	for protocol, code := range map[string]string{exchange.HTTP: "200", exchange.GRPC: "0"} {
		m.requests.WithLabelValues(protocol, code)
		m.duration.WithLabelValues(protocol)
	}
	m.Tokens(0, 0)
	return m
}

// Answered counts a request that has its answer, or that never will.
func (m *Metrics) Answered(protocol string, code int, took time.Duration) {
	m.requests.WithLabelValues(protocol, strconv.Itoa(code)).Inc()
	m.duration.WithLabelValues(protocol).Observe(took.Seconds())
}

// Tokens counts those of an answer.
func (m *Metrics) Tokens(prompt, completion int) {
	m.tokens.WithLabelValues("prompt").Add(float64(max(prompt, 0)))
	m.tokens.WithLabelValues("completion").Add(float64(max(completion, 0)))
}

func histogram(name, help string) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: Seconds,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

// processStart is of the process' metrics the one that the meter needs: it hides none of the model server's
// memory and processor time, which have the same names.
func processStart() prometheus.Collector {
	began := float64(time.Now().UnixMilli()) / 1000
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "process_start_time_seconds",
		Help: "Start time of the meter since unix epoch in seconds.",
	}, func() float64 { return began })
}
