// Package count counts the features and predictions that pass into the bins of the model's profile.
package count

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/learn"
	"evenkeel.dev/meter/internal/profile"
)

// Result is what became of an exchange's bodies.
type Result string

// Results. Each exchange has one: Counted if its request or its answer was, else that of its request, or of its
// answer where the profile has no features. What did not fit is counted apart.
const (
	// Counted: rows of the request or of the answer were counted.
	Counted Result = "counted"
	// Skipped: nobody looked, as there is no profile, no row was due, the queue was full, there are no rows, or
	// the model server did not answer with success.
	Skipped Result = "skipped"
	// TooLarge: it has more bytes than are looked at.
	TooLarge Result = "too_large"
	// Unreadable: it breaks its own protocol.
	Unreadable Result = "unreadable"
	// Unknown: it is of no protocol that is read.
	Unknown Result = "unknown"
	// Mismatched: its rows have none of the profile's features, or of its predictions.
	Mismatched Result = "mismatched"
	// Learned: rows were taken into the reference that is being learned.
	Learned Result = "learned"
)

// Counter counts exchanges. It is an exchange.Observer.
type Counter struct {
	spacing time.Duration
	watch   watch
	used    atomic.Pointer[used]
	last    time.Time

	// absent tells that there is no profile, and none that is broken.
	absent    atomic.Bool
	shared    string
	learner   *learn.Learner
	published *learn.Published

	bodies    map[Result]prometheus.Counter
	values    *prometheus.CounterVec
	reference *prometheus.GaugeVec
	unfit     *prometheus.CounterVec
	info      *prometheus.GaugeVec
}

// used is the profile that rows are counted by.
type used struct {
	profile               *profile.Profile
	features, predictions *part
}

// New looks for the profile at a path, and registers its metrics. spacing is the least time between two rows
// that are counted, so that these depend little on each other; 0: each row is counted. It panics if metrics of
// these names are registered already.
func New(path string, spacing time.Duration, registerer prometheus.Registerer) *Counter {
	c := &Counter{spacing: spacing, watch: watch{path: path}, bodies: map[Result]prometheus.Counter{}}
	c.values = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "evenkeel_model_values_total",
		Help: "Rows by the bin of the reference profile that their value is in.",
	}, []string{"kind", "name", "bin"})
	c.reference = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "evenkeel_model_reference_values",
		Help: "Rows of the reference by bin; range is what the bin holds.",
	}, []string{"kind", "name", "bin", "range"})
	c.unfit = newUnfitCounts()
	c.info = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "evenkeel_model_profile_info",
		Help: "Whether the reference profile is used, and why not.",
	}, []string{"digest", "state", "why", "source"})
	results := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "evenkeel_model_bodies_total",
		Help: "Exchanges by what became of their bodies.",
	}, []string{"result"})
	for _, result := range []Result{Counted, Skipped, TooLarge, Unreadable, Unknown, Mismatched, Learned} {
		c.bodies[result] = results.WithLabelValues(string(result))
	}
	registerer.MustRegister(results, c.values, c.reference, c.unfit, c.info)
	c.look()
	return c
}

// Uncounted counts an exchange that was not observed, by its result, such as Skipped or TooLarge. It may be called
// by several goroutines.
func (c *Counter) Uncounted(result string) {
	if counter, known := c.bodies[Result(result)]; known {
		counter.Inc()
	}
}

// Profile is the one that is used, nil while there is none. It may be called by several goroutines.
func (c *Counter) Profile() *profile.Profile {
	if used := c.used.Load(); used != nil {
		return used.profile
	}
	return nil
}

// Observe counts an exchange.
func (c *Counter) Observe(e exchange.Exchange) {
	result := Unreadable
	defer func() {
		// Whatever passes is somebody else's: a body that a reader fails on must not end the process that
		// requests go through.
		if failure := recover(); failure != nil {
			slog.Error("a body was not counted", "failure", failure, "path", e.Path)
		}
		c.bodies[result].Inc()
	}()
	result = c.observe(e)
}

func (c *Counter) observe(e exchange.Exchange) Result {
	used := c.used.Load()
	if used == nil {
		return c.learn(e)
	}
	c.learner = nil
	if !c.due(e) {
		return Skipped
	}
	if !e.Succeeded() {
		return refused(e)
	}
	choice := c.choice()
	features := used.features.count(bodies.Request, e, choice)
	predictions := used.predictions.count(bodies.Answer, e, choice)
	if features == Counted || predictions == Counted {
		c.last = e.Began
		return Counted
	}
	if len(used.profile.Features) == 0 {
		return predictions
	}
	return features
}

// due tells whether the spacing from the last row is kept.
func (c *Counter) due(e exchange.Exchange) bool {
	return c.spacing == 0 || e.Began.Sub(c.last) >= c.spacing
}

func (c *Counter) choice() rows { return rows{all: c.spacing == 0, at: rand.Float64()} }

// refused is the result where the model server did not take the request: its rows are no data of the model's, but
// a body that nobody can read is told from others.
func refused(e exchange.Exchange) Result {
	if _, err := bodies.Request(e); errors.Is(err, bodies.ErrUnreadable) {
		return Unreadable
	}
	return Skipped
}

// rows chooses those of a batch that are counted: all, or one.
//
// The one is drawn evenly from the batch, as its place there may say something of its values: batches are
// sorted, begin with the same customer or end with padding. It is the same one of request and answer where
// these have as many rows.
type rows struct {
	all bool
	// at is from 0 to 1, without it.
	at float64
}

// of gives the first row that is counted of some, and the one after the last.
func (r rows) of(number int) (from, to int) {
	if r.all || number == 0 {
		return 0, number
	}
	row := min(int(r.at*float64(number)), number-1)
	return row, row + 1
}
