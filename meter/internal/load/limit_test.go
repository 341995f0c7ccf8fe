package load

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Of the order-statistic bound: 368 requests without a slow one show a p99 at 97.5 %, 367 do not.
func TestTooFewRequestsTellNothing(t *testing.T) {
	if got := tolerated(367, 0.99); got != -1 {
		t.Errorf("of 367 %d", got)
	}
	if got := tolerated(368, 0.99); got != 0 {
		t.Errorf("of 368 %d", got)
	}
	if got := least(0.99); got != 555 {
		t.Errorf("one of %d is forgiven", got)
	}
}

// The values are those of the binomial distribution, which the sum in logarithms must not lose for large n.
func TestWhatIsToleratedIsTheBinomialsTail(t *testing.T) {
	for _, quantile := range []float64{0.5, 0.9, 0.99, 0.999} {
		for _, n := range []int{1, 50, 1000, 100_000} {
			c := tolerated(n, quantile)
			if at := below(n, c, 1-quantile); c >= 0 && at > 1-confidence+1e-9 {
				t.Errorf("%d of %d at %v: %v", c, n, quantile, at)
			}
			if next := below(n, c+1, 1-quantile); next <= 1-confidence-1e-9 {
				t.Errorf("one more than %d of %d at %v would do: %v", c, n, quantile, next)
			}
		}
	}
}

// below is P(Bin(n, share) <= c), by the gamma function.
func below(n, c int, share float64) float64 {
	sum := 0.0
	for k := range c + 1 {
		choose := lgamma(n+1) - lgamma(k+1) - lgamma(n-k+1)
		sum += math.Exp(choose + float64(k)*math.Log(share) + float64(n-k)*math.Log1p(-share))
	}
	return sum
}

func lgamma(n int) float64 {
	value, _ := math.Lgamma(float64(n))
	return value
}

// A server of which exactly 1 % of the requests are slow has a p99 at the bound, and passes one time in forty.
func TestAServerAtTheBoundSeldomPasses(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const rounds, n = 4000, 1000
	passed, most := 0, tolerated(n, 0.99)
	for range rounds {
		missed := 0
		for range n {
			if random.Float64() < 0.01 {
				missed++
			}
		}
		if missed <= most {
			passed++
		}
	}
	if share := float64(passed) / rounds; share > 0.035 || share == 0 {
		t.Errorf("%.3f passed", share)
	}
}
