package token

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"evenkeel.dev/meter/internal/profile"
)

func TestTheStateTellsWhatIsWrong(t *testing.T) {
	known := &profile.Profile{Features: []profile.Variable{
		{Name: "region", Type: profile.Categorical}, {Name: "load", Type: profile.Numeric},
	}}
	good := map[string]string{"a": first}
	many := strings.Split("region,s1,s2,s3,s4,s5,s6,s7,s8,s9", ",")
	for name, c := range map[string]struct {
		folder  string
		slices  []string
		profile *profile.Profile
		state   string
		why     []string
	}{
		"all is well":        {folder(t, good), []string{"region"}, known, Signing, nil},
		"no profile":         {folder(t, good), []string{"load"}, nil, Signing, nil},
		"unknown slices":     {folder(t, good), []string{"load", "region", "place"}, known, Signing, []string{"features of the profile: load, place"}},
		"too many slices":    {folder(t, good), many, known, Signing, []string{"s1, s2", "beyond the first 8: s8, s9"}},
		"no key":             {folder(t, nil), nil, known, NoKeys, []string{"there is no key in"}},
		"no folder":          {filepath.Join(t.TempDir(), "none"), nil, known, NoKeys, []string{"cannot read the keys"}},
		"no folder but file": {filepath.Join(folder(t, good), "a"), nil, known, KeysBroken, []string{"cannot read the keys"}},
		"short key":          {folder(t, map[string]string{"a": "abc"}), nil, known, KeysBroken, []string{"key a: it has 3 bytes"}},
		"one key of two": {
			folder(t, map[string]string{"a": first, "b": "abc"}), []string{"load"}, known, Signing, []string{"key b: it has 3 bytes", "profile: load"},
		},
	} {
		signer := NewSigner(OpenKeys(c.folder), "elec", "r1", c.slices, func() *profile.Profile { return c.profile })
		state, why := signer.State()
		if state != c.state || (why == "") != (c.why == nil) {
			t.Errorf("%s: %s, %q", name, state, why)
		}
		for _, words := range c.why {
			if !strings.Contains(why, words) {
				t.Errorf("%s: %q is not in %q", name, words, why)
			}
		}
	}
}

func TestTheStateIsAMetricOfFewWords(t *testing.T) {
	path, now := t.TempDir(), noon
	keys := openKeys(path, func() time.Time { return now })
	registry := prometheus.NewRegistry()
	long := []string{strings.Repeat("ü", 400)}
	signer := NewSigner(keys, "elec", "r1", long, func() *profile.Profile { return &profile.Profile{} })
	registry.MustRegister(signer)
	if _, why := signer.State(); len(why) > maxWhy+3 {
		t.Errorf("%d bytes", len(why))
	}
	signer.slices = nil
	put(t, path, "a", "abc")
	now = now.Add(keysPeriod)
	want := `
# HELP evenkeel_model_feedback_info Whether answers get feedback tokens, and what is wrong with keys and slices.
# TYPE evenkeel_model_feedback_info gauge
evenkeel_model_feedback_info{state="KeysBroken",why="key a: it has 3 bytes, but must have 16 to 4096"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	put(t, path, "b", first)
	if err := os.Remove(filepath.Join(path, "a")); err != nil {
		t.Fatal(err)
	}
	now = now.Add(keysPeriod)
	want = strings.Replace(strings.Replace(want, "KeysBroken", Signing, 1), "key a: it has 3 bytes, but must have 16 to 4096", "", 1)
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
