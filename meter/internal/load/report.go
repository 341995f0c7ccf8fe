package load

import (
	"encoding/json"
	"math"
	"strconv"
)

const (
	// told are the bytes of a problem that are told, and toldSteps the steps: a termination message has 4 KiB.
	told      = 512
	toldSteps = 24
)

// Report is the outcome of a run. Figures that are unknown are absent.
type Report struct {
	// Rate is the highest in requests per second that keeps the bound; 0: none did.
	Rate      float64 `json:"rate"`
	LimitedBy string  `json:"limitedBy,omitempty"`
	// Latencies at that rate by quantile, in seconds.
	Latencies map[string]float64 `json:"latencies,omitempty"`
	// AloneSeconds is the latency of a request when there is no other.
	AloneSeconds float64 `json:"aloneSeconds,omitempty"`
	// ReadySeconds is how long the target was waited for.
	ReadySeconds float64 `json:"readySeconds"`
	MemoryBytes  int64   `json:"memoryBytes,omitempty"`
	// Cores is the processor time per second at that rate.
	Cores float64 `json:"cores,omitempty"`
	Steps []Rung  `json:"steps,omitempty"`
	// Problem is why there are no figures, or the last answer that failed.
	Problem string `json:"problem,omitempty"`
}

// Rung is one step in short. Seconds: the latency at the quantile of the bound; absent: the request failed.
type Rung struct {
	Rate    float64 `json:"rate"`
	Sent    int     `json:"sent"`
	Missed  int     `json:"missed,omitempty"`
	Failed  int     `json:"failed,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
}

func (r Report) with(found Found, bound Bound, problem string) Report {
	r.LimitedBy = found.LimitedBy
	failed := false
	for _, step := range found.Steps {
		failed = failed || step.Failed > 0
		rung := Rung{Rate: rounded(step.Rate), Sent: step.Sent, Missed: step.Missed, Failed: step.Failed}
		if at := quantile(step.Latencies, bound.Quantile); !math.IsInf(at, 1) {
			rung.Seconds = rounded(at)
		}
		r.Steps = append(r.Steps, rung)
	}
	r.Steps = r.Steps[max(0, len(r.Steps)-toldSteps):]
	if failed {
		r.Problem = problem
	}
	if best := found.Best; best != nil {
		r.Rate, r.Cores = rounded(best.Rate), rounded(best.Cores)
		r.Latencies = map[string]float64{}
		for _, share := range []float64{0.5, 0.9, bound.Quantile} {
			if at := quantile(best.Latencies, share); !math.IsInf(at, 1) {
				r.Latencies[strconv.FormatFloat(share, 'g', -1, 64)] = rounded(at)
			}
		}
	}
	return r
}

func (r Report) text() []byte {
	r.Problem = string([]rune(r.Problem)[:min(told, len([]rune(r.Problem)))])
	text, err := json.Marshal(r)
	if err != nil {
		// All of it are finite numbers and text.
		panic(err)
	}
	return text
}

// rounded has four significant digits.
func rounded(value float64) float64 {
	found, _ := strconv.ParseFloat(strconv.FormatFloat(value, 'g', 4, 64), 64)
	return found
}
