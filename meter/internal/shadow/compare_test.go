package shadow

import (
	"net/http"
	"strings"
	"testing"
	"testing/quick"

	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/profile"
)

func answered(text string) exchange.Exchange {
	return exchange.Exchange{
		Protocol: exchange.HTTP, Code: 200, Response: []byte(text),
		ResponseHeader: http.Header{"Content-Type": {"application/json"}},
	}
}

func v2(tensors ...string) string {
	return `{"model_name": "m", "model_version": "7", "id": "x", "outputs": [` + strings.Join(tensors, ",") + `]}`
}

const (
	probability = `{"name": "p", "shape": [2, 1], "datatype": "FP32", "data": [0.25, 0.75]}`
	class       = `{"name": "c", "shape": [2, 1], "datatype": "INT64", "data": [0, 1]}`
	text        = `{"name": "c", "shape": [2, 1], "datatype": "BYTES", "data": ["no", "yes"]}`
)

func TestAnswersAreCompared(t *testing.T) {
	for _, one := range []struct {
		own, shadow string
		// want is "same", "differ" or "" where nothing can be compared.
		want string
	}{
		{`{"predictions": [1, 2]}`, `{"predictions": [1, 2]}`, "same"},
		{`{"predictions": [1, 2]}`, `{"predictions": [1, 3]}`, "differ"},
		{`{"predictions": [1, 2]}`, `{"predictions": [1]}`, "differ"},
		{`{"predictions": [1, 2]}`, `{"outputs": [1, 2]}`, "same"},
		{`{"predictions": [0.1]}`, `{"predictions": [0.10000001]}`, "same"},
		{`{"predictions": [0.1]}`, `{"predictions": [0.1001]}`, "differ"},
		{`{"predictions": [1e-12]}`, `{"predictions": [0.0]}`, "same"},
		{`{"predictions": [2]}`, `{"predictions": [2.0000001]}`, "same"},
		{`{"predictions": [123456789]}`, `{"predictions": [123456788]}`, "differ"},
		{`{"predictions": [true]}`, `{"predictions": [1]}`, "same"},
		{`{"predictions": [true]}`, `{"predictions": [0]}`, "differ"},
		{`{"predictions": ["yes"]}`, `{"predictions": ["y\u0065s"]}`, "same"},
		{`{"predictions": ["yes"]}`, `{"predictions": [""]}`, "differ"},
		{`{"predictions": [null]}`, `{"predictions": [null]}`, "same"},
		{`{"predictions": [null]}`, `{"predictions": [0]}`, "differ"},
		{`{"predictions": [[0.1, 0.9]]}`, `{"predictions": [[0.1, 0.9, 0.0]]}`, "differ"},
		{`{"predictions": [{"a": 1, "b": "x"}]}`, `{"predictions": [{"b": "x", "a": 1}]}`, "same"},
		{`{"predictions": [{"a": 1, "b": "x"}]}`, `{"predictions": [{"a": 1}]}`, "differ"},
		{`{"predictions": [{"a": 1}]}`, `{"predictions": [{"b": 1}]}`, "differ"},
		{v2(class, probability), v2(probability, class), "same"},
		{v2(class, probability), v2(class), "differ"},
		{v2(class), v2(text), "differ"},
		{v2(text), v2(text), "same"},
		{v2(probability), v2(strings.Replace(probability, "FP32", "FP64", 1)), "same"},
		{v2(probability), v2(strings.Replace(probability, "0.75", "0.5", 1)), "differ"},
		{`{"predictions": []}`, `{"predictions": [1]}`, ""},
		{`{"choices": []}`, `{"choices": []}`, ""},
		{`{`, `{}`, ""},
		{`{"predictions": [1]}`, `{`, "differ"},
	} {
		c := comparer{tolerance: 1e-6}
		compared, differ := c.compare(answered(one.own), answered(one.shadow), nil)
		if got := map[[2]bool]string{{true, false}: "same", {true, true}: "differ"}[[2]bool{compared, differ}]; got != one.want {
			t.Errorf("%s and %s: %q", one.own, one.shadow, got)
		}
	}
}

func TestNumbersAreTheSameWithinTheTolerance(t *testing.T) {
	for _, one := range []struct {
		one, other, tolerance float64
		want                  bool
	}{
		{1, 1.0000009, 1e-6, true}, {1, 1.0000012, 1e-6, false}, {0, 1e-9, 1e-6, true}, {0, 1.1e-9, 1e-6, false},
		{-1, 1, 1e-6, false}, {1, 1.009, 0.01, true}, {1, 1.02, 0.01, false}, {1, 1, 0, true},
	} {
		if near(one.one, one.other, one.tolerance) != one.want || near(one.other, one.one, one.tolerance) != one.want {
			t.Errorf("%+v", one)
		}
	}
}

const learned = `{
	"schema": "evenkeel.dev/profile/v1", "rows": 2, "source": "learned", "features": [],
	"predictions": [
		{"name": "c", "type": "categorical", "categories": ["0", "1"], "counts": [1, 1], "other": 0, "missing": 0},
		{"name": "p", "type": "numeric", "edges": [0.5], "counts": [1, 1], "missing": 0}
	]
}`

func TestOfAProfileWithAClassOnlyTheClassIsCompared(t *testing.T) {
	known, err := profile.Parse([]byte(learned))
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(probability, "0.25, 0.75", "0.1, 0.9", 1)
	c := comparer{tolerance: 1e-6}
	for _, one := range []struct {
		own, shadow string
		differ      bool
	}{
		{v2(class, probability), v2(class, other), false},
		{v2(class, probability), v2(strings.Replace(class, "0, 1", "1, 1", 1), probability), true},
		{v2(class, probability), v2(probability), true},
		{v2(class, probability), v2(strings.Replace(class, "INT64", "FP32", 1), other), false},
		// Without the class there is nothing but the numbers.
		{v2(probability), v2(other), true},
	} {
		if compared, differ := c.compare(answered(one.own), answered(one.shadow), known); !compared || differ != one.differ {
			t.Errorf("%s and %s: %v, %v", one.own, one.shadow, compared, differ)
		}
	}
	if _, differ := c.compare(answered(v2(class, probability)), answered(v2(class, other)), nil); !differ {
		t.Error("a profile that is gone is still used")
	}
}

func TestAnAnswerIsTheSameAsItself(t *testing.T) {
	c := comparer{tolerance: 0}
	property := func(content []byte) bool {
		_, differ := c.compare(answered(string(content)), answered(string(content)), nil)
		return !differ
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

func FuzzCompare(f *testing.F) {
	known, err := profile.Parse([]byte(learned))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(v2(class, probability)), []byte(v2(probability, class)))
	f.Add([]byte(`{"predictions": [{"a": 1}]}`), []byte(`{"predictions": [{"b": [1, 2]}]}`))
	f.Fuzz(func(t *testing.T, own, shadow []byte) {
		c := comparer{tolerance: 1e-6}
		for _, profile := range []*profile.Profile{nil, known} {
			if compared, differ := c.compare(answered(string(own)), answered(string(shadow)), profile); differ && !compared {
				t.Errorf("%q and %q", own, shadow)
			}
		}
	})
}
