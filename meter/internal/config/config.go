// Package config is what the environment tells the meter.
package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"evenkeel.dev/meter/internal/environ"
)

// Most that METER_MAX_BODY_BYTES may be: copies are held in memory.
const mostBodyBytes = 64 << 20

// Most that METER_LEARN_ROWS may be: a sample of them is held in memory.
const mostLearnedRows = 100_000

// Config is that of the sidecar. Addresses are host:port; an empty one says that there is none.
type Config struct {
	Listen, Upstream         string
	GRPCListen, GRPCUpstream string
	AdminListen              string
	// RuntimeMetrics is the URL of the model server's own metrics.
	RuntimeMetrics                string
	Deployment, Revision, Version string
	// Profile is the path of the reference profile.
	Profile string
	// LearnRows are learned as a reference where there is no profile, in LearnSpan at least; 0: none is learned.
	LearnRows int
	LearnSpan time.Duration
	// LearnedProfile is the path of the reference that all pods share.
	LearnedProfile string
	// MaxBodyBytes is the size up to which bodies are looked at.
	MaxBodyBytes int64
	// Spacing is the least time between two rows that are counted.
	Spacing time.Duration
	// ReadyPath is the model server's; empty: it is ready when it accepts connections.
	ReadyPath string
	// WarmUp is nil if none is wanted.
	WarmUp *WarmUp
	// Keys is the folder of keys that sign feedback tokens.
	Keys string
	// Slices are names of features.
	Slices []string
	// Division is the path of the file that tells what other revisions get; "": they get nothing.
	Division string
	// ShadowTolerance is the relative difference up to which numbers of two answers are the same.
	ShadowTolerance float64
}

// FromEnvironment reads the variables METER_* and WARM_UP_*; empty ones are as absent ones.
//
// The error is one line that says which variable is wrong and what it must be.
func FromEnvironment(getenv func(string) string) (Config, error) {
	e := environment{environ.Reader{Getenv: getenv}}
	c := Config{
		Listen:         e.address("METER_LISTEN", ":8090"),
		Upstream:       e.address("METER_UPSTREAM", "127.0.0.1:8080"),
		GRPCListen:     e.address("METER_GRPC_LISTEN", ""),
		GRPCUpstream:   e.address("METER_GRPC_UPSTREAM", ""),
		AdminListen:    e.address("METER_ADMIN_LISTEN", ":8092"),
		RuntimeMetrics: e.url("METER_RUNTIME_METRICS"),
		Deployment:     e.header("METER_DEPLOYMENT"),
		Revision:       e.header("METER_REVISION"),
		Version:        e.header("METER_VERSION"),
		Profile:        getenv("METER_PROFILE"),
		LearnRows:      int(e.number("METER_LEARN_ROWS", 0, 0, mostLearnedRows)),
		LearnSpan:      time.Duration(e.number("METER_LEARN_SECONDS", 0, 0, 366*86400)) * time.Second,
		LearnedProfile: getenv("METER_LEARNED_PROFILE"),
		MaxBodyBytes:   e.number("METER_MAX_BODY_BYTES", 1<<20, 0, mostBodyBytes),
		Spacing:        time.Duration(e.number("METER_SPACING_MILLISECONDS", 0, 0, 86400_000)) * time.Millisecond,
		ReadyPath:      e.path("METER_READY_PATH"),
		WarmUp:         e.warmUp(),
		Keys:           getenv("METER_KEYS"),
		Slices:         names(getenv("METER_SLICES")),
		Division:       getenv("METER_DIVISION"),

		ShadowTolerance: e.ratio("METER_SHADOW_TOLERANCE", 1e-6),
	}
	if (c.GRPCListen == "") != (c.GRPCUpstream == "") {
		e.Wrong("METER_GRPC_LISTEN", "must be given together with METER_GRPC_UPSTREAM")
	}
	return c, e.Problem
}

type environment struct{ environ.Reader }

func (e *environment) address(name, otherwise string) string {
	value := e.Getenv(name)
	if value == "" {
		return otherwise
	}
	_, port, err := net.SplitHostPort(value)
	if number, wrong := strconv.Atoi(port); err != nil || wrong != nil || number < 0 || number > 65535 {
		e.Wrong(name, "must be an address such as 127.0.0.1:8080 or :8090")
	}
	return value
}

func (e *environment) number(name string, otherwise, least, most int64) int64 {
	value := e.Getenv(name)
	if value == "" {
		return otherwise
	}
	number, err := strconv.ParseInt(value, 10, 64)
	if err != nil || number < least || number > most {
		e.Wrong(name, fmt.Sprintf("must be a whole number from %d to %d", least, most))
	}
	return number
}

func (e *environment) ratio(name string, otherwise float64) float64 {
	value := e.Getenv(name)
	if value == "" {
		return otherwise
	}
	number, err := strconv.ParseFloat(value, 64)
	if err != nil || !(0 <= number && number <= 1) {
		e.Wrong(name, "must be a number from 0 to 1")
	}
	return number
}

func (e *environment) url(name string) string {
	value := e.Getenv(name)
	parsed, err := url.Parse(value)
	if value != "" && (err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "") {
		e.Wrong(name, "must be a URL such as http://127.0.0.1:8082/metrics")
	}
	return value
}

func (e *environment) path(name string) string {
	value := e.Getenv(name)
	if _, err := url.ParseRequestURI(value); value != "" && (err != nil || value[0] != '/') {
		e.Wrong(name, "must be a path that begins with /")
	}
	return value
}

// header reads what answers tell in a header.
func (e *environment) header(name string) string {
	value := e.Getenv(name)
	if !httpguts.ValidHeaderFieldValue(value) {
		e.Wrong(name, "must be text without control characters")
	}
	return value
}

func names(list string) []string {
	var found []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found
}
