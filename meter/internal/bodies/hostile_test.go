package bodies

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"evenkeel.dev/meter/internal/exchange"
)

// manyNames is an object of about as many bytes.
func manyNames(size int) string {
	var object strings.Builder
	object.WriteString(`{"n": 1`)
	for i := 0; object.Len() < size; i++ {
		fmt.Fprintf(&object, `,"%x":1`, i)
	}
	return object.String() + "}"
}

// What is worst for each reader takes memory in proportion to its bytes; of names there are fewer, as each is
// looked up.
func TestHostileBodiesTakeBoundedMemory(t *testing.T) {
	const size = 2 << 20
	times := func(text string) string { return strings.Repeat(text, size/len(text)) }
	list := func(text string) string { return "[" + strings.TrimSuffix(times(text), ",") + "]" }
	web := func(content string, headers ...string) exchange.Exchange {
		header := http.Header{}
		for i := 0; i < len(headers); i += 2 {
			header.Set(headers[i], headers[i+1])
		}
		return exchange.Exchange{Protocol: exchange.HTTP, RequestHeader: header, Request: []byte(content)}
	}
	wired := func(content []byte) exchange.Exchange {
		return exchange.Exchange{Protocol: exchange.GRPC, Path: inferMethod, Request: content}
	}
	head := fmt.Sprintf(`{"inputs": [{"name": "a", "shape": [%d], "datatype": "BYTES", "parameters": {"binary_data_size": %d}}]}`,
		size/4, size)
	for name, e := range map[string]exchange.Exchange{
		"rows":           web(`{"instances": ` + list("1,") + "}"),
		"rows of lists":  web(`{"instances": ` + list("[],") + "}"),
		"one row":        web(`{"instances": [` + list("1,") + "]}"),
		"names":          web(`{"instances": [` + manyNames(size/10) + "]}"),
		"columns":        web(`{"inputs": ` + manyNames(size/10) + "}"),
		"names outside":  web(manyNames(size / 10)),
		"depth":          web(`{"instances": ` + times("[")),
		"objects' depth": web(times(`{"a":`)),
		"one text":       web(`{"instances": ["` + times("x") + `"]}`),
		"escapes":        web(`{"instances": ["` + times(`\u0061`) + `"]}`),
		"NaN":            web(`{"instances": ` + list("NaN,") + "}"),
		"one number":     web(`{"instances": [` + times("1") + "]}"),
		"white space":    web(`{` + times(" ")),
		"flat tensor":    web(fmt.Sprintf(`{"inputs": [{"name": "a", "shape": [%d], "datatype": "FP32", "data": %s}]}`, size/2, list("1,"))),
		"tensors":        web(`{"inputs": ` + list(`{"name":"a","shape":[1],"datatype":"FP32","data":[1]},`) + "}"),
		"shape":          web(fmt.Sprintf(`{"inputs": [{"name": "a", "shape": %s, "datatype": "FP32", "data": [1]}]}`, list("1,"))),
		"empty texts":    web(head+times("\x00"), HeaderLength, fmt.Sprint(len(head))),
		"bytes contents": wired(wire("BYTES", varint(tensorShape, 1), bytes.Repeat(block(8, nil), size/2))),
		"varints":        wired(wire("INT32", varint(tensorShape, size), block(2, make([]byte, size)))),
		"shapes":         wired(bytes.Repeat(varint(tensorShape, 1), size/2)),
		"empty tensors":  wired(bytes.Repeat(block(5, nil), size/2)),
		"tensors' names": wired(bytes.Repeat(block(5, block(tensorName, []byte("a"))), size/5)),
		"raw contents":   wired(bytes.Repeat(block(7, nil), size/2)),
		"shapes packed":  wired(block(5, block(tensorShape, bytes.Repeat([]byte{1}, size)))),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			table, err := Request(e)
			if err == nil && table.Rows > 0 {
				for _, field := range table.Row(table.Rows-1, nil) {
					for column := range min(field.Width, 10) {
						field.Value(column).Number()
						field.Value(column).Text(nil)
					}
				}
			}
			runtime.ReadMemStats(&after)
			if taken := after.TotalAlloc - before.TotalAlloc; taken > uint64(32*len(e.Request)+4<<20) {
				t.Errorf("%d MiB for %d MiB", taken>>20, len(e.Request)>>20)
			} else {
				t.Logf("%d MiB, %v", taken>>20, err)
			}
		})
	}
}
