// Package learn makes a reference profile of the rows that a model is asked first, where its folder has none.
package learn

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/profile"
)

// What a sample may take at most, in bytes: 2 MiB in all.
const (
	featureBytes, featureTexts       = 1408 << 10, 256 << 10
	predictionBytes, predictionTexts = 320 << 10, 64 << 10
)

// again is the time until the reference is tried again where nothing could be made of the rows.
const again = 10 * time.Minute

// Learner samples rows until there are enough of them. It is used by one goroutine.
type Learner struct {
	*Published
	rows                  int
	span                  time.Duration
	features, predictions *sample
	began, due            time.Time
	done                  bool

	fields []bodies.Field
}

// New learns of so many rows, which must come in so much time at least: in less, the hours of a day would be held
// against a reference of one of them. It panics if metrics of its names are registered already.
func New(rows int, span time.Duration, registerer prometheus.Registerer) *Learner {
	l := &Learner{Published: publish(registerer), rows: rows, span: span}
	l.features = newSample(rows, profile.MaxFeatures, featureBytes, featureTexts)
	l.predictions = newSample(rows, profile.MaxPredictions, predictionBytes, predictionTexts)
	l.learning(0)
	return l
}

// Done tells whether enough has been learned.
func (l *Learner) Done() bool { return l.done }

// Learn takes the rows that choose gives, by their number, of a request and its answer; either may be nil. False:
// there are none that a profile could tell of.
func (l *Learner) Learn(at time.Time, request, answer *bodies.Table, choose func(rows int) (from, to int)) bool {
	if l.done {
		return false
	}
	features := l.take(l.features, request, choose)
	predictions := l.take(l.predictions, answer, choose)
	if !features && !predictions {
		return false
	}
	if l.began.IsZero() {
		l.began, l.due = at, at.Add(l.span)
	}
	seen := max(l.features.seen, l.predictions.seen)
	ratio := min(float64(seen)/float64(l.rows), 1)
	if l.span > 0 {
		ratio = min(ratio, float64(at.Sub(l.began))/float64(l.span))
	}
	l.learning(ratio)
	if seen >= int64(l.rows) && !at.Before(l.due) {
		l.finish(at)
	}
	return true
}

func (l *Learner) take(into *sample, table *bodies.Table, choose func(int) (int, int)) bool {
	if table == nil {
		return false
	}
	taken := false
	for row, to := choose(table.Rows); row < to; row++ {
		l.fields = table.Row(row, l.fields)
		taken = into.add(l.fields) || taken
	}
	clear(l.fields[:cap(l.fields)])
	return taken
}

func (l *Learner) finish(at time.Time) {
	text, err := reference(l.features, l.predictions)
	if err != nil {
		slog.Error("no reference could be learned", "error", err)
		l.due = at.Add(again)
		return
	}
	l.done = true
	l.features, l.predictions = nil, nil
	l.learned(text)
}
