package load

import (
	"context"
	"math"
	"testing"
	"time"
)

// simulated is a server with a queue, so many workers and one service time, by a clock of its own.
type simulated struct {
	workers int
	service time.Duration
	bound   time.Duration
	// breaks is the rate from which on it is gone for good; 0: never.
	breaks float64
	gone   bool
	// late: this side sends everything too late.
	late bool
	// hiccup is the number of the attack in which it stands still for a while; 0: none.
	hiccup int
	now    time.Duration
	free   []time.Duration
	sent   []float64
}

func (s *simulated) Now() time.Duration { return s.now }

func (s *simulated) Recovered(context.Context) bool {
	s.drain()
	return !s.gone
}

func (s *simulated) Attack(ctx context.Context, rate float64, requests int, enough func(Step) bool) Step {
	s.sent = append(s.sent, rate)
	if s.free == nil {
		s.free = make([]time.Duration, s.workers)
	}
	step, began := Step{Rate: rate}, s.now
	if len(s.sent) == s.hiccup {
		for w := range s.free {
			s.free[w] = s.now + 10*s.bound
		}
	}
	for i := range requests {
		due := began + time.Duration(float64(i)/rate*float64(time.Second))
		next := 0
		for w, until := range s.free {
			if until < s.free[next] {
				next = w
			}
		}
		s.free[next] = max(s.free[next], due) + s.service
		s.now = max(s.now, due)
		latency := s.free[next] - due
		s.gone = s.gone || s.breaks > 0 && rate >= s.breaks
		step.Sent++
		if s.late {
			step.Late++
		}
		step.Latencies = append(step.Latencies, latency.Seconds())
		if s.gone || latency > s.bound {
			step.Missed++
		}
		if enough(step) {
			break
		}
	}
	s.drain()
	return step
}

func (s *simulated) drain() {
	for _, until := range s.free {
		s.now = max(s.now, until)
	}
}

var p99 = Bound{Quantile: 0.99, Latency: 100 * time.Millisecond}

func TestTheRateThatIsFoundIsTheServersCapacity(t *testing.T) {
	for _, workers := range []int{1, 2, 7, 64} {
		for _, service := range []time.Duration{time.Millisecond, 7 * time.Millisecond, 60 * time.Millisecond} {
			server := &simulated{workers: workers, service: service, bound: p99.Latency}
			capacity := float64(workers) / service.Seconds()
			found := Search(t.Context(), server, p99, 0.5/service.Seconds(), 1e6, time.Hour)
			if found.Best == nil || found.LimitedBy != ByLatency {
				t.Fatalf("%d workers of %v: %+v", workers, service, found)
			}
			if ratio := found.Best.Rate / capacity; ratio < 0.8 || ratio > 1.2 {
				t.Errorf("%d workers of %v: %.1f of %.1f requests/s", workers, service, found.Best.Rate, capacity)
			}
			if server.now > 10*time.Minute {
				t.Errorf("%d workers of %v took %v", workers, service, server.now)
			}
		}
	}
}

func TestARateThatTheTargetCouldExceedIsNotExceeded(t *testing.T) {
	server := &simulated{workers: 8, service: time.Millisecond, bound: p99.Latency}
	found := Search(t.Context(), server, p99, 10, 300, time.Hour)
	if found.LimitedBy != ByMaxRate || found.Best == nil || found.Best.Rate != 300 {
		t.Errorf("%+v", found)
	}
	for _, rate := range server.sent {
		if rate > 300 {
			t.Errorf("sent %.1f requests/s", rate)
		}
	}
}

func TestATargetThatIsSlowByItselfHasNoRate(t *testing.T) {
	server := &simulated{workers: 4, service: 200 * time.Millisecond, bound: p99.Latency}
	found := Search(t.Context(), server, p99, 2.5, 1000, 100*time.Hour)
	if found.Best != nil || found.LimitedBy != ByLatency {
		t.Errorf("%+v", found)
	}
}

func TestAGeneratorThatIsTooSlowIsNotTakenForTheTarget(t *testing.T) {
	server := &simulated{workers: 1, service: time.Millisecond, bound: p99.Latency, late: true}
	if found := Search(t.Context(), server, p99, 500, 1e6, time.Hour); found.LimitedBy != ByGenerator {
		t.Errorf("limited by %s", found.LimitedBy)
	}
}

func TestOneDisturbanceIsNotTakenForTheTarget(t *testing.T) {
	for attack := 1; attack < 9; attack++ {
		server := &simulated{workers: 4, service: 10 * time.Millisecond, bound: p99.Latency, hiccup: attack}
		found := Search(t.Context(), server, p99, 50, 1e6, time.Hour)
		if found.Best == nil || found.Best.Rate < 0.8*400 || found.Best.Rate > 1.2*400 {
			t.Errorf("disturbed at attack %d: %+v", attack, found.Best)
		}
	}
}

// What was found before counts, and nothing more is sent.
func TestATargetThatBreaksDownIsLeftAlone(t *testing.T) {
	server := &simulated{workers: 8, service: time.Millisecond, bound: p99.Latency, breaks: 200}
	found := Search(t.Context(), server, p99, 50, 1e6, time.Hour)
	if found.LimitedBy != ByFailure || found.Best == nil || found.Best.Rate != 100 {
		t.Errorf("%+v", found)
	}
	if last := found.Steps[len(found.Steps)-1]; last.Sent > 50 {
		t.Errorf("%d requests were sent to a server that was gone", last.Sent)
	}
}

func TestNoStepBeginsThatWouldEndTooLate(t *testing.T) {
	server := &simulated{workers: 8, service: time.Millisecond, bound: p99.Latency}
	found := Search(t.Context(), server, p99, 100, 1e6, 12*time.Second)
	if found.LimitedBy != ByTime || len(found.Steps) != 2 || found.Best == nil || found.Best.Rate != 200 {
		t.Errorf("%+v", found)
	}
	if server.now > 12*time.Second+server.service {
		t.Errorf("it took %v", server.now)
	}
}

func TestAStepIsLongEnoughForItsQuantile(t *testing.T) {
	for _, rate := range []float64{0.5, 10, 5000} {
		length := Length(p99, rate)
		if rate*length.Seconds() < 555-1e-6 || length < 5*time.Second {
			t.Errorf("%v at %v requests/s", length, rate)
		}
	}
	slow := Bound{Quantile: 0.9, Latency: 2 * time.Second}
	if length := Length(slow, 1e5); length != 40*time.Second {
		t.Errorf("%v, in which no queue grows to %v", length, slow.Latency)
	}
}

func TestAnEndThatIsAskedForEndsTheSearch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	found := Search(ctx, &simulated{workers: 1, service: time.Millisecond, bound: p99.Latency}, p99, 10, 100, math.MaxInt64)
	if len(found.Steps) != 0 || found.LimitedBy != ByTime {
		t.Errorf("%+v", found)
	}
}
