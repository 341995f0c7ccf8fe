package load

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"

	"evenkeel.dev/meter/internal/environ"
)

// Config is what a run is told.
type Config struct {
	// URL is asked by POST.
	URL         string
	ContentType string
	Body        []byte
	Bound       Bound
	// MaxRate is the highest rate that is tried, in requests per second.
	MaxRate float64
	// Start is the time within which the target has to be ready, and Duration that of the search.
	Start, Duration time.Duration
	// ReadyPath answers 2xx or 3xx once the target is ready; empty: it is once connections are accepted.
	ReadyPath string
	// Report is the file that gets the report.
	Report string
}

// FromEnvironment reads the variables LOAD_*. The error says which is wrong, and what it must be.
func FromEnvironment(getenv func(string) string) (Config, error) {
	e := environment{environ.Reader{Getenv: getenv}}
	c := Config{
		URL:         getenv("LOAD_URL"),
		ContentType: cmp.Or(getenv("LOAD_CONTENT_TYPE"), "application/json"),
		Body:        []byte(getenv("LOAD_BODY")),
		ReadyPath:   getenv("LOAD_READY_PATH"),
		Report:      cmp.Or(getenv("LOAD_REPORT"), "/dev/termination-log"),
		MaxRate:     e.number("LOAD_MAX_RATE", "1000", 0.001, 1e6),
		Start:       e.seconds("LOAD_START_SECONDS", "600"),
		Duration:    e.seconds("LOAD_DURATION_SECONDS", "300"),
		Bound: Bound{
			Quantile: e.number("LOAD_QUANTILE", "0.99", 0.5, 0.9999),
			Latency:  e.seconds("LOAD_LATENCY_SECONDS", "0.1"),
		},
	}
	if target, err := url.Parse(c.URL); err != nil || target.Scheme != "http" || target.Host == "" {
		e.Wrong("LOAD_URL", "must be a URL such as http://127.0.0.1:8080/v2/models/m/infer")
	}
	if file := getenv("LOAD_BODY_FILE"); file != "" {
		var err error
		if c.Body, err = os.ReadFile(file); err != nil {
			e.Wrong("LOAD_BODY_FILE", fmt.Sprintf("must be a file with the body of a request: %v", err))
		}
	}
	return c, e.Problem
}

type environment struct{ environ.Reader }

func (e *environment) number(name, otherwise string, least, most float64) float64 {
	number, err := strconv.ParseFloat(cmp.Or(e.Getenv(name), otherwise), 64)
	if err != nil || !(number >= least && number <= most) {
		e.Wrong(name, fmt.Sprintf("must be a number from %v to %v", least, most))
	}
	return number
}

func (e *environment) seconds(name, otherwise string) time.Duration {
	return time.Duration(e.number(name, otherwise, 0.0001, 86400) * float64(time.Second))
}
