package bodies

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"evenkeel.dev/meter/internal/exchange"
)

// seeds adds the golden bodies, and some that are cut.
func seeds(f *testing.F, add func(content []byte)) {
	files, err := filepath.Glob("testdata/*.body")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		add(content)
		add(content[:len(content)/2])
	}
}

// bounded reads all of a table, and holds that it says no more than its body's bytes can.
func bounded(t *testing.T, table *Table, err error, size int) {
	if err != nil {
		return
	}
	var buffer []Field
	if table.Rows > size {
		t.Fatalf("%d rows of %d bytes", table.Rows, size)
	}
	for row := range table.Rows {
		buffer = table.Row(row, buffer)
		for _, field := range buffer {
			for column := range field.Width {
				value := field.Value(column)
				value.Number()
				value.Text(nil)
			}
		}
	}
}

func FuzzJSON(f *testing.F) {
	seeds(f, func(content []byte) { f.Add(content) })
	for _, content := range []string{
		`{"instances": [{"a": [1, null, "x"]}, 1, [2, [3]]]}`, `{"inputs": {"a": [[1], [2]]}}`,
		`{"instances": [NaN, -Infinity, "\"NaN"]}`, strings.Repeat("[", 100), `{"outputs": [1], "predictions": [{}]}`,
	} {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		table, err := Request(exchange.Exchange{Protocol: exchange.HTTP, Request: content})
		bounded(t, table, err, len(content))
		table, err = Answer(exchange.Exchange{Protocol: exchange.HTTP, Response: content})
		bounded(t, table, err, len(content))
	})
}

func FuzzBinary(f *testing.F) {
	for _, golden := range goldens(f) {
		if length, err := strconv.Atoi(golden.Headers["Inference-Header-Content-Length"]); err == nil {
			content, err := os.ReadFile(filepath.Join("testdata", golden.Name+".body"))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(content, uint16(length))
		}
	}
	f.Fuzz(func(t *testing.T, content []byte, length uint16) {
		header := http.Header{HeaderLength: {strconv.Itoa(int(length) % (len(content) + 1))}}
		table, err := Request(exchange.Exchange{Protocol: exchange.HTTP, RequestHeader: header, Request: content})
		bounded(t, table, err, len(content))
	})
}

func FuzzGRPC(f *testing.F) {
	seeds(f, func(content []byte) { f.Add(content) })
	f.Fuzz(func(t *testing.T, content []byte) {
		e := exchange.Exchange{Protocol: exchange.GRPC, Path: inferMethod, Request: content, Response: content}
		table, err := Request(e)
		bounded(t, table, err, len(content))
		table, err = Answer(e)
		bounded(t, table, err, len(content))
		e.Path = streamMethod
		table, err = Answer(e)
		bounded(t, table, err, len(content))
	})
}

func FuzzPlain(f *testing.F) {
	seeds(f, func(content []byte) {
		f.Add("gzip", content)
		f.Add("deflate", packedBy(f, zlibbed, content))
		f.Add("deflate", packedBy(f, bare, content))
	})
	f.Fuzz(func(t *testing.T, encoding string, content []byte) {
		if plain, err := Plain(encoding, content, 1000); err == nil && len(plain) > 1000 {
			t.Errorf("%d bytes", len(plain))
		}
	})
}

// FuzzWithoutNaN holds that what was valid stays what it was.
func FuzzWithoutNaN(f *testing.F) {
	f.Add([]byte(`{"NaN": "Infinity", "\"": [1, "\\"]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		if _, ok := valid(document); ok && !strings.ContainsAny(string(document), "NI") {
			if got := withoutNaN(document); string(got) != string(document) {
				t.Errorf("%q became %q", document, got)
			}
		}
	})
}
