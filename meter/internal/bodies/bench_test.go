package bodies

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"evenkeel.dev/meter/internal/exchange"
)

const columnsOfBench = 50

// fifty are bodies of one row of 50 features.
func fifty() map[string]exchange.Exchange {
	numbers, object, tensors := []string{}, []string{}, []string{}
	var raw, message []byte
	for i := range columnsOfBench {
		number := fmt.Sprintf("%.6f", 1000*math.Sin(float64(i)))
		numbers = append(numbers, number)
		object = append(object, fmt.Sprintf(`"feature_%d": %s`, i, number))
		tensors = append(tensors, fmt.Sprintf(`{"name": "feature_%d", "shape": [1, 1], "datatype": "FP64", "data": [%s]}`, i, number))
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(math.Sin(float64(i))))
	}
	head := fmt.Sprintf(`{"inputs": [{"name": "x", "shape": [1, 50], "datatype": "FP64", "parameters": {"binary_data_size": %d}}]}`, len(raw))
	message = append(block(5, bytes.Join([][]byte{
		block(tensorName, []byte("x")), block(tensorDatatype, []byte("FP64")), block(tensorShape, []byte{1, columnsOfBench}),
	}, nil)), block(7, raw)...)
	web := func(content string) exchange.Exchange {
		return exchange.Exchange{Protocol: exchange.HTTP, Request: []byte(content)}
	}
	withHeader := web(head + string(raw))
	withHeader.RequestHeader = http.Header{HeaderLength: {fmt.Sprint(len(head))}}
	list := strings.Join(numbers, ", ")
	return map[string]exchange.Exchange{
		"V1 lists":   web(`{"instances": [[` + list + `]]}`),
		"V1 objects": web(`{"instances": [{` + strings.Join(object, ", ") + `}]}`),
		"V2 matrix":  web(`{"inputs": [{"name": "x", "shape": [1, 50], "datatype": "FP64", "data": [` + list + `]}]}`),
		"V2 tensors": web(`{"inputs": [` + strings.Join(tensors, ", ") + `]}`),
		"V2 binary":  withHeader,
		"gRPC raw":   {Protocol: exchange.GRPC, Path: inferMethod, Request: message},
	}
}

func BenchmarkRow(b *testing.B) {
	for name, e := range fifty() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var fields []Field
			for b.Loop() {
				table, err := Request(e)
				if err != nil {
					b.Fatal(err)
				}
				fields = table.Row(0, fields)
				seen := 0
				for _, field := range fields {
					for column := range field.Width {
						field.Value(column).Number()
						seen++
					}
				}
				if seen != columnsOfBench {
					b.Fatal(seen)
				}
			}
		})
	}
}

// BenchmarkTokens is what encoding/json's tokens take for the same bodies, without more.
func BenchmarkTokens(b *testing.B) {
	for name, e := range fifty() {
		if e.Protocol != exchange.HTTP || e.RequestHeader != nil {
			continue
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				decoder := json.NewDecoder(bytes.NewReader(e.Request))
				for {
					if _, err := decoder.Token(); err != nil {
						break
					}
				}
			}
		})
	}
}
