package match

import (
	"encoding/json"
	"fmt"
	"testing"

	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/profile"
)

// variables are features, each of a name, a tensor or nil, and a column or nil.
func variables(t *testing.T, written ...[3]any) []profile.Variable {
	t.Helper()
	features := []map[string]any{}
	for _, one := range written {
		feature := map[string]any{"name": one[0], "type": "categorical", "categories": []string{"red"}, "counts": []int{1}}
		if one[1] != nil {
			feature["tensor"] = one[1]
		}
		if one[2] != nil {
			feature["column"] = one[2]
		}
		features = append(features, feature)
	}
	content, _ := json.Marshal(map[string]any{"schema": profile.Schema, "rows": 1, "source": "trainer", "features": features})
	read, err := profile.Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	return read.Features
}

func TestWhereARowsValuesAre(t *testing.T) {
	named := [][3]any{{"a", nil, nil}, {"b", nil, nil}}
	columned := [][3]any{{"a", nil, 2}, {"b", nil, 0}}
	tensored := [][3]any{{"a", "x", 1}, {"b", "x", 0}}
	apart := [][3]any{{"a", "x", 0}, {"b", "y", 0}}
	v2 := func(tensors ...string) string {
		content := `{"inputs": [`
		for i, name := range tensors {
			if i > 0 {
				content += ","
			}
			content += fmt.Sprintf(`{"name": %q, "shape": [1, 2], "datatype": "FP32", "data": [%d, %d]}`, name, 10*i+1, 10*i+2)
		}
		return content + "]}"
	}
	for name, c := range map[string]struct {
		variables [][3]any
		content   string
		want      string
	}{
		"keys":                     {named, `{"instances": [{"b": 2, "c": 3, "a": 1}]}`, "1 2"},
		"a key is absent":          {named, `{"instances": [{"b": 2}]}`, "- 2"},
		"a key is null":            {named, `{"instances": [{"a": null, "b": 2}]}`, "- 2"},
		"all keys are absent":      {named, `{"instances": [{"c": 2}]}`, "none"},
		"keys of others":           {named, `{"instances": [{"c": 1, "d": 2}]}`, "none"},
		"an object is no matrix":   {named, `{"instances": [{"c": [1, 2]}]}`, "none"},
		"a key with columns":       {tensored, `{"instances": [{"x": [1, 2]}]}`, "2 1"},
		"positions":                {named, `{"instances": [[1, 2]]}`, "1 2"},
		"too narrow for positions": {named, `{"instances": [[1]]}`, "none"},
		"too wide for positions":   {named, `{"instances": [[1, 2, 3]]}`, "none"},
		"columns":                  {columned, `{"instances": [[1, 2, 3, 4]]}`, "3 1"},
		"too narrow for columns":   {columned, `{"instances": [[1, 2]]}`, "none"},
		"columns of the one":       {tensored, `{"instances": [[1, 2]]}`, "2 1"},
		"columns of two":           {apart, `{"instances": [[1, 2]]}`, "none"},
		"tensor by position":       {named, v2("input-0"), "1 2"},
		"tensor by column":         {tensored, v2("x"), "2 1"},
		"tensor of another name":   {tensored, v2("z"), "none"},
		"tensors by name":          {named, v2("b", "a"), "11 1"},
		"tensors by tensor":        {apart, v2("y", "x", "z"), "11 1"},
		"two unknown tensors":      {named, v2("x", "y"), "none"},
		"one of two tensors":       {apart, v2("y"), "- 1"},
		"the one is a feature":     {named, v2("b"), "- 1"},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := bodies.Request(exchange.Exchange{Protocol: exchange.HTTP, Request: []byte(c.content)})
			if err != nil {
				t.Fatal(err)
			}
			values, found := New(variables(t, c.variables...)).Row(table.Row(0, nil), nil)
			got := "none"
			if found {
				got = ""
				for i, value := range values {
					if i > 0 {
						got += " "
					}
					text, there := value.Text(nil)
					if !there {
						text = []byte("-")
					}
					got += string(text)
				}
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestBinsOfValues(t *testing.T) {
	read, err := profile.Parse([]byte(`{"schema": "evenkeel.dev/profile/v1", "rows": 1, "source": "trainer", "features": [
		{"name": "n", "type": "numeric", "edges": [0], "counts": [1, 0]},
		{"name": "c", "type": "categorical", "categories": ["1", "true"], "counts": [1, 0]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]string{
		"1": "1 0", "1.0": "1 0", "true": "1 1", "-1e999": "0 2", "null": "2 3", "NaN": "2 3", `"1"`: "2 0", `{"x": 1}`: "2 2",
	} {
		body := []byte(`{"instances": [[` + content + `]]}`)
		table, err := bodies.Request(exchange.Exchange{Protocol: exchange.HTTP, Request: body})
		if err != nil {
			t.Fatal(err)
		}
		value := table.Row(0, nil)[0].Value(0)
		if got := fmt.Sprint(Bin(&read.Features[0], value, nil), Bin(&read.Features[1], value, nil)); got != want {
			t.Errorf("%s is in bins %s, not %s", content, got, want)
		}
	}
}
