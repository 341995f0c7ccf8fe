package profile

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const whole = `{"schema": "evenkeel.dev/profile/v1",
 "features": [
   {"name": "temperature", "type": "numeric", "edges": [-1.5, 0.2, 3.0], "counts": [10, 20, 30, 40],
    "missing": 3, "tensor": "predict", "column": 0},
   {"name": "color", "type": "categorical", "categories": ["red", "blue"], "counts": [70, 30], "other": 0, "missing": 3}],
 "predictions": [
   {"name": "label", "type": "categorical", "categories": ["0", "1"], "counts": [60, 43], "other": 0,
    "missing": 0, "tensor": "output-1"}],
 "rows": 103, "source": "trainer"}`

func TestAWholeProfileIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evenkeel-profile.json")
	if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	profile, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(profile.Digest) != 12 || profile.Rows != 103 || len(profile.Variables()) != 3 {
		t.Errorf("%+v", profile)
	}
	if label := profile.Variables()[2]; label.Kind != Prediction || label.Tensor != "output-1" || label.Column != nil {
		t.Errorf("%+v", label)
	}
	if temperature := profile.Features[0]; temperature.Kind != Feature || *temperature.Column != 0 {
		t.Errorf("%+v", temperature)
	}
	got := fmt.Sprint(profile.Features[0].Bins(), profile.Features[1].Bins())
	want := "[{0 up to -1.5 10} {1 -1.5 to 0.2 20} {2 0.2 to 3 30} {3 above 3 40} {missing missing 3}] " +
		"[{0 red 70} {1 blue 30} {other other 0} {missing missing 3}]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAnAbsentProfileIsToldFromABrokenOne(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// The file is one that evenkeel.trainer.profile has written: of numbers, texts with None, codes, truth values, a
// constant, a column without values, and classes.
func TestAProfileOfTheTrainersLibrary(t *testing.T) {
	profile, err := Load("testdata/trainer.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		variable, bin int
		want          Bin
	}{
		{0, 9, Bin{"9", "above 1.3", 50}}, {1, 3, Bin{"missing", "missing", 175}}, {2, 4, Bin{"4", "0", 96}},
		{3, 0, Bin{"0", "true", 251}}, {4, 1, Bin{"1", "1.499999 to 1.500001", 500}}, {5, 0, Bin{"0", "any number", 0}},
		{6, 1, Bin{"1", "1", 248}},
	} {
		if got := profile.Variables()[c.variable].Bins()[c.bin]; got != c.want {
			t.Errorf("got %+v, want %+v", got, c.want)
		}
	}
}

func TestBins(t *testing.T) {
	profile, err := Parse([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	temperature, color := &profile.Features[0], &profile.Features[1]
	for _, c := range []struct {
		number float64
		bin    int
	}{
		{-2, 0}, {-1.5, 0}, {math.Nextafter(-1.5, 0), 1}, {0.2, 1}, {3, 2}, {3.1, 3},
		{math.Inf(1), 3}, {math.Inf(-1), 0}, {math.NaN(), 4},
	} {
		if bin := temperature.BinOfNumber(c.number); bin != c.bin {
			t.Errorf("%v is in bin %d, not %d", c.number, bin, c.bin)
		}
	}
	for text, want := range map[string]int{"red": 0, "blue": 1, "Red": 2, "": 2} {
		if bin := color.BinOfText([]byte(text)); bin != want {
			t.Errorf("%q is in bin %d, not %d", text, bin, want)
		}
	}
	if color.BinOfMissing() != 3 || temperature.BinOfMissing() != 4 {
		t.Error("missing is the last bin")
	}
}

func TestRangesAreShortAndDistinct(t *testing.T) {
	variable := Variable{Type: Numeric, Edges: []float64{0.30000000000000004, 1234567.25, 1234567.5, 3e22}, Counts: make([]int64, 5)}
	got := fmt.Sprint(variable.ranges())
	want := "[up to 0.3 0.3 to 1234567 1234567 to 1234568 1234568 to 3e+22 above 3e+22]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	near := Variable{Type: Numeric, Edges: []float64{1, math.Nextafter(1, 2)}, Counts: make([]int64, 3)}
	if ranges := near.ranges(); ranges[1] != "1 to 1.0000000000000002" {
		t.Errorf("%q", ranges)
	}
}

func TestNumbersAsCategories(t *testing.T) {
	for number, want := range map[float64]string{1: "1", 1.5: "1.5", -3: "-3", 1e6: "1000000", 1e-6: "0.000001", 1.5e-7: "1.5e-07", 1e20: "100000000000000000000", 1e21: "1e+21"} {
		if got := string(AppendNumber(nil, number, 64)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := string(AppendNumber(nil, math.Copysign(0, -1), 64)); got != "0" {
		t.Errorf("minus nought is %s", got)
	}
	if got := string(AppendNumber(nil, float64(float32(0.1)), 32)); got != "0.1" {
		t.Errorf("a float32 of 0.1 is %s", got)
	}
}

func TestABrokenProfileSaysWhatIsWrongWhere(t *testing.T) {
	replace := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(whole) }
	for name, c := range map[string]struct{ content, want string }{
		"empty":            {"", "line 1: not JSON"},
		"cut":              {whole[:200], "line 4: not JSON"},
		"list":             {"[]", "the profile: a JSON array cannot be read"},
		"schema":           {replace("/v1", "/v2"), `schema is "evenkeel.dev/profile/v2", but must be`},
		"nothing":          {`{"schema": "evenkeel.dev/profile/v1", "rows": 1, "source": "trainer"}`, "name at least one"},
		"unknown field":    {replace(`"missing": 3, "tensor"`, `"mising": 3, "tensor"`), "features[0].mising is not a field of schema"},
		"case":             {replace(`"schema"`, `"Schema"`), "Schema is not a field"},
		"twice":            {replace(`"source"`, `"rows"`), "rows is given twice"},
		"type of edge":     {replace("0.2,", `"0.2",`), "features[0].edges[1]: a JSON string cannot be read as float64"},
		"not rising":       {replace("0.2, 3.0", "0.2, 0.2"), `features[0] ("temperature"): edges[2] is 0.2, but must be above edges[1], which is 0.2`},
		"NaN":              {replace("0.2,", "NaN,"), "line 3: not JSON"},
		"infinite":         {replace("3.0]", "1e999]"), "features[0].edges[2]"},
		"counts":           {replace("30, 40]", "30]"), "counts has 3 entries, but 3 edges make 4 bins"},
		"category counts":  {replace("70, 30]", "70]"), "counts has 1 entries, but there are 2 categories"},
		"negative":         {replace("30, 40]", "30, -40]"), "counts[3] is -40, but must be 0 to"},
		"fraction":         {replace("30, 40]", "30, 0.5]"), "features[0].counts[3]: a JSON number cannot be read as int64"},
		"more than rows":   {replace(`"rows": 103`, `"rows": 102`), "more than the profile's rows, 102"},
		"no rows":          {replace(`"rows": 103`, `"rows": 0`), "rows is 0, but must be 1 to"},
		"huge":             {replace("30, 40]", "30, 9007199254740993]"), "counts[3] is 9007199254740993"},
		"nothing counted":  {replace("[70, 30]", "[0, 0]", `"other": 0, "missing": 3`, `"other": 0, "missing": 0`), "are all 0"},
		"same name":        {replace(`"color"`, `"temperature"`), `features[1].name is "temperature", as that of features[0]`},
		"no name":          {replace(`"color"`, `""`), "features[1].name has 0 bytes"},
		"long name":        {replace(`"color"`, `"`+strings.Repeat("x", 257)+`"`), "features[1].name has 257 bytes"},
		"type":             {replace(`"numeric"`, `"number"`), `type is "number", but must be "numeric" or "categorical"`},
		"categories twice": {replace(`"blue"`, `"red"`), `categories[1] is "red", as categories[0]`},
		"edges of text":    {replace(`"categories": ["red", "blue"]`, `"edges": [1], "categories": ["red", "blue"]`), "a categorical variable has no edges"},
		"categories of numbers": {replace(`"edges": [-1.5, 0.2, 3.0]`, `"categories": ["a"]`),
			"a numeric variable has neither categories nor other"},
		"column":        {replace(`"column": 0`, `"column": -1`), "column is -1, but must be 0 to"},
		"invalid UTF-8": {replace("red", "r\xffd"), "line 4: not JSON: invalid UTF-8"},
		"deep":          {replace("[-1.5, 0.2, 3.0]", strings.Repeat("[", 100000)), "line 3: not JSON: exceeded max depth"},
		"too large":     {whole + strings.Repeat(" ", MaxBytes), "larger than 1048576 bytes"},
		"source":        {replace(`"trainer"`, `"guess"`), `source is "guess", but must be one of trainer, tfdv, mlflow, learned`},
		"same place": {replace(`"categories": ["red"`, `"tensor": "predict", "column": 0, "categories": ["red"`),
			`features[1] ("color") has the tensor and column of features[0]`},
		"more": {whole + "{}", "line 9: not JSON"},
		"too many": {`{"schema": "evenkeel.dev/profile/v1", "rows": 1, "source": "trainer", "features": [` +
			strings.TrimSuffix(strings.Repeat("{},", MaxFeatures+1), ",") + "]}", "features has 257 entries, but at most 256"},
		"too many bins": {replace(`"edges": [-1.5, 0.2, 3.0], "counts": [10, 20, 30, 40]`,
			`"counts": [1`+strings.Repeat(",0", MaxBins)+"]"), "counts has 65 entries, but at most 64"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.content))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if err != nil && len(err.Error()) > 512 {
				t.Errorf("%d bytes of error", len(err.Error()))
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(`{"schema": "evenkeel.dev/profile/v1", "rows": 1, "source": "trainer", "features": [{"name": "a", "type": "numeric", "counts": [1]}]}`))
	f.Add([]byte(strings.Repeat("[", 20000)))
	f.Fuzz(func(t *testing.T, content []byte) {
		profile, err := Parse(content)
		if err != nil {
			return
		}
		for _, variable := range profile.Variables() {
			bins := variable.Bins()
			for _, bin := range []int{variable.BinOfMissing(), variable.BinOfNumber(0.5), variable.BinOfText(content)} {
				if bin < 0 || bin >= len(bins) {
					t.Errorf("bin %d of %d", bin, len(bins))
				}
			}
		}
	})
}
