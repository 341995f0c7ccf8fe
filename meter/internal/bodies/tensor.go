package bodies

import (
	"encoding/binary"
	"math"
)

// tensor is one of V2, whose first dimension are the rows.
type tensor struct {
	name        string
	rows, width int
	cells       cells
}

const (
	// maxElements bounds what a shape may promise; no body has as many bytes.
	maxElements = math.MaxInt32
	// maxDimensions bounds a shape itself, as numpy does.
	maxDimensions = 64
)

func (t *tensor) elements() int { return t.rows * t.width }

// shaped takes a shape, false if it is none or multiplies over. A scalar is one row.
func (t *tensor) shaped(dimensions []int64) bool {
	t.rows, t.width = 1, 1
	for i, dimension := range dimensions {
		if dimension < 0 || dimension > maxElements {
			return false
		}
		if i == 0 {
			t.rows = int(dimension)
			continue
		}
		if dimension > 0 && t.width > maxElements/int(dimension) {
			return false
		}
		t.width *= int(dimension)
	}
	return t.width == 0 || t.rows <= maxElements/t.width
}

// sized takes the number of rows from the first tensor.
func (t *Table) sized() *Table {
	if len(t.tensors) > 0 && t.tensors[0].width > 0 {
		t.Rows = t.tensors[0].rows
	}
	return t
}

// packed reads elements as the binary tensor extension and raw contents write them: little-endian, BYTES
// each behind their length. False if they are not as many as wanted.
func packed(datatype string, content []byte, wanted int) (cells, bool) {
	if datatype == "BYTES" {
		return prefixed(content, wanted)
	}
	layout, known := layouts[datatype]
	if !known || len(content)%layout.bytes != 0 || len(content)/layout.bytes != wanted {
		return nil, false
	}
	return &packedCells{content, layout}, true
}

func prefixed(content []byte, wanted int) (cells, bool) {
	if wanted > len(content)/4 {
		return nil, false
	}
	texts := make(textCells, 0, wanted)
	for len(content) > 0 {
		if len(content) < 4 {
			return nil, false
		}
		length := uint64(binary.LittleEndian.Uint32(content))
		if content = content[4:]; length > uint64(len(content)) || len(texts) == wanted {
			return nil, false
		}
		texts, content = append(texts, content[:length]), content[length:]
	}
	return texts, len(texts) == wanted
}

// layout is how a datatype's elements stand in memory.
type layout struct {
	bytes int
	read  func([]byte) Value
}

var layouts = map[string]layout{
	"BOOL":   {1, func(b []byte) Value { return Value{kind: boolean, bits: uint64(min(b[0], 1))} }},
	"UINT8":  {1, func(b []byte) Value { return Value{kind: unsigned, bits: uint64(b[0])} }},
	"UINT16": {2, func(b []byte) Value { return Value{kind: unsigned, bits: uint64(binary.LittleEndian.Uint16(b))} }},
	"UINT32": {4, func(b []byte) Value { return Value{kind: unsigned, bits: uint64(binary.LittleEndian.Uint32(b))} }},
	"UINT64": {8, func(b []byte) Value { return Value{kind: unsigned, bits: binary.LittleEndian.Uint64(b)} }},
	"INT8":   {1, func(b []byte) Value { return whole(int64(int8(b[0]))) }},
	"INT16":  {2, func(b []byte) Value { return whole(int64(int16(binary.LittleEndian.Uint16(b)))) }},
	"INT32":  {4, func(b []byte) Value { return whole(int64(int32(binary.LittleEndian.Uint32(b)))) }},
	"INT64":  {8, func(b []byte) Value { return whole(int64(binary.LittleEndian.Uint64(b))) }},
	"FP16":   {2, func(b []byte) Value { return short(half(binary.LittleEndian.Uint16(b))) }},
	"BF16":   {2, func(b []byte) Value { return short(math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16)) }},
	"FP32":   {4, func(b []byte) Value { return short(math.Float32frombits(binary.LittleEndian.Uint32(b))) }},
	"FP64":   {8, func(b []byte) Value { return Value{kind: double, bits: binary.LittleEndian.Uint64(b)} }},
}

func whole(number int64) Value { return Value{kind: integer, bits: uint64(number)} }

func short(number float32) Value {
	return Value{kind: single, bits: math.Float64bits(float64(number))}
}

// half reads a float of 16 bits, IEEE 754 binary16.
func half(bits uint16) float32 {
	sign, exponent, fraction := uint32(bits>>15), uint32(bits>>10&0x1f), uint32(bits&0x3ff)
	switch exponent {
	case 0:
		// Below the normal ones the fraction counts units of 2^-24.
		number := float32(fraction) / (1 << 24)
		if sign != 0 {
			return -number
		}
		return number
	case 0x1f:
		return math.Float32frombits(sign<<31 | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign<<31 | (exponent+127-15)<<23 | fraction<<13)
}

type packedCells struct {
	content []byte
	layout  layout
}

func (c *packedCells) size() int { return len(c.content) / c.layout.bytes }

func (c *packedCells) at(i int) Value {
	return c.layout.read(c.content[i*c.layout.bytes : (i+1)*c.layout.bytes])
}

// textCells are elements of BYTES.
type textCells [][]byte

func (c textCells) size() int { return len(c) }

func (c textCells) at(i int) Value { return Value{kind: text, raw: c[i]} }

// numberCells are what protocol buffers write with as many bytes as each needs.
type numberCells struct {
	kind kind
	bits []uint64
}

func (c *numberCells) size() int { return len(c.bits) }

func (c *numberCells) at(i int) Value { return Value{kind: c.kind, bits: c.bits[i]} }
