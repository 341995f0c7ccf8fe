package bodies

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"evenkeel.dev/meter/internal/exchange"
)

// golden is a body that a client or server in use has written, and what was put into it.
type golden struct {
	Name    string
	Side    string
	Headers map[string]string
	Rows    []map[string][]*string
}

func goldens(t testing.TB) map[string]golden {
	all := map[string]golden{}
	for _, index := range []string{"mlserver", "triton"} {
		content, err := os.ReadFile(filepath.Join("testdata", index+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var some []golden
		if err := json.Unmarshal(content, &some); err != nil {
			t.Fatal(err)
		}
		for _, one := range some {
			all[one.Name] = one
		}
	}
	return all
}

func (g golden) read(t testing.TB) (*Table, error) {
	content, err := os.ReadFile(filepath.Join("testdata", g.Name+".body"))
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	for name, value := range g.Headers {
		header.Set(name, value)
	}
	content, err = Plain(header.Get("Content-Encoding"), content, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	e := exchange.Exchange{Protocol: exchange.HTTP}
	if strings.Contains(g.Name, "grpc") {
		e = exchange.Exchange{Protocol: exchange.GRPC, Path: inferMethod}
	}
	if g.Side == "answer" {
		e.ResponseHeader, e.Response = header, content
		return Answer(e)
	}
	e.RequestHeader, e.Request = header, content
	return Request(e)
}

// texts is what a table says: by row and field the texts of its columns, nil where one is missing.
func texts(table *Table) []map[string][]*string {
	rows := make([]map[string][]*string, table.Rows)
	var buffer []Field
	for i := range rows {
		buffer = table.Row(i, buffer)
		rows[i] = map[string][]*string{}
		for _, field := range buffer {
			columns := make([]*string, field.Width)
			for column := range columns {
				if text, there := field.Value(column).Text(nil); there {
					written := string(text)
					columns[column] = &written
				}
			}
			rows[i][field.Name] = columns
		}
	}
	return rows
}

func shown(rows []map[string][]*string) string {
	content, _ := json.Marshal(rows)
	return string(content)
}

func TestBodiesOfClientsAndServersInUse(t *testing.T) {
	for name, golden := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			table, err := golden.read(t)
			if err != nil {
				t.Fatal(err)
			}
			if got := texts(table); !reflect.DeepEqual(got, golden.Rows) {
				t.Errorf("got  %s\nwant %s", shown(got), shown(golden.Rows))
			}
		})
	}
}
