package count

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/learn"
)

// series are a metric's label values, in the order of their names, with its values.
func series(t testing.TB, registry *prometheus.Registry, name string, without ...string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				if len(without) == 0 || label.GetName() != without[0] {
					labels = append(labels, label.GetValue())
				}
			}
			value := metric.GetCounter().GetValue()
			if metric.GetGauge() != nil {
				value = metric.GetGauge().GetValue()
			}
			found[strings.Join(labels, "|")] = value
		}
	}
	return found
}

// told is the text that the metrics have of the learned reference.
func told(t testing.TB, registry *prometheus.Registry) string {
	t.Helper()
	found := series(t, registry, "evenkeel_model_learned_profile", "digest")
	text := ""
	for i := range len(found) {
		for labels := range found {
			if part, ok := strings.CutPrefix(labels, fmt.Sprintf("%04d|", i)); ok {
				text += part
			}
		}
	}
	return text
}

// A reference has, of the very rows that it was learned of, the counts that the meter counts by it.
func TestWhatIsLearnedIsWhatWouldBeCounted(t *testing.T) {
	colors := []string{`"red"`, `"blue"`, `null`, `"gr\u00fcn"`, `true`, `"` + strings.Repeat("x", 300) + `"`}
	number := func() string { return fmt.Sprintf("%.3g", rand.NormFloat64()*100) }
	color := func() string { return colors[rand.IntN(len(colors))] }
	binary := []byte(`{"inputs": [{"name": "m", "datatype": "FP32", "shape": [2, 2], "parameters": {"binary_data_size": 16}}]}`)
	for name, body := range map[string]func() string{
		"keys": func() string {
			return fmt.Sprintf(`{"instances": [{"x": %s, "c": %s}, {"x": %d}]}`, number(), color(), rand.IntN(9))
		},
		"lists":         func() string { return fmt.Sprintf(`{"instances": [[%s, %s], [1, 2, 3]]}`, number(), color()) },
		"of any length": func() string { return fmt.Sprintf(`{"instances": [[%s], [1, %s], [1, 2]]}`, number(), color()) },
		"columns":       func() string { return fmt.Sprintf(`{"inputs": {"a": [%s, 2], "b": [[%s], ["b"]]}}`, number(), color()) },
		"tensors": func() string {
			return fmt.Sprintf(`{"inputs": [{"name": "m", "datatype": "FP64", "shape": [2, 2], "data": [%s, 1, 2, %s]},
				{"name": "c", "datatype": "BYTES", "shape": [2, 1], "data": [%s, "x"]}]}`, number(), number(), color())
		},
		"one matrix": func() string {
			return fmt.Sprintf(`{"inputs": [{"name": "n%d", "datatype": "FP32", "shape": [1, 2], "data": [%s, %s]}]}`, rand.IntN(3), number(), number())
		},
		"lists and keys": func() string {
			if rand.IntN(3) == 0 {
				return fmt.Sprintf(`{"instances": [[%s, 1]]}`, number())
			}
			return fmt.Sprintf(`{"instances": [{"x": %s}]}`, number())
		},
		"bytes": func() string {
			content := make([]byte, 16)
			for i := range content {
				content[i] = byte(rand.IntN(256))
			}
			return string(binary) + string(content)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var passing []exchange.Exchange
			requests, answers := 0, 0
			for range 200 {
				e := passed(noon, body(), fmt.Sprintf(`{"predictions": [%d, %s]}`, rand.IntN(3), number()))
				if name == "bytes" {
					e.RequestHeader = map[string][]string{"Inference-Header-Content-Length": {fmt.Sprint(len(binary))}}
				}
				passing = append(passing, e)
				request, err := bodies.Request(e)
				if err != nil {
					t.Fatal(err)
				}
				requests, answers = requests+request.Rows, answers+2
			}
			registry := prometheus.NewRegistry()
			c := New("", 0, registry)
			shared := filepath.Join(t.TempDir(), "evenkeel-profile.json")
			c.Learn(shared, learn.New(max(requests, answers), 0, registry))
			for _, e := range passing {
				c.Observe(e)
			}
			learned := told(t, registry)
			if learned == "" {
				t.Fatal("nothing was learned")
			}
			if err := os.WriteFile(shared, []byte(learned), 0o600); err != nil {
				t.Fatal(err)
			}
			c.look()
			for _, e := range passing {
				c.Observe(e)
			}
			if got := series(t, registry, "evenkeel_model_profile_info"); len(got) != 1 || got[c.Profile().Digest+"|learned|Used|"] != 1 {
				t.Error(got)
			}
			counted, reference := series(t, registry, "evenkeel_model_values_total"), series(t, registry, "evenkeel_model_reference_values", "range")
			for bin, rows := range reference {
				if counted[bin] != rows {
					t.Errorf("%s: %v in the reference, %v counted", bin, rows, counted[bin])
				}
			}
		})
	}
}

func learning(t *testing.T, profilePath string, rows int) (*Counter, *prometheus.Registry, string) {
	t.Helper()
	registry := prometheus.NewRegistry()
	c := New(profilePath, 0, registry)
	shared := filepath.Join(t.TempDir(), "evenkeel-profile.json")
	c.Learn(shared, learn.New(rows, 0, registry))
	return c, registry, shared
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

var asked = passed(noon, `{"instances": [{"color": "red"}]}`, `{"predictions": [1]}`)

const learnedReference = `{"schema": "evenkeel.dev/profile/v1", "features": [{"name": "color", "type": "categorical",
 "categories": ["red"], "counts": [9], "other": 1, "missing": 0}], "predictions": [], "rows": 10, "source": "learned"}`

// What one pod has learned is not counted by: another pod may have learned something else.
func TestNothingIsCountedUntilAllPodsShareOneReference(t *testing.T) {
	c, registry, shared := learning(t, "", 1)
	c.Observe(asked)
	c.look()
	c.Observe(asked)
	if c.Profile() != nil || c.count(Learned) != 1 || c.count(Skipped) != 1 || told(t, registry) == "" {
		t.Error(c.count(Learned), c.count(Skipped))
	}
	put(t, shared, learnedReference)
	c.look()
	c.Observe(asked)
	if got := values(t, registry); got != "color 0 1" || c.count(Counted) != 1 {
		t.Error(got)
	}
	if got := told(t, registry); got != learnedReference {
		t.Errorf("told is %s", got)
	}
	if got := series(t, registry, "evenkeel_model_learning_ratio"); len(got) != 0 {
		t.Error(got)
	}
}

func TestAModelsOwnProfileComesFirst(t *testing.T) {
	for name, early := range map[string]bool{"from the start": true, "later": false} {
		t.Run(name, func(t *testing.T) {
			own := filepath.Join(t.TempDir(), "own.json")
			if early {
				put(t, own, reference)
			}
			c, registry, shared := learning(t, own, 1)
			c.Observe(asked)
			put(t, own, reference)
			put(t, shared, learnedReference)
			c.look()
			c.Observe(asked)
			if got := c.Profile().Source; got != "trainer" {
				t.Error(got)
			}
			if got := told(t, registry); got != "" {
				t.Error(got)
			}
		})
	}
}

func TestNothingIsLearnedBesideABrokenProfile(t *testing.T) {
	own := filepath.Join(t.TempDir(), "own.json")
	put(t, own, "{")
	c, registry, shared := learning(t, own, 1)
	put(t, shared, learnedReference)
	c.look()
	c.Observe(asked)
	if c.Profile() != nil || c.count(Skipped) != 1 || told(t, registry) != "" {
		t.Error(c.Profile(), told(t, registry))
	}
}

func TestABrokenSharedReferenceIsTold(t *testing.T) {
	c, _, shared := learning(t, "", 1)
	put(t, shared, `{"schema": 1}`)
	c.look()
	if got := state(t, c); !strings.HasPrefix(got, "Broken: the learned reference: schema") {
		t.Error(got)
	}
	put(t, shared, learnedReference)
	c.look()
	if got := state(t, c); got != "Used: ;" {
		t.Error(got)
	}
}

func TestWhatIsNotLearned(t *testing.T) {
	for name, c := range map[string]struct {
		e      exchange.Exchange
		result Result
	}{
		"unreadable":                {passed(noon, "{", "{"), Unreadable},
		"unknown":                   {passed(noon, "hello", "world"), Unknown},
		"refused":                   {exchange.Exchange{Protocol: exchange.HTTP, Code: 400, Request: asked.Request}, Skipped},
		"no rows":                   {passed(noon, `{"instances": []}`, `{"predictions": []}`), Skipped},
		"the answer alone is known": {passed(noon, "hello", `{"predictions": [1]}`), Learned},
		"the request alone is":      {passed(noon, `{"instances": [[1]]}`, "world"), Learned},
	} {
		t.Run(name, func(t *testing.T) {
			counter, _, _ := learning(t, "", 10)
			if counter.Observe(c.e); counter.count(c.result) != 1 {
				t.Errorf("not counted as %s", c.result)
			}
		})
	}
}

func TestRowsAreLearnedInTheSpacing(t *testing.T) {
	registry := prometheus.NewRegistry()
	c := New("", time.Second, registry)
	c.Learn("", learn.New(3, 0, registry))
	for _, after := range []time.Duration{0, 500, 999, 1000, 1500, 2000} {
		e := asked
		e.Began = noon.Add(after * time.Millisecond)
		c.Observe(e)
	}
	if c.count(Learned) != 3 || c.count(Skipped) != 3 || told(t, registry) == "" {
		t.Error(c.count(Learned), c.count(Skipped))
	}
}
