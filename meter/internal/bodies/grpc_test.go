package bodies

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"evenkeel.dev/meter/internal/exchange"
)

func rpc(content []byte) (*Table, error) {
	return Request(exchange.Exchange{Protocol: exchange.GRPC, Path: inferMethod, Request: content})
}

func block(number protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
}

func varint(number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), value)
}

// wire is a tensor of a request, "a", with contents of its own.
func wire(datatype string, shape []byte, contents ...[]byte) []byte {
	return block(5, bytes.Join([][]byte{
		block(tensorName, []byte("a")), block(tensorDatatype, []byte(datatype)), shape,
		block(tensorContents, bytes.Join(contents, nil)),
	}, nil))
}

func TestContentsThatAreNotPacked(t *testing.T) {
	two := varint(tensorShape, 2)
	float := func(value float32) []byte {
		return protowire.AppendFixed32(protowire.AppendTag(nil, 6, protowire.Fixed32Type), math.Float32bits(value))
	}
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"floats":   {wire("FP32", two, float(1.5), float(-2)), `[{"a":["1.5"]},{"a":["-2"]}]`},
		"integers": {wire("INT8", two, varint(2, 7), varint(2, math.MaxUint64)), `[{"a":["7"]},{"a":["-1"]}]`},
		"booleans": {wire("BOOL", two, block(1, []byte{1}), varint(1, 0)), `[{"a":["true"]},{"a":["false"]}]`},
		"packed shape": {wire("BYTES", block(tensorShape, []byte{1, 2}), block(8, []byte("x")), block(8, nil)),
			`[{"a":["x",""]}]`},
		"unknown fields": {append(block(99, []byte("new")), wire("BOOL", two, block(1, []byte{1, 1}))...),
			`[{"a":["true"]},{"a":["true"]}]`},
		"nothing": {nil, `[]`},
	} {
		table, err := rpc(c.content)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := shown(texts(table)); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestMessagesThatCannotBeRead(t *testing.T) {
	one := varint(tensorShape, 1)
	whole := wire("BOOL", one, block(1, []byte{1}))
	for name, content := range map[string][]byte{
		"cut":              whole[:len(whole)-1],
		"group":            bytes.Repeat([]byte{0x0b}, 1<<20),
		"end of group":     {0x0c},
		"field nought":     {0x00, 0x00},
		"length beyond":    {0x2a, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"endless varint":   bytes.Repeat([]byte{0xff}, 1<<20),
		"no datatype":      block(5, one),
		"unknown datatype": wire("FP8", one, block(1, []byte{1})),
		"other contents":   wire("FP32", one, block(1, []byte{1})),
		"half a float":     wire("FP32", one, block(6, []byte{1, 2, 3})),
		"more than shape":  wire("BOOL", one, block(1, []byte{1, 1})),
		"negative shape":   wire("BOOL", varint(tensorShape, math.MaxUint64), block(1, []byte{1})),
		"shape multiplies": wire("BOOL", bytes.Repeat(varint(tensorShape, math.MaxInt32), 9), block(1, []byte{1})),
		"name not UTF-8":   block(5, block(tensorName, []byte{0xff})),
		"raw beyond":       append(bytes.Clone(whole), append(block(7, []byte{1}), block(7, []byte{1})...)...),
		"raw too short":    append(bytes.Clone(whole), block(7, nil)...),
		"empty tensors":    bytes.Repeat(block(5, nil), 1<<20),
		"empty raw":        bytes.Repeat(block(7, nil), 1<<20),
	} {
		if _, err := rpc(content); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	e := exchange.Exchange{Protocol: exchange.GRPC, Path: "/inference.GRPCInferenceService/ModelReady", Request: whole}
	if _, err := Request(e); !errors.Is(err, ErrUnknown) {
		t.Errorf("another method: %v", err)
	}
}

func TestAnswersOfAStream(t *testing.T) {
	infer := wire("BOOL", varint(tensorShape, 1), block(1, []byte{1}))
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"an answer": {block(streamedAnswer, infer), `[{"a":["true"]}]`},
		"an error":  {append(block(1, []byte("out of memory")), block(streamedAnswer, nil)...), `[]`},
	} {
		table, err := Answer(exchange.Exchange{Protocol: exchange.GRPC, Path: streamMethod, Response: c.content})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := shown(texts(table)); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	if _, err := Answer(exchange.Exchange{Protocol: exchange.GRPC, Path: streamMethod, Response: []byte{0x12, 0xff}}); !errors.Is(err, ErrUnreadable) {
		t.Error(err)
	}
	if table, err := Request(exchange.Exchange{Protocol: exchange.GRPC, Path: streamMethod, Request: infer}); err != nil || table.Rows != 1 {
		t.Error(table, err)
	}
}
