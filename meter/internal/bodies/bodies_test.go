package bodies

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"evenkeel.dev/meter/internal/exchange"
)

func request(content string, headers ...string) (*Table, error) {
	header := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	return Request(exchange.Exchange{Protocol: exchange.HTTP, RequestHeader: header, Request: []byte(content)})
}

func answer(content string) (*Table, error) {
	return Answer(exchange.Exchange{Protocol: exchange.HTTP, Response: []byte(content)})
}

// The first ones are those of TensorFlow Serving's page on its REST API and of KServe's on V1.
func TestDocumentsAsTheProtocolsShowThem(t *testing.T) {
	for name, c := range map[string]struct {
		read    func(string) (*Table, error)
		content string
		want    string
	}{
		"row objects": {requestOnly, `{"signature_name": "serving_default", "instances": [
			{"tag": "foo", "signal": [1, 2], "sensor": [[1, 2], [3, 4]]},
			{"tag": "bar", "signal": [3, 4.5], "sensor": [[4, 5], [6, 8]]}]}`,
			`[{"sensor":["1","2","3","4"],"signal":["1","2"],"tag":["foo"]},` +
				`{"sensor":["4","5","6","8"],"signal":["3","4.5"],"tag":["bar"]}]`},
		"row lists":         {requestOnly, `{"instances": [[1.0, 2], [-3e2, null]]}`, `[{"":["1","2"]},{"":["-300",null]}]`},
		"row scalars":       {requestOnly, `{"instances": ["foo", 1.0, true, null]}`, `[{"":["foo"]},{"":["1"]},{"":["true"]},{"":[null]}]`},
		"row binary":        {requestOnly, `{"instances": [{"b64": "aW1hZ2U="}]}`, `[{"b64":["aW1hZ2U="]}]`},
		"row nested object": {requestOnly, `{"instances": [{"image": {"b64": "aQ=="}, "n": 1}]}`, `[{"image":["{\"b64\": \"aQ==\"}"],"n":["1"]}]`},
		"columns": {requestOnly, `{"inputs": {"tag": ["foo", "bar"], "signal": [[1, 2], [3, 4]]}}`,
			`[{"signal":["1","2"],"tag":["foo"]},{"signal":["3","4"],"tag":["bar"]}]`},
		"one column":          {requestOnly, `{"inputs": [[1, 2], [3, 4]]}`, `[{"":["1","2"]},{"":["3","4"]}]`},
		"predictions":         {answer, `{"predictions": [1, 0.5]}`, `[{"":["1"]},{"":["0.5"]}]`},
		"predictions lists":   {answer, `{"predictions": [[0.25, 0.75]], "model_name": "m"}`, `[{"":["0.25","0.75"]}]`},
		"predictions objects": {answer, `{"predictions": [{"label": "a", "score": 1e-9}]}`, `[{"label":["a"],"score":["1e-09"]}]`},
		"outputs":             {answer, `{"outputs": {"classes": [["a"], ["b"]]}}`, `[{"classes":["a"]},{"classes":["b"]}]`},
		"V2 flat": {requestOnly, `{"inputs": [{"name": "a", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}]}`,
			`[{"a":["1","2"]},{"a":["3","4"]}]`},
		"V2 nested": {requestOnly, `{"inputs": [{"name": "a", "shape": [2, 2], "datatype": "FP32", "data": [[1, 2], [3, 4]]}]}`,
			`[{"a":["1","2"]},{"a":["3","4"]}]`},
		"V2 scalar": {requestOnly, `{"inputs": [{"name": "a", "shape": [], "datatype": "FP32", "data": [1]}]}`, `[{"a":["1"]}]`},
		"V2 beside the batch": {requestOnly, `{"inputs": [
			{"name": "a", "shape": [2], "datatype": "BOOL", "data": [true, false]},
			{"name": "k", "shape": [1], "datatype": "INT32", "data": [5]}]}`, `[{"a":["true"]},{"a":["false"]}]`},
		"V2 null":          {requestOnly, `{"inputs": [{"name": "a", "shape": [2], "datatype": "FP32", "data": [null, 2]}]}`, `[{"a":[null]},{"a":["2"]}]`},
		"V2 shared memory": {requestOnly, `{"inputs": [{"name": "a", "shape": [2], "datatype": "FP32", "parameters": {"shared_memory_region": "r"}}]}`, `[]`},
		"V2 empty":         {requestOnly, `{"inputs": [{"name": "a", "shape": [0, 4], "datatype": "FP32", "data": []}]}`, `[]`},
		"none":             {requestOnly, `{"instances": []}`, `[]`},
		"escapes":          {requestOnly, `{"instances": [{"\u0061\"": "\ud83d\ude00\n"}]}`, `[{"a\"":["😀\n"]}]`},
		"large integers":   {requestOnly, `{"instances": [9007199254740993, -0, 1E2, 0.0]}`, `[{"":["9007199254740993"]},{"":["0"]},{"":["100"]},{"":["0"]}]`},
		"not a number":     {requestOnly, `{"instances": [NaN, Infinity, -Infinity, "NaN", 1e400]}`, `[{"":[null]},{"":["+Inf"]},{"":["-Inf"]},{"":["NaN"]},{"":["+Inf"]}]`},
		"brackets in text": {requestOnly, `{"instances": ["]},{\"", ["[,"]]}`, `[{"":["]},{\""]},{"":["[,"]}]`},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := c.read(c.content)
			if err != nil {
				t.Fatal(err)
			}
			if got := shown(texts(table)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func requestOnly(content string) (*Table, error) { return request(content) }

func TestWhatCannotBeRead(t *testing.T) {
	v2 := `{"inputs": [{"name": "a", "shape": %s, "datatype": "FP32", "data": %s}]}`
	for name, c := range map[string]struct {
		content string
		headers []string
		want    error
	}{
		"empty":             {"", nil, ErrUnknown},
		"image":             {"\x89PNG\r\n", nil, ErrUnknown},
		"OpenAI":            {`{"model": "m", "messages": [{"role": "user", "content": "hello"}]}`, nil, ErrUnknown},
		"embeddings":        {`{"model": "m", "input": ["a", "b"]}`, nil, ErrUnknown},
		"text":              {`{"inputs": "What is it?", "parameters": {}}`, nil, ErrUnknown},
		"JSON list":         {`[1, 2]`, []string{"Content-Type", "application/json"}, ErrUnknown},
		"not JSON":          {`instances`, []string{"Content-Type", "application/json"}, ErrUnreadable},
		"cut":               {`{"instances": [[1, 2], [3`, nil, ErrUnreadable},
		"more":              {`{"instances": [1]} {}`, nil, ErrUnreadable},
		"no list":           {`{"instances": {"a": 1}}`, nil, ErrUnreadable},
		"keys twice":        {`{"instances": [{"a": 1, "a": 2}]}`, nil, ErrUnreadable},
		"rows twice":        {`{"instances": [1], "instances": [2]}`, nil, ErrUnreadable},
		"invalid UTF-8":     {"{\"instances\": [\"\xff\"]}", nil, ErrUnreadable},
		"lone surrogate":    {`{"instances": ["\ud800"]}`, nil, ErrUnreadable},
		"deep lists":        {`{"instances": ` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + "}", nil, ErrUnreadable},
		"deeper lists":      {`{"instances": ` + strings.Repeat("[", 5<<20) + strings.Repeat("]", 5<<20) + "}", nil, ErrUnreadable},
		"deep objects":      {`{"instances": [` + strings.Repeat(`{"a":`, 2<<20), nil, ErrUnreadable},
		"NaN in a word":     {`{"instances": [NaNa]}`, nil, ErrUnreadable},
		"fewer than shape":  {fmt.Sprintf(v2, "[2,2]", "[1,2,3]"), nil, ErrUnreadable},
		"more than shape":   {fmt.Sprintf(v2, "[2]", "[1,2,3]"), nil, ErrUnreadable},
		"negative shape":    {fmt.Sprintf(v2, "[-1]", "[1]"), nil, ErrUnreadable},
		"two negative":      {fmt.Sprintf(v2, "[-1,-1]", "[1]"), nil, ErrUnreadable},
		"shape over 2^64":   {fmt.Sprintf(v2, "[4294967296,4294967296]", "[]"), nil, ErrUnreadable},
		"shape over 2^63":   {fmt.Sprintf(v2, "[9223372036854775807,2]", "[1]"), nil, ErrUnreadable},
		"shape multiplies":  {fmt.Sprintf(v2, "[2147483647,2147483647,2147483647]", "[]"), nil, ErrUnreadable},
		"shape to nought":   {fmt.Sprintf(v2, "[2147483647,0,2147483647]", "[1]"), nil, ErrUnreadable},
		"shape of text":     {fmt.Sprintf(v2, `["1"]`, "[1]"), nil, ErrUnreadable},
		"no shape":          {fmt.Sprintf(v2, "null", "[1]"), nil, ErrUnreadable},
		"no name":           {`{"inputs": [{"shape": [1], "datatype": "FP32", "data": [1]}]}`, nil, ErrUnreadable},
		"a number for one":  {`{"inputs": [{"name": "a", "shape": [1], "datatype": "FP32", "data": [1]}, 5]}`, nil, ErrUnreadable},
		"header too long":   {`{}`, []string{HeaderLength, "3"}, ErrUnreadable},
		"header not number": {`{}`, []string{HeaderLength, "-1"}, ErrUnreadable},
		"header huge":       {`{}`, []string{HeaderLength, "18446744073709551618"}, ErrUnreadable},
		"tensor alone":      {"\x00\x00", []string{HeaderLength, "0"}, ErrUnknown},
		"bytes left": {`{"inputs": [{"name": "a", "shape": [1], "datatype": "FP32", "data": [1]}]}....`,
			[]string{HeaderLength, "70"}, ErrUnreadable},
		"many tensors": {`{"inputs": [` + strings.TrimSuffix(strings.Repeat(
			`{"name": "a", "shape": [1], "datatype": "FP32", "data": [1]},`, maxFields+1), ",") + "]}", nil, ErrUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := request(c.content, c.headers...); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestBinaryTensorsThatBreakTheirPromise(t *testing.T) {
	read := func(datatype, shape, size, content string) error {
		head := fmt.Sprintf(`{"inputs": [{"name": "a", "shape": %s, "datatype": %q, "parameters": {"binary_data_size": %s}}]}`,
			shape, datatype, size)
		_, err := request(head+content, HeaderLength, fmt.Sprint(len(head)))
		return err
	}
	if err := read("BYTES", "[2]", "11", "\x01\x00\x00\x00a\x02\x00\x00\x00bc"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][4]string{
		"fewer":             {"FP32", "[2]", "4", "1234"},
		"half an element":   {"FP32", "[1]", "5", "12345"},
		"size beyond":       {"FP32", "[1]", "8", "1234"},
		"size negative":     {"FP32", "[1]", "-4", "1234"},
		"size of text":      {"FP32", "[1]", `"4"`, "1234"},
		"unknown datatype":  {"FP8", "[4]", "4", "1234"},
		"length beyond":     {"BYTES", "[1]", "5", "\xff\xff\xff\xffa"},
		"length cut":        {"BYTES", "[2]", "8", "\x01\x00\x00\x00a\x01\x00\x00"},
		"more than shape":   {"BYTES", "[1]", "8", "\x00\x00\x00\x00\x00\x00\x00\x00"},
		"shape beyond":      {"BYTES", "[2147483647]", "4", "\x00\x00\x00\x00"},
		"empty but wanted":  {"FP64", "[1]", "0", ""},
		"wider than memory": {"INT64", "[2147483647]", "8", "12345678"},
	} {
		if err := read(c[0], c[1], c[2], c[3]); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValuesAsNumbers(t *testing.T) {
	table, err := request(`{"instances": [[1.5, "2", true, false, null, {"a": 1}, -7, 1e999]]}`)
	if err != nil {
		t.Fatal(err)
	}
	field := table.Row(0, nil)[0]
	for column, want := range []float64{1.5, math.NaN(), 1, 0, math.NaN(), math.NaN(), -7, math.Inf(1)} {
		if got := field.Value(column).Number(); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("column %d is %v, not %v", column, got, want)
		}
	}
}

func TestShortFloats(t *testing.T) {
	for bits, want := range map[uint16]float64{
		0x0000: 0, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0001: math.Ldexp(1, -24), 0x8400: -math.Ldexp(1, -14),
		0x83ff: -math.Ldexp(1023, -24), 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1),
	} {
		if got := layouts["FP16"].read(binary.LittleEndian.AppendUint16(nil, bits)).Number(); got != want {
			t.Errorf("%#04x is %v, not %v", bits, got, want)
		}
	}
	if got := layouts["FP16"].read([]byte{0x01, 0x7e}); !math.IsNaN(got.Number()) {
		t.Errorf("%v", got.Number())
	}
	if got := layouts["BF16"].read([]byte{0xc0, 0x3f}).Number(); got != 1.5 {
		t.Errorf("%v", got)
	}
}
