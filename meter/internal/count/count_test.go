package count

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"evenkeel.dev/meter/internal/exchange"
)

const reference = `{"schema": "evenkeel.dev/profile/v1", "rows": 103, "source": "trainer",
 "features": [
   {"name": "temperature", "type": "numeric", "edges": [-1.5, 0.2], "counts": [50, 40, 10], "missing": 3},
   {"name": "color", "type": "categorical", "categories": ["red", "blue"], "counts": [70, 30], "missing": 3}],
 "predictions": [{"name": "label", "type": "categorical", "categories": ["0", "1"], "counts": [60, 43]}]}`

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func written(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evenkeel-profile.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func passed(at time.Time, request, response string) exchange.Exchange {
	return exchange.Exchange{Protocol: exchange.HTTP, Code: 200, Began: at, Request: []byte(request), Response: []byte(response)}
}

// values are the bins that are not at 0: "name bin count".
func values(t testing.TB, registry *prometheus.Registry) string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, family := range families {
		if family.GetName() != "evenkeel_model_values_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			if count := metric.GetCounter().GetValue(); count > 0 {
				labels := metric.GetLabel()
				texts = append(texts, fmt.Sprint(labels[2].GetValue(), " ", labels[0].GetValue(), " ", count))
			}
		}
	}
	slices.Sort(texts)
	return strings.Join(texts, ", ")
}

func (c *Counter) count(result Result) float64 { return testutil.ToFloat64(c.bodies[result]) }

func TestAllSeriesAreThereFromTheStart(t *testing.T) {
	registry := prometheus.NewRegistry()
	labels := prometheus.WrapRegistererWith(prometheus.Labels{"deployment": "elec"}, registry)
	c := New(written(t, reference), 0, labels)
	want := `
# HELP evenkeel_model_reference_values Rows of the reference by bin; range is what the bin holds.
# TYPE evenkeel_model_reference_values gauge
evenkeel_model_reference_values{bin="0",deployment="elec",kind="feature",name="color",range="red"} 70
evenkeel_model_reference_values{bin="0",deployment="elec",kind="feature",name="temperature",range="up to -1.5"} 50
evenkeel_model_reference_values{bin="0",deployment="elec",kind="prediction",name="label",range="0"} 60
evenkeel_model_reference_values{bin="1",deployment="elec",kind="feature",name="color",range="blue"} 30
evenkeel_model_reference_values{bin="1",deployment="elec",kind="feature",name="temperature",range="-1.5 to 0.2"} 40
evenkeel_model_reference_values{bin="1",deployment="elec",kind="prediction",name="label",range="1"} 43
evenkeel_model_reference_values{bin="2",deployment="elec",kind="feature",name="temperature",range="above 0.2"} 10
evenkeel_model_reference_values{bin="missing",deployment="elec",kind="feature",name="color",range="missing"} 3
evenkeel_model_reference_values{bin="missing",deployment="elec",kind="feature",name="temperature",range="missing"} 3
evenkeel_model_reference_values{bin="missing",deployment="elec",kind="prediction",name="label",range="missing"} 0
evenkeel_model_reference_values{bin="other",deployment="elec",kind="feature",name="color",range="other"} 0
evenkeel_model_reference_values{bin="other",deployment="elec",kind="prediction",name="label",range="other"} 0
# HELP evenkeel_model_profile_info Whether the reference profile is used, and why not.
# TYPE evenkeel_model_profile_info gauge
evenkeel_model_profile_info{deployment="elec",digest="` + c.Profile().Digest + `",source="trainer",state="Used",why=""} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want),
		"evenkeel_model_reference_values", "evenkeel_model_profile_info"); err != nil {
		t.Error(err)
	}
	if number, err := testutil.GatherAndCount(registry, "evenkeel_model_values_total"); number != 12 || err != nil {
		t.Error(number, err)
	}
	if number, err := testutil.GatherAndCount(registry, "evenkeel_model_bodies_total"); number != 7 || err != nil {
		t.Error(number, err)
	}
}

func TestWhatIsCounted(t *testing.T) {
	v1 := `{"instances": [{"temperature": 0.2, "color": "red"}, {"temperature": NaN, "color": "green"}, {"color": "blue"}]}`
	good := `{"predictions": [1, 0, 2]}`
	all := "color 0 1, color 1 1, color other 1, label 0 1, label 1 1, label other 1, temperature 1 1, temperature missing 2"
	onlyFeatures := "color 0 1, color 1 1, color other 1, temperature 1 1, temperature missing 2"
	for name, c := range map[string]struct {
		e      exchange.Exchange
		result Result
		values string
	}{
		"all rows":           {passed(noon, v1, good), Counted, all},
		"answer unreadable":  {passed(noon, v1, `{"predictions": [1,`), Counted, onlyFeatures},
		"answer unknown":     {passed(noon, v1, `{"label": 1}`), Counted, onlyFeatures},
		"answer mismatched":  {passed(noon, v1, `{"predictions": [[0.5, 0.5]]}`), Counted, onlyFeatures},
		"request unreadable": {passed(noon, `{"instances": [`, good), Counted, "label 0 1, label 1 1, label other 1"},
		"request mismatched": {passed(noon, `{"instances": [[1, 2, 3]]}`, `{"predictions": [null]}`), Counted, "label missing 1"},
		"both mismatched":    {passed(noon, `{"instances": [[1, 2, 3]]}`, `{"predictions": [[1, 2]]}`), Mismatched, ""},
		"neither known":      {passed(noon, "hello", "world"), Unknown, ""},
		"a feature is never found": {passed(noon, `{"instances": [{"temperature": 9}, {"temperature": 9}]}`, `{"predictions": [1, 1]}`),
			Counted, "color missing 2, label 1 2, temperature 2 2"},
		"no rows":                 {passed(noon, `{"instances": []}`, `{"predictions": []}`), Skipped, ""},
		"refused":                 {exchange.Exchange{Protocol: exchange.HTTP, Code: 400, Request: []byte(v1), Response: []byte(good)}, Skipped, ""},
		"refused, and unreadable": {exchange.Exchange{Protocol: exchange.HTTP, Code: 422, Request: []byte("{")}, Unreadable, ""},
		"gRPC of another method": {exchange.Exchange{Protocol: exchange.GRPC, Path: "/inference.GRPCInferenceService/ModelReady"},
			Unknown, ""},
		"gRPC that failed": {exchange.Exchange{Protocol: exchange.GRPC, Code: 13}, Skipped, ""},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			counter := New(written(t, reference), 0, registry)
			counter.Observe(c.e)
			if got := values(t, registry); got != c.values {
				t.Errorf("got  %s\nwant %s", got, c.values)
			}
			if counter.count(c.result) != 1 {
				t.Errorf("not counted as %s", c.result)
			}
		})
	}
}

func TestWhatDoesNotFitIsNamed(t *testing.T) {
	fits := `{"instances": [{"temperature": null, "color": "red"}, {"temperature": true, "color": 7}]}`
	for name, c := range map[string]struct{ request, response, want string }{
		"all fits":                  {fits, `{"predictions": [1, "new"]}`, ""},
		"a request of other shape":  {`{"instances": [[1, 2, 3]]}`, `{"predictions": [1]}`, "feature body mismatched 1"},
		"an answer of other shape":  {fits, `{"predictions": [[1, 2]]}`, "prediction body mismatched 1"},
		"an answer that breaks off": {fits, `{"predictions": [`, "prediction body unreadable 1"},
		"an answer of no protocol":  {fits, `hello`, "prediction body unknown 1"},
		"a feature that is absent":  {`{"instances": [{"color": "red"}, {"color": "red"}]}`, `{"predictions": [1, 1]}`, "feature temperature absent 2"},
		"a feature that is no number": {`{"instances": [{"color": "red", "temperature": "warm"}]}`, `{"predictions": [1]}`,
			"feature temperature not_a_number 1"},
	} {
		registry := prometheus.NewRegistry()
		New(written(t, reference), 0, registry).Observe(passed(noon, c.request, c.response))
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, family := range families {
			if family.GetName() != "evenkeel_model_unfit_total" {
				continue
			}
			if number := len(family.GetMetric()); number != 10 {
				t.Errorf("%d series", number)
			}
			for _, metric := range family.GetMetric() {
				if count := metric.GetCounter().GetValue(); count > 0 {
					labels := metric.GetLabel()
					got = append(got, fmt.Sprint(labels[0].GetValue(), " ", labels[1].GetValue(), " ", labels[2].GetValue(), " ", count))
				}
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSpacing(t *testing.T) {
	registry := prometheus.NewRegistry()
	c := New(written(t, reference), time.Second, registry)
	body, answer := `{"instances": [{"color": "red"}, {"color": "red"}]}`, `{"predictions": [1, 1]}`
	c.Observe(passed(noon, "{", "{"))
	for _, after := range []time.Duration{0, 500, 999, 1000, 1500, 1999, 800, 2000, 7000} {
		c.Observe(passed(noon.Add(after*time.Millisecond), body, answer))
	}
	// At 0, 1, 2 and 7 s; what could not be read took no row's turn.
	if got, want := values(t, registry), "color 0 4, label 1 4, temperature missing 4"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if c.count(Counted) != 4 || c.count(Skipped) != 5 || c.count(Unreadable) != 1 {
		t.Error(c.count(Counted), c.count(Skipped), c.count(Unreadable))
	}
}

func TestEachRowOfABatchHasTheSameChance(t *testing.T) {
	registry := prometheus.NewRegistry()
	c := New(written(t, reference), time.Nanosecond, registry)
	const batches = 4000
	for i := range batches {
		c.Observe(passed(noon.Add(time.Duration(i)), `{"instances": [{"color": "red"}, {"color": "blue"}]}`, `{"predictions": [0, 1]}`))
	}
	red := testutil.ToFloat64(c.values.WithLabelValues("feature", "color", "0"))
	blue := testutil.ToFloat64(c.values.WithLabelValues("feature", "color", "1"))
	// Six standard deviations.
	if red+blue != batches || red < batches/2-190 || red > batches/2+190 {
		t.Error(red, blue)
	}
	if nought := testutil.ToFloat64(c.values.WithLabelValues("prediction", "label", "0")); nought != red {
		t.Errorf("%v predictions of the first row, but %v requests", nought, red)
	}
}

func TestRowsOfABatch(t *testing.T) {
	for _, c := range []struct {
		choice           rows
		number, from, to int
	}{
		{rows{all: true}, 3, 0, 3}, {rows{at: 0}, 3, 0, 1}, {rows{at: 0.999}, 3, 2, 3}, {rows{at: 1}, 3, 2, 3}, {rows{at: 0.5}, 0, 0, 0},
	} {
		if from, to := c.choice.of(c.number); from != c.from || to != c.to {
			t.Errorf("%+v: %d to %d", c, from, to)
		}
	}
}

func state(t *testing.T, c *Counter) string {
	t.Helper()
	var buffer bytes.Buffer
	registry := prometheus.NewRegistry()
	registry.MustRegister(c.info)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			fmt.Fprintf(&buffer, "%s: %s;", metric.GetLabel()[2].GetValue(), metric.GetLabel()[3].GetValue())
		}
	}
	return buffer.String()
}

func TestAProfileThatComesLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evenkeel-profile.json")
	registry := prometheus.NewRegistry()
	c := New(path, 0, registry)
	if got := state(t, c); got != "Absent: there is no file "+path+";" {
		t.Error(got)
	}
	e := passed(noon, `{"instances": [{"color": "red"}]}`, `{"predictions": [1]}`)
	c.Observe(e)
	if c.count(Skipped) != 1 || c.Profile() != nil {
		t.Error("counted without a profile")
	}
	put := func(content string, at time.Time) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		c.look()
	}
	put(`{"schema": "evenkeel.dev/profile/v1"}`, noon)
	if got := state(t, c); got != "Broken: features and predictions are empty; name at least one;" {
		t.Error(got)
	}
	put(reference, noon.Add(time.Second))
	c.Observe(e)
	if got := state(t, c); got != "Used: ;" {
		t.Error(got)
	}
	if got := values(t, registry); got != "color 0 1, label 1 1, temperature missing 1" {
		t.Error(got)
	}
}

func TestABrokenProfileIsToldInFewWords(t *testing.T) {
	name := strings.Repeat("ü", 125)
	c := New(written(t, `{"schema": "`+name+`", "`+name+`": 1}`), 0, prometheus.NewRegistry())
	if got := state(t, c); !strings.HasPrefix(got, "Broken: ") || len(got) > 320 {
		t.Error(got)
	}
	folder := New(t.TempDir(), 0, prometheus.NewRegistry())
	if got := state(t, folder); !strings.Contains(got, "is not a regular file") {
		t.Error(got)
	}
}

func TestProfilesOfPredictionsOrFeaturesAlone(t *testing.T) {
	for name, c := range map[string]struct{ content, values string }{
		"predictions": {`{"schema": "evenkeel.dev/profile/v1", "rows": 1, "source": "trainer", "predictions": [
			{"name": "p", "type": "numeric", "edges": [], "counts": [1]}]}`, "p 0 1"},
		"features": {`{"schema": "evenkeel.dev/profile/v1", "rows": 1, "source": "trainer", "features": [
			{"name": "color", "type": "numeric", "edges": [], "counts": [1]}]}`, "color missing 1"},
	} {
		registry := prometheus.NewRegistry()
		counter := New(written(t, c.content), 0, registry)
		counter.Observe(passed(noon, `{"instances": [{"color": "red"}]}`, `{"predictions": [1]}`))
		if got := values(t, registry); got != c.values || counter.count(Counted) != 1 {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestAFailureEndsOneExchangeOnly(t *testing.T) {
	c := New(written(t, reference), 0, prometheus.NewRegistry())
	e := passed(noon, `{"instances": [{"color": "red"}]}`, `{"predictions": [1]}`)
	counters := c.used.Load().features.counters
	c.used.Load().features.counters = nil
	c.Observe(e)
	c.used.Load().features.counters = counters
	c.Observe(e)
	if c.count(Unreadable) != 1 || c.count(Counted) != 1 {
		t.Error(c.count(Unreadable), c.count(Counted))
	}
}

func TestUncounted(t *testing.T) {
	c := New("", 0, prometheus.NewRegistry())
	for _, result := range []string{"too_large", "skipped", "lost"} {
		c.Uncounted(result)
	}
	if c.count(TooLarge) != 1 || c.count(Skipped) != 1 {
		t.Error("not counted")
	}
}

// BenchmarkObserve counts one row of 50 features, and its prediction.
func BenchmarkObserve(b *testing.B) {
	features, row := []string{}, []string{}
	for i := range 50 {
		features = append(features, fmt.Sprintf(
			`{"name": "f%d", "type": "numeric", "edges": [-1, -0.5, 0, 0.25, 0.5, 0.75, 1, 2, 3], "counts": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}`, i))
		row = append(row, fmt.Sprintf("%.6f", float64(i)/17-1))
	}
	c := New(written(b, `{"schema": "evenkeel.dev/profile/v1", "rows": 10, "source": "trainer", "features": [`+strings.Join(features, ",")+`],
		"predictions": [{"name": "p", "type": "categorical", "categories": ["0", "1"], "counts": [5, 5]}]}`), 0, prometheus.NewRegistry())
	e := passed(noon, `{"instances": [[`+strings.Join(row, ", ")+`]]}`, `{"predictions": [1]}`)
	b.ReportAllocs()
	for b.Loop() {
		c.Observe(e)
	}
	if c.count(Counted) != float64(b.N) {
		b.Error(c.count(Counted))
	}
}
