package bodies

import (
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of the Open Inference Protocol's GRPCInferenceService (open_inference_grpc.proto). They are
// read from the wire: code that is generated would hold a copy of each tensor.

// fields are the numbers of a message's tensors and of their raw contents.
type fields struct{ tensors, raw protowire.Number }

var (
	requestFields = fields{tensors: 5, raw: 7}
	answerFields  = fields{tensors: 5, raw: 6}
)

// streamedAnswer is the field of ModelStreamInferResponse with the ModelInferResponse.
const streamedAnswer = 2

// Fields of InferInputTensor and InferOutputTensor.
const (
	tensorName       = 1
	tensorDatatype   = 2
	tensorShape      = 3
	tensorParameters = 4
	tensorContents   = 5
)

// contents are the fields of InferTensorContents, each with the datatypes that it holds.
var contents = map[string]struct {
	field protowire.Number
	kind  kind
}{
	"BOOL": {1, boolean},
	"INT8": {2, integer}, "INT16": {2, integer}, "INT32": {2, integer},
	"INT64": {3, integer},
	"UINT8": {4, unsigned}, "UINT16": {4, unsigned}, "UINT32": {4, unsigned},
	"UINT64": {5, unsigned},
	"FP32":   {6, single},
	"FP64":   {7, double},
	"BYTES":  {8, text},
}

// wireTensor is a tensor whose contents have not been read.
type wireTensor struct {
	tensor
	datatype  string
	shape     []int64
	contents  [][]byte
	elsewhere bool
}

// requestMessage reads a ModelInferRequest.
func requestMessage(method string, content []byte) (*Table, error) {
	if method != inferMethod && method != streamMethod {
		return nil, ErrUnknown
	}
	return message(content, requestFields)
}

// answerMessage reads a ModelInferResponse, or the one in a ModelStreamInferResponse, which has none but an error
// where the model failed.
func answerMessage(method string, content []byte) (*Table, error) {
	switch method {
	case inferMethod:
		return message(content, answerFields)
	case streamMethod:
		var answer []byte
		ok := walk(content, func(number protowire.Number, value []byte, _ uint64) bool {
			if number == streamedAnswer {
				answer = value
			}
			return true
		})
		if !ok {
			return nil, ErrUnreadable
		}
		return message(answer, answerFields)
	}
	return nil, ErrUnknown
}

func message(content []byte, numbers fields) (*Table, error) {
	if len(content) > math.MaxInt32 {
		return nil, ErrUnreadable
	}
	var tensors []wireTensor
	var raw [][]byte
	ok := walk(content, func(number protowire.Number, value []byte, _ uint64) bool {
		switch number {
		case numbers.tensors:
			read, ok := readTensor(value)
			tensors = append(tensors, read)
			return ok && len(tensors) <= maxFields
		case numbers.raw:
			raw = append(raw, value)
		}
		return len(raw) <= maxFields
	})
	if !ok {
		return nil, ErrUnreadable
	}
	return assembled(tensors, raw)
}

// assembled gives each tensor its contents: its own, or the next of the raw ones.
func assembled(tensors []wireTensor, raw [][]byte) (*Table, error) {
	table := &Table{}
	isRaw := len(raw) > 0
	for i := range tensors {
		wire := &tensors[i]
		if !wire.shaped(wire.shape) {
			return nil, ErrUnreadable
		}
		if wire.elsewhere {
			continue
		}
		var ok bool
		switch {
		case !isRaw:
			wire.cells, ok = wire.typed()
		case len(raw) > 0:
			wire.cells, ok = packed(wire.datatype, raw[0], wire.elements())
			raw = raw[1:]
		}
		if !ok {
			return nil, ErrUnreadable
		}
		table.tensors = append(table.tensors, wire.tensor)
	}
	if len(raw) > 0 {
		return nil, ErrUnreadable
	}
	return table.sized(), nil
}

func readTensor(content []byte) (read wireTensor, ok bool) {
	ok = walk(content, func(number protowire.Number, value []byte, varint uint64) bool {
		switch number {
		case tensorName:
			read.name = string(value)
			return utf8.ValidString(read.name)
		case tensorDatatype:
			read.datatype = string(value)
		case tensorShape:
			if value == nil {
				read.shape = append(read.shape, int64(varint))
			} else if !varints(value, func(dimension uint64) bool {
				read.shape = append(read.shape, int64(dimension))
				return len(read.shape) <= maxDimensions
			}) {
				return false
			}
			return len(read.shape) <= maxDimensions
		case tensorParameters:
			return walk(value, func(number protowire.Number, key []byte, _ uint64) bool {
				read.elsewhere = read.elsewhere || number == 1 && string(key) == "shared_memory_region"
				return true
			})
		case tensorContents:
			read.contents = append(read.contents, value)
		}
		return true
	})
	return read, ok
}

// typed reads InferTensorContents; false if they are not as many as the shape says.
func (w *wireTensor) typed() (cells, bool) {
	place, known := contents[w.datatype]
	if !known {
		return nil, false
	}
	numbers, texts := w.room(place.kind)
	for _, content := range w.contents {
		ok := walk(content, func(number protowire.Number, value []byte, scalar uint64) bool {
			switch {
			case number != place.field:
				return true
			case len(texts)+len(numbers.bits) > w.elements():
				return false
			case place.kind == text:
				texts = append(texts, value)
				return value != nil
			case value == nil:
				numbers.bits = append(numbers.bits, scalar)
				return true
			}
			return numbers.unpack(value)
		})
		if !ok {
			return nil, false
		}
	}
	if place.kind == text {
		return texts, texts.size() == w.elements()
	}
	return numbers.finished(), numbers.size() == w.elements()
}

// room is that for as many elements as the shape says, but no more than the contents can hold: none takes less
// than a byte, a text with its tag and length two.
func (w *wireTensor) room(kind kind) (*numberCells, textCells) {
	size := 0
	for _, content := range w.contents {
		size += len(content)
	}
	if kind == text {
		return &numberCells{}, make(textCells, 0, min(w.elements(), size/2))
	}
	return &numberCells{kind: kind, bits: make([]uint64, 0, min(w.elements(), size))}, nil
}

// unpack appends what a packed field holds.
func (c *numberCells) unpack(value []byte) bool {
	width := 0
	switch c.kind {
	case single:
		width = 4
	case double:
		width = 8
	default:
		return varints(value, func(number uint64) bool {
			c.bits = append(c.bits, number)
			return true
		})
	}
	if len(value)%width != 0 {
		return false
	}
	for len(value) > 0 {
		if width == 4 {
			number, _ := protowire.ConsumeFixed32(value)
			c.bits = append(c.bits, uint64(number))
		} else {
			number, _ := protowire.ConsumeFixed64(value)
			c.bits = append(c.bits, number)
		}
		value = value[width:]
	}
	return true
}

// finished turns the bits of float32 into those of float64, and booleans into 0 or 1.
func (c *numberCells) finished() *numberCells {
	for i, bits := range c.bits {
		switch c.kind {
		case single:
			c.bits[i] = math.Float64bits(float64(math.Float32frombits(uint32(bits))))
		case boolean:
			c.bits[i] = min(bits, 1)
		}
	}
	return c
}

// walk calls see with each field of a message: value is nil but for what has a length, scalar holds the bits
// of the others. It is false where the message ends early or see says so.
func walk(content []byte, see func(number protowire.Number, value []byte, scalar uint64) bool) bool {
	for len(content) > 0 {
		number, wire, size := protowire.ConsumeTag(content)
		if size < 0 {
			return false
		}
		content = content[size:]
		var value []byte
		var scalar uint64
		switch wire {
		case protowire.BytesType:
			if value, size = protowire.ConsumeBytes(content); value == nil {
				value = []byte{}
			}
		case protowire.VarintType:
			scalar, size = protowire.ConsumeVarint(content)
		case protowire.Fixed32Type:
			var bits uint32
			bits, size = protowire.ConsumeFixed32(content)
			scalar = uint64(bits)
		case protowire.Fixed64Type:
			scalar, size = protowire.ConsumeFixed64(content)
		default:
			// A group, which these messages do not have, may be nested without end.
			return false
		}
		if size < 0 || !see(number, value, scalar) {
			return false
		}
		content = content[size:]
	}
	return true
}

func varints(content []byte, see func(uint64) bool) bool {
	for len(content) > 0 {
		number, size := protowire.ConsumeVarint(content)
		if size < 0 || !see(number) {
			return false
		}
		content = content[size:]
	}
	return true
}
