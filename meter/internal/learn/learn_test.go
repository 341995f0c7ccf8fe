package learn

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/profile"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func request(t testing.TB, body string) *bodies.Table {
	t.Helper()
	table, err := bodies.Request(exchange.Exchange{Protocol: exchange.HTTP, Request: []byte(body), RequestHeader: http.Header{}})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func offer(t testing.TB, s *sample, row string) bool {
	t.Helper()
	return s.add(request(t, `{"instances": [`+row+`]}`).Row(0, nil))
}

func all(rows int) (int, int) { return 0, rows }

// Each row has the same chance, also of a sample that shrinks while it grows wider.
func TestTheSampleIsUniform(t *testing.T) {
	const stream, runs = 1000, 100
	for name, wide := range map[string]int{"of its size": stream, "shrunken on the way": 400, "shrunken at the end": stream - 1} {
		t.Run(name, func(t *testing.T) {
			var tenths [10]int
			left := 100
			rows := make([]*bodies.Table, stream)
			for i := range rows {
				row := fmt.Sprintf(`{"x": %d}`, i)
				if i >= wide {
					row = fmt.Sprintf(`{"x": %d, "y": 1}`, i)
					left = 50
				}
				rows[i] = request(t, `{"instances": [`+row+`]}`)
			}
			for range runs {
				s := newSample(100, 16, 100*cellBytes, 1000)
				for _, row := range rows {
					s.add(row.Row(0, nil))
				}
				if s.rows != left {
					t.Fatalf("%d rows", s.rows)
				}
				for _, c := range s.columns[0].cells {
					tenths[int(c.number())*10/stream]++
				}
			}
			mean := float64(runs*left) / 10
			for tenth, found := range tenths {
				// Six standard deviations.
				if math.Abs(float64(found)-mean) > 6*math.Sqrt(mean) {
					t.Errorf("tenth %d: %d, expected %v", tenth, found, mean)
				}
			}
		})
	}
}

// Whatever names and texts come, memory stays what it may be, and what all rows have stays in it.
func TestHostileRowsAreBounded(t *testing.T) {
	const bytes, most, room = 1 << 16, 32, 4096
	s := newSample(10_000, most, bytes, room)
	for i := range 1000 {
		var keys []string
		for k := range rand.IntN(60) {
			keys = append(keys, fmt.Sprintf(`"n%d-%d": "%s"`, i, k, strings.Repeat("t", rand.IntN(300))))
		}
		offer(t, s, `{"real": "r`+fmt.Sprint(i%3)+`", `+strings.Join(append(keys, `"twice": "`+fmt.Sprint(i)+`"`), ", ")+`}`)
		cells := 0
		for _, c := range s.columns {
			cells += cap(c.cells)
			if len(c.cells) != s.rows {
				t.Fatalf("%d cells of %d rows", len(c.cells), s.rows)
			}
		}
		if len(s.columns) > most || cells*cellBytes > bytes*3/2 || s.texts.taken > room {
			t.Fatalf("%d columns, %d bytes of cells, %d of texts", len(s.columns), cells*cellBytes, s.texts.taken)
		}
	}
	if found := s.places[place{name: "real"}]; found == nil || found.rows != 1000 {
		t.Errorf("%+v", found)
	}
}

// A text takes room as long as a row has it.
func TestTextsAreForgottenWithTheirRows(t *testing.T) {
	s := newSample(20, 4, 20*4*cellBytes, 1<<20)
	for range 2000 {
		row := fmt.Sprintf(`{"a": "t%d", "b%d": "u%d"}`, rand.IntN(30), rand.IntN(6), rand.IntN(30))
		offer(t, s, row)
		wanted := 0
		for _, c := range s.columns {
			uses := map[string]int{}
			for _, one := range c.cells {
				if !one.isNumber() && one.isText() {
					uses[c.texts.text(one)]++
				}
			}
			for text, number := range uses {
				wanted += len(text) + overhead
				if known := c.texts.entries[c.texts.numbers[text]]; known.uses != number {
					t.Fatalf("%+v is used %d times", known, number)
				}
			}
		}
		if s.texts.taken != wanted {
			t.Fatalf("%d bytes are taken, of %d", s.texts.taken, wanted)
		}
	}
}

func TestTextsBeyondTheirRoomAreOther(t *testing.T) {
	s := newSample(1000, 4, 1<<20, 8*(overhead+2))
	for i := range 100 {
		offer(t, s, fmt.Sprintf(`{"many": "m%d", "few": "f%d"}`, i%50, i%2))
	}
	found, _ := s.variables("%d")
	few, many := found[1], found[0]
	if fmt.Sprint(few.Categories, few.Counts, *few.Other) != "[f0 f1] [50 50] 0" || *many.Other == 0 {
		t.Errorf("%+v %+v", few, many)
	}
}

// learned is the reference of rows, and of answers to them.
func learned(t *testing.T, requests, answers []string) (document, string) {
	t.Helper()
	rows := 0
	for _, body := range requests {
		rows += request(t, body).Rows
	}
	l := New(rows, 0, prometheus.NewRegistry())
	for i, body := range requests {
		var answer *bodies.Table
		if i < len(answers) {
			answer, _ = bodies.Answer(exchange.Exchange{Protocol: exchange.HTTP, Response: []byte(answers[i])})
		}
		l.Learn(noon, request(t, body), answer, all)
	}
	return parsed(t, l)
}

func parsed(t *testing.T, l *Learner) (document, string) {
	t.Helper()
	text := text(t, l)
	if !l.Done() || text == "" {
		t.Fatal("nothing was learned")
	}
	var found document
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		t.Fatal(err)
	}
	var brief []string
	for _, v := range append(found.Features, found.Predictions...) {
		at := ""
		if v.Column != nil {
			at = fmt.Sprintf(" at %s:%d", v.Tensor, *v.Column)
		}
		brief = append(brief, fmt.Sprintf("%s%s %v%v%v -%d", v.Name, at, v.Edges, v.Categories, v.Counts, v.Missing))
	}
	return found, strings.Join(brief, ", ")
}

// text is what metrics tell, put together.
func text(t *testing.T, l *Learner) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(l.text)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := ""
	for _, family := range families {
		for i, metric := range family.GetMetric() {
			labels := metric.GetLabel()
			if int(metric.GetGauge().GetValue()) != len(family.GetMetric()) || labels[1].GetValue() != fmt.Sprintf("%04d", i) {
				t.Errorf("%v", metric)
			}
			if size := len(labels[2].GetValue()); size > partBytes || size == 0 {
				t.Errorf("a part has %d bytes", size)
			}
			found += labels[2].GetValue()
		}
	}
	return found
}

func TestWhereRowsHaveTheirValues(t *testing.T) {
	matrix := `{"inputs": [{"name": "%s", "datatype": "FP32", "shape": [2, 2], "data": [1, 2, 3, 4]}]}`
	wide := make([]string, 257)
	for i := range wide {
		wide[i] = "1"
	}
	for name, c := range map[string]struct {
		requests, answers []string
		want              string
	}{
		"keys":     {[]string{`{"instances": [{"x": 1, "c": "red"}, {"x": null}]}`}, nil, "x [0.999999 1.000001][][0 1 0] -1, c [][red][1] -1"},
		"lists":    {[]string{`{"instances": [[1, true], [1, false]]}`}, nil, "column-0 at :0 [][1][2] -0, column-1 at :1 [][false true][1 1] -0"},
		"a matrix": {[]string{fmt.Sprintf(matrix, "a"), fmt.Sprintf(matrix, "b")}, nil, "column-0 at :0 [][1 3][2 2] -0, column-1 at :1 [][2 4][2 2] -0"},
		"a matrix among others": {[]string{`{"inputs": [{"name": "m", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]},
			{"name": "s", "datatype": "BYTES", "shape": [1], "data": ["a"]}]}`}, nil,
			"m[0] at m:0 [0.999999 1.000001][][0 1 0] -0, m[1] at m:1 [1.999998 2.000002][][0 1 0] -0, s [][a][1] -0"},
		"answers": {[]string{`{"instances": [[7]]}`}, []string{`{"predictions": [1]}`},
			"column-0 at :0 [6.999993 7.000007][][0 1 0] -0, prediction at :0 [0.999999 1.000001][][0 1 0] -0"},
		"probabilities": {[]string{`{"instances": [[7]]}`}, []string{`{"predictions": [[0.25, 0.75]]}`},
			"column-0 at :0 [6.999993 7.000007][][0 1 0] -0, prediction-0 at :0 [0.24999975 0.25000025][][0 1 0] -0, " +
				"prediction-1 at :1 [0.74999925 0.75000075][][0 1 0] -0"},
		"shorter rows are none": {[]string{`{"instances": [[5, 5, 5], [5, 5, 5], [6, 6]]}`}, nil,
			"column-0 at :0 [][5][2] -0, column-1 at :1 [][5][2] -0, column-2 at :2 [][5][2] -0"},
		"most rows choose": {[]string{`{"instances": [[5, 5], {"x": 1}, {"x": 1}]}`}, nil, "x [][1][2] -0"},
		"images":           {[]string{`{"instances": [{"pixels": [` + strings.Join(wide, ",") + `], "x": "a"}]}`}, nil, "x [][a][1] -0"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, got := learned(t, c.requests, c.answers); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestRareNamesAreLeftOut(t *testing.T) {
	rows := make([]string, 300)
	for i := range rows {
		rows[i] = fmt.Sprintf(`{"x": %d, "once%d": 1}`, i%7, i)
		if i < 3 {
			rows[i] = `{"x": 1, "seldom": 1}`
		}
	}
	if _, got := learned(t, []string{`{"instances": [` + strings.Join(rows, ",") + `]}`}, nil); !strings.HasPrefix(got, "x ") || !strings.HasSuffix(got, ", seldom [][1][3] -297") {
		t.Error(got)
	}
}

func TestRowsAndTimeMustBoth(t *testing.T) {
	l := New(3, time.Hour, prometheus.NewRegistry())
	table := request(t, `{"instances": [{"x": 1}, {"x": 2}]}`)
	ratio := func() float64 {
		registry := prometheus.NewRegistry()
		registry.MustRegister(l.ratio)
		families, _ := registry.Gather()
		return families[0].GetMetric()[0].GetGauge().GetValue()
	}
	for _, c := range []struct {
		after time.Duration
		ratio float64
		done  bool
	}{{0, 0, false}, {30 * time.Minute, 0.5, false}, {59 * time.Minute, 59. / 60, false}, {time.Hour, 1, true}} {
		if !l.Learn(noon.Add(c.after), table, nil, all) || ratio() != c.ratio || l.Done() != c.done {
			t.Errorf("after %v: %v, %v", c.after, ratio(), l.Done())
		}
	}
	few := New(3, time.Hour, prometheus.NewRegistry())
	few.Learn(noon, table, nil, all)
	if few.Learn(noon.Add(2*time.Hour), request(t, `{"instances": []}`), nil, all); few.Done() {
		t.Error("two rows are not three")
	}
}

func TestAReferenceIsOfBoundedSize(t *testing.T) {
	s := newSample(1000, profile.MaxFeatures, 4<<20, 4<<20)
	for i := range 40 {
		var keys []string
		for k := range profile.MaxFeatures {
			keys = append(keys, fmt.Sprintf(`"%d-%s": "%s%d"`, k, strings.Repeat(`\u0001`, 200), strings.Repeat(`\u0002`, 200), i))
		}
		offer(t, s, "{"+strings.Join(keys, ", ")+"}")
	}
	text, err := reference(s, newSample(1, 1, 1, 1))
	if err != nil || len(text) > maxText || len(text) < maxText/2 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

func TestPartsEndBetweenCharacters(t *testing.T) {
	text := strings.Repeat("aé€😀", 500)
	all := parts([]byte(text), 512)
	if strings.Join(all, "") != text {
		t.Error("parts are not the whole")
	}
	for _, part := range all {
		if len(part) > 512 || len(part) < 500 && part != all[len(all)-1] || strings.ToValidUTF8(part, "") != part {
			t.Errorf("%d bytes: %q", len(part), part)
		}
	}
}

// What is told once a profile is there is that one, not what comes in meanwhile.
func TestWhatIsSharedIsTold(t *testing.T) {
	l := New(1, 0, prometheus.NewRegistry())
	l.Shared([]byte("the one"))
	l.Learn(noon, request(t, `{"instances": [{"x": 1}]}`), nil, all)
	if got := text(t, l); got != "the one" || !l.Done() {
		t.Error(got)
	}
	l.End()
	if got := text(t, l); got != "" {
		t.Error(got)
	}
}

// What is told to users: about 2 MiB. Half as much again is for maps and for what slices have to spare.
// Rows come until the sample is full of numbers and of more texts than there is room for.
func TestMemoryIsBounded(t *testing.T) {
	const wanted = 100_000
	for name, features := range map[string]int{"few": 1, "some": 18, "many": profile.MaxFeatures} {
		t.Run(name, func(t *testing.T) {
			tables := make([]*bodies.Table, 8000/(features+1))
			for i := range tables {
				var keys []string
				for k := range features {
					value := fmt.Sprint(rand.NormFloat64())
					if i%2 == 0 {
						value = fmt.Sprintf(`"%d-%d-%s"`, i, k, strings.Repeat("x", rand.IntN(200)))
					}
					keys = append(keys, fmt.Sprintf(`"f%d": %s`, k, value))
				}
				tables[i] = request(t, `{"instances": [{`+strings.Join(keys, ", ")+`}]}`)
			}
			before := heap()
			l := New(wanted, 0, prometheus.NewRegistry())
			for i := 0; i < wanted-1 && (i == 0 || l.features.rows < l.features.capacity()); i++ {
				l.Learn(noon, tables[i%len(tables)], nil, all)
			}
			if grown := int64(heap()) - int64(before); grown > 3<<20 {
				t.Errorf("%d KiB", grown>>10)
			}
			if l.features.texts.taken < featureTexts*9/10 {
				t.Errorf("only %d bytes of texts came", l.features.texts.taken)
			}
			if l.Done() {
				t.Error("done too early: nothing was measured")
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.HeapAlloc
}
