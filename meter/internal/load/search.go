// Package load finds the rate of requests that a model server carries within a bound of latency.
//
// The load is open: requests are sent at their times, whether those before are answered or not, and latency is
// counted from the time at which a request was due. A server that stands still is so seen as slow by all who
// would have asked it meanwhile (no coordinated omission).
package load

import (
	"context"
	"math"
	"time"
)

const (
	// rise is the factor between two rates while nothing has failed.
	rise = 2
	// resolution is the ratio of failing and passing rate at which the search is over.
	resolution = 1.1
	// descents are the steps down from the first rate, if that fails.
	descents = 3
	// queues is the least time of a step in bounds of latency: an overload by a twentieth shows within it.
	queues = 20
)

// shortest is the least time of a step.
var shortest = 5 * time.Second

// Why the search has ended.
const (
	ByLatency   = "Latency"
	ByMaxRate   = "MaxRate"
	ByTime      = "Time"
	ByFailure   = "Failure"
	ByGenerator = "Generator"
)

// Bound is what a rate has to keep: so large a share of the requests is answered well within this time.
type Bound struct {
	Quantile float64
	Latency  time.Duration
}

// Step is what was seen at one rate.
type Step struct {
	// Rate is in requests per second.
	Rate float64
	Sent int
	// Missed are those that failed, or were answered later than the bound.
	Missed, Failed int
	// Late are those that this side has sent too late; it is the bottleneck then.
	Late int
	// Latencies are in seconds, in no order; those of failed requests are +Inf.
	Latencies []float64
	// Cores is the processor time that the target has used per second; 0: unknown.
	Cores float64
}

// Target is what is loaded.
type Target interface {
	// Attack sends so many requests at a constant rate and waits for their answers. It sends no more once enough
	// says so, or the context ends.
	Attack(ctx context.Context, rate float64, requests int, enough func(Step) bool) Step
	// Recovered waits until the target answers a single request within the bound; false: it does not any more.
	Recovered(ctx context.Context) bool
	// Now is the time since the start.
	Now() time.Duration
}

// Found is the outcome of a search.
type Found struct {
	// Best is the step with the highest rate that passed; nil: none did.
	Best  *Step
	Steps []Step
	// LimitedBy says why there is no higher rate.
	LimitedBy string
}

// Search finds the highest rate up to most that keeps the bound, to a tenth, by steps that begin at first.
//
// It doubles the rate until a step fails, then halves the ratio of the two (geometric bisection). A step that fails
// is tried once more. No step begins that would not end before the deadline.
func Search(ctx context.Context, t Target, bound Bound, first, most float64, deadline time.Duration) Found {
	s := search{target: t, bound: bound, deadline: deadline}
	low, high, limit := 0.0, math.Inf(1), ByLatency
	for rate, descended := math.Min(first, most), 0; ; {
		switch s.try(ctx, rate) {
		case carried:
			low = rate
		case missed:
			high, limit = rate, s.why()
		case broken:
			return s.found(ByFailure)
		case late:
			return s.found(ByTime)
		}
		switch {
		case low == most:
			return s.found(ByMaxRate)
		case low == 0 && descended == descents, low > 0 && high/low <= resolution:
			return s.found(limit)
		case low == 0:
			descended++
			rate = high / rise
		case math.IsInf(high, 1):
			rate = math.Min(low*rise, most)
		default:
			rate = math.Sqrt(low * high)
		}
	}
}

type search struct {
	target   Target
	bound    Bound
	deadline time.Duration
	steps    []Step
	best     *Step
}

// outcome is what came of a rate.
type outcome int

const (
	carried outcome = iota
	missed
	// broken: the target does not answer any more.
	broken
	// late: there was no time for it.
	late
)

// try tells whether the target carries the rate; a neighbour may have disturbed it once.
func (s *search) try(ctx context.Context, rate float64) outcome {
	for range tries {
		if !s.step(ctx, rate) {
			return late
		}
		if s.passed() {
			return carried
		}
		if !s.target.Recovered(ctx) {
			return broken
		}
	}
	return missed
}

// step loads the target at the rate; false: there was no time for it.
func (s *search) step(ctx context.Context, rate float64) bool {
	length := Length(s.bound, rate)
	if ctx.Err() != nil || s.target.Now()+length > s.deadline {
		return false
	}
	requests := int(math.Ceil(rate * length.Seconds()))
	// What can no longer pass has failed: the target gets no more of it.
	most := tolerated(requests, s.bound.Quantile)
	seen := s.target.Attack(ctx, rate, requests, func(so Step) bool { return so.Missed > most })
	if ctx.Err() != nil {
		return false
	}
	s.steps = append(s.steps, seen)
	if seen.Sent == requests && seen.Missed <= most && (s.best == nil || rate > s.best.Rate) {
		s.best = &seen
	}
	return true
}

// passed tells whether the last step did.
func (s *search) passed() bool {
	return s.best != nil && s.best.Rate == s.steps[len(s.steps)-1].Rate
}

// why is what has kept the last step from passing.
func (s *search) why() string {
	last := s.steps[len(s.steps)-1]
	if last.Late > max(0, tolerated(last.Sent, s.bound.Quantile)) {
		return ByGenerator
	}
	return ByLatency
}

func (s *search) found(limit string) Found {
	return Found{Best: s.best, Steps: s.steps, LimitedBy: limit}
}

// Length is the time of a step at a rate: enough requests to tell of the quantile, and enough time for a queue.
func Length(bound Bound, rate float64) time.Duration {
	enough := time.Duration(float64(least(bound.Quantile)) / rate * float64(time.Second))
	return max(shortest, queues*bound.Latency, enough)
}
