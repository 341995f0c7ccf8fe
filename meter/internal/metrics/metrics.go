// Package metrics is what the meter counts of requests and their answers.
package metrics

import (
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/stream"
)

// seconds are the upper bounds of the classic buckets.
var seconds = []float64{
	0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
}

// tokenSeconds are those of the time from token to token: a reader sees differences of a hundredth of a second.
var tokenSeconds = []float64{
	0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
}

// reasons for which answers of language models end. Others count as one: clients must not make series.
var reasons = []string{"stop", "length", "tool_calls", "function_call", "content_filter", "abort", "error", "other"}

// Metrics of a model's answers. It may be used by several goroutines.
type Metrics struct {
	// Registry has all metrics.
	Registry *prometheus.Registry
	// Registerer gives what is registered with it the labels deployment, revision and version.
	Registerer prometheus.Registerer

	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	tokens   *prometheus.CounterVec
	chunks   *prometheus.CounterVec
	streams  *prometheus.CounterVec
	finished *prometheus.CounterVec

	// InFlight is the number of requests that are being answered.
	InFlight prometheus.Gauge
	// FirstToken, BetweenTokens and PerToken are in seconds.
	FirstToken, BetweenTokens, PerToken prometheus.Histogram
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
			"Time from a request's header to the end of its answer.", seconds), []string{"protocol"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "evenkeel_model_tokens_total",
			Help: "Tokens that language models say they have used.",
		}, []string{"kind"}),
		chunks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "evenkeel_model_stream_chunks_total",
			Help: "Events with content of streamed answers, by whether the answer tells its tokens.",
		}, []string{"usage"}),
		streams: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "evenkeel_model_streams_total",
			Help: "Streamed texts by their end: done, an error in the stream, broken off, or left by the client.",
		}, []string{"end"}),
		finished: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "evenkeel_model_finish_reasons_total",
			Help: "Texts of language models by the reason that they give for their end.",
		}, []string{"reason"}),
		InFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "evenkeel_model_requests_in_flight",
			Help: "Inference requests that are being answered.",
		}),
		FirstToken: prometheus.NewHistogram(histogram("evenkeel_model_time_to_first_token_seconds",
			"Time from a request's header to the first chunk of a streamed answer.", seconds)),
		BetweenTokens: prometheus.NewHistogram(histogram("evenkeel_model_inter_token_seconds",
			"Time between two chunks of a streamed answer, by the tokens of the later one if it tells them.",
			tokenSeconds)),
		PerToken: prometheus.NewHistogram(histogram("evenkeel_model_time_per_output_token_seconds",
			"Mean time from token to token of a streamed answer, after its first.", tokenSeconds)),
	}
	m.Registerer.MustRegister(m.requests, m.duration, m.tokens, m.chunks, m.streams, m.finished, m.InFlight,
		m.FirstToken, m.BetweenTokens, m.PerToken)
	registry.MustRegister(collectors.NewGoCollector(), processStart())
	for protocol, code := range map[string]string{exchange.HTTP: "200", exchange.GRPC: "0"} {
		m.requests.WithLabelValues(protocol, code)
		m.duration.WithLabelValues(protocol)
	}
	m.begin()
	return m
}

// begin has what is counted of language models from the start at 0.
func (m *Metrics) begin() {
	m.Tokens(0, 0)
	for _, told := range []bool{true, false} {
		m.Chunks(0, told)
	}
	for _, end := range stream.Ends {
		m.streams.WithLabelValues(end)
	}
	for _, reason := range reasons {
		m.finished.WithLabelValues(reason)
	}
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

// Chunks counts those of a streamed answer. told: it has told its tokens.
func (m *Metrics) Chunks(number int, told bool) {
	usage := "untold"
	if told {
		usage = "told"
	}
	m.chunks.WithLabelValues(usage).Add(float64(number))
}

// Streamed counts a streamed text by its end.
func (m *Metrics) Streamed(end string) { m.streams.WithLabelValues(end).Inc() }

// Finished counts a text by the reason that is given for its end.
func (m *Metrics) Finished(reason string) {
	if !slices.Contains(reasons, reason) {
		reason = "other"
	}
	m.finished.WithLabelValues(reason).Inc()
}

func histogram(name, help string, bounds []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: bounds,
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
