package load

import "math"

const (
	// tries are those of a step that fails.
	tries = 2
	// confidence of each of them, so that a rate that is found keeps the bound at one of 95 %, as far as the
	// requests of a step tell.
	confidence = 1 - 0.05/tries
)

// forgiven are the requests that may miss the bound in the shortest step.
const forgiven = 1

// tolerated is the largest number of n requests that may miss the bound so that the quantile is within it at
// the confidence; -1: n are too few to tell.
//
// It is the one-sided confidence bound of a quantile by order statistics (Conover, Practical Nonparametric
// Statistics, section 3.2): the quantile of the distribution is at most x(n-c), the c slowest of n left out, at
// a confidence of 1 - P(Bin(n, 1-quantile) <= c).
func tolerated(n int, quantile float64) int {
	share := 1 - quantile
	ratio := math.Log(share / quantile)
	term := float64(n) * math.Log(quantile)
	sum, found := 0.0, -1
	for c := 0; c < n; c++ {
		if sum += math.Exp(term); sum > 1-confidence {
			break
		}
		found = c
		term += math.Log(float64(n-c)/float64(c+1)) + ratio
	}
	return found
}

// least is the number of requests from which on one that misses the bound is forgiven.
func least(quantile float64) int {
	low, high := 1, 2
	for tolerated(high, quantile) < forgiven {
		low, high = high, 2*high
	}
	for high-low > 1 {
		if middle := (low + high) / 2; tolerated(middle, quantile) < forgiven {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}
