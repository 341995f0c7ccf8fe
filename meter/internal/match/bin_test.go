package match

import (
	"encoding/json"
	"testing"

	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/profile"
)

func TestTruthValuesAreFoundByEitherText(t *testing.T) {
	const other, missing = 2, 3
	for _, c := range []struct {
		categories [2]string
		datatype   string
		value      any
		bin        int
	}{
		{[2]string{"false", "true"}, "FP32", 1.0, 1},
		{[2]string{"false", "true"}, "FP64", 0.0, 0},
		{[2]string{"false", "true"}, "INT64", 1, 1},
		{[2]string{"false", "true"}, "BOOL", true, 1},
		{[2]string{"false", "true"}, "FP32", 2.0, other},
		{[2]string{"false", "true"}, "BYTES", "1", other},
		{[2]string{"false", "true"}, "FP32", nil, missing},
		{[2]string{"0", "1"}, "BOOL", true, 1},
		{[2]string{"0", "1"}, "BOOL", false, 0},
		{[2]string{"0", "1"}, "BYTES", "true", other},
		{[2]string{"true", "1"}, "INT64", 1, 1},
		{[2]string{"true", "1"}, "BOOL", true, 0},
	} {
		content, _ := json.Marshal(map[string]any{
			"schema": profile.Schema, "rows": 1, "source": "trainer",
			"features": []map[string]any{{"name": "a", "type": "categorical", "categories": c.categories, "counts": []int{1, 0}}},
		})
		read, err := profile.Parse(content)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := json.Marshal(map[string]any{"inputs": []map[string]any{
			{"name": "x", "shape": []int{1, 1}, "datatype": c.datatype, "data": []any{c.value}},
		}})
		table, err := bodies.Request(exchange.Exchange{Protocol: exchange.HTTP, Request: body})
		if err != nil {
			t.Fatal(err)
		}
		values, found := New(read.Features).Row(table.Row(0, nil), nil)
		if bin := Bin(&read.Features[0], values[0], nil); !found || bin != c.bin {
			t.Errorf("%v as %s in %v has bin %d", c.value, c.datatype, c.categories, bin)
		}
	}
}

func TestClassesAreTheSame(t *testing.T) {
	for _, c := range []struct {
		one, other string
		same       bool
	}{
		{"yes", "yes", true}, {"yes", "no", false}, {"true", "1", true}, {"0", "false", true}, {"true", "0", false},
		{"yes", "", false}, {"", "", true}, {"1", "", false},
	} {
		if Same(c.one, c.other) != c.same || Same(c.other, c.one) != c.same {
			t.Errorf("%q and %q: not %v", c.one, c.other, c.same)
		}
	}
}
