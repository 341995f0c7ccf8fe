package feedback

import "github.com/prometheus/client_golang/prometheus"

// Reasons that are finer than their outcome, Forged.
const (
	reasonUnknownKey = "unknown_key"
	reasonOther      = "other_deployment"
)

// labelMetrics are what labels count up to.
type labelMetrics struct {
	deployment, process string
	total               *prometheus.CounterVec
	refusals            *prometheus.CounterVec
	remembered          prometheus.Gauge
}

// newLabelMetrics begins at 0. process is no other process's of the deployment: whoever reads the counters takes
// none for the former one's, whose pod it may share. From the start there is a count of no revision, 0, beside which
// a revision's first labels show as growth.
func newLabelMetrics(deployment, process string, registerer prometheus.Registerer) *labelMetrics {
	m := &labelMetrics{
		deployment: deployment, process: process,
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "evenkeel_labels_total",
			Help: "Labels by revision, slice and result; slice is empty for all labels. A loss l counts l bad and 1-l good.",
		}, []string{"deployment", "process", "revision", "slice", "result"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "evenkeel_labels_refused_total",
			Help: "Labels that were not counted, by reason.",
		}, []string{"reason"}),
		remembered: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "evenkeel_labels_remembered",
			Help: "Answers whose labels are remembered, so that they count once.",
		}),
	}
	for _, reason := range []string{
		string(Repeated), string(Forged), string(Expired), string(Unreadable), string(Full), reasonUnknownKey, reasonOther,
	} {
		m.refusals.WithLabelValues(reason)
	}
	m.add("", "", 0, 0)
	registerer.MustRegister(m.total, m.refusals, m.remembered)
	return m
}

// accepted counts a label for all, and for each of its slices.
//
// A loss between 0 and 1 counts as a part of both. The share of bad ones is then the mean loss, and what bets on
// 0 and 1 are worth against a mean p, (q/p)^loss ((1-q)/(1-p))^(1-loss), is convex in the loss: its mean is at
// most that of losses of 0 and 1 with the same mean, so that tests of the share hold for the mean loss too.
func (m *labelMetrics) accepted(one label) {
	for _, slice := range append([]string{""}, one.slices...) {
		m.add(one.revision, slice, 1-one.loss, one.loss)
	}
}

func (m *labelMetrics) add(revision, slice string, good, bad float64) {
	m.total.WithLabelValues(m.deployment, m.process, revision, slice, "good").Add(good)
	m.total.WithLabelValues(m.deployment, m.process, revision, slice, "bad").Add(bad)
}

func (m *labelMetrics) refused(reason string) { m.refusals.WithLabelValues(reason).Inc() }
