package token

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"evenkeel.dev/meter/internal/profile"
)

// States of the signing of answers.
const (
	// Signing: answers get tokens.
	Signing = "Signing"
	// NoKeys: there is no key.
	NoKeys = "NoKeys"
	// KeysBroken: there are keys, of which none can be used.
	KeysBroken = "KeysBroken"
)

// maxWhy bounds the label that says what is wrong, in bytes.
const maxWhy = 300

var info = prometheus.NewDesc(
	"evenkeel_model_feedback_info", "Whether answers get feedback tokens, and what is wrong with keys and slices.",
	[]string{"state", "why"}, nil)

// Describe makes the Signer a prometheus.Collector.
func (s *Signer) Describe(to chan<- *prometheus.Desc) { to <- info }

// Collect tells the state.
func (s *Signer) Collect(to chan<- prometheus.Metric) {
	state, why := s.State()
	to <- prometheus.MustNewConstMetric(info, prometheus.GaugeValue, 1, state, why)
}

// State tells whether answers get tokens, and in a few words what is wrong with keys and slices; "" if nothing is.
func (s *Signer) State() (state, why string) {
	ring := s.keys.refresh(keysPeriod)
	switch {
	case len(ring.keys) > 0:
		state = Signing
	case ring.broken:
		state = KeysBroken
	default:
		state = NoKeys
	}
	problems := slices.DeleteFunc([]string{ring.problem, s.unknownSlices()}, func(text string) bool { return text == "" })
	why = strings.Join(problems, "; ")
	if len(why) > maxWhy {
		why = why[:maxWhy] + "..."
	}
	return state, strings.ToValidUTF8(why, "?")
}

// unknownSlices says by which names labels are not sliced. Without a profile, which tells that itself, none is
// known to be wrong.
func (s *Signer) unknownSlices() string {
	current := s.profile()
	if current == nil {
		return ""
	}
	var unknown []string
	for _, name := range s.slices {
		if !slices.ContainsFunc(current.Features, func(f profile.Variable) bool {
			return f.Name == name && f.Type == profile.Categorical
		}) {
			unknown = append(unknown, name)
		}
	}
	var problems []string
	if len(unknown) > 0 {
		problems = append(problems, "slices that are no categorical features of the profile: "+strings.Join(unknown, ", "))
	}
	if len(s.left) > 0 {
		problems = append(problems, fmt.Sprintf("slices beyond the first %d: %s", MaxSlices, strings.Join(s.left, ", ")))
	}
	return strings.Join(problems, "; ")
}
