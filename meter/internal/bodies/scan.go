package bodies

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// This file walks through JSON that has been found valid. It neither recurses nor allocates, so that depth
// and size of a body cost no more than its bytes.

// span is a part of a document.
type span struct{ from, to uint32 }

// valid finds a document valid: one value, no name twice in an object, UTF-8, at most 10,000 deep. NaN and
// Infinity, which Python writes and TensorFlow Serving reads, are put into JSON's own words first.
func valid(document []byte) ([]byte, bool) {
	if jsontext.Value(document).IsValid() {
		return document, true
	}
	if !bytes.Contains(document, []byte("NaN")) && !bytes.Contains(document, []byte("Infinity")) {
		return nil, false
	}
	document = withoutNaN(document)
	return document, jsontext.Value(document).IsValid()
}

// withoutNaN writes NaN outside strings as null, and Infinity as a number beyond all others.
func withoutNaN(document []byte) []byte {
	plain := make([]byte, 0, len(document)+len(document)/2)
	for i := 0; i < len(document); {
		switch {
		case document[i] == '"':
			end := stringEnd(document, i)
			plain = append(plain, document[i:end]...)
			i = end
		case bytes.HasPrefix(document[i:], []byte("NaN")):
			plain = append(plain, "null"...)
			i += len("NaN")
		case bytes.HasPrefix(document[i:], []byte("Infinity")):
			plain = append(plain, "1e999"...)
			i += len("Infinity")
		default:
			plain = append(plain, document[i])
			i++
		}
	}
	return plain
}

// stringEnd is the index after the string that begins at i, at most the document's length.
func stringEnd(document []byte, i int) int {
	for i++; i < len(document); i++ {
		switch document[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(document)
}

// valueEnd is the index after the value that begins at i.
func valueEnd(document []byte, i int) int {
	depth := 0
	for i < len(document) {
		switch document[i] {
		case '"':
			i = stringEnd(document, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ' ', '\t', '\r', '\n', ',', ':':
			i++
			continue
		default:
			i = scalarEnd(document, i)
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// scalarEnd is the index after the number or literal that begins at i.
func scalarEnd(document []byte, i int) int {
	for i < len(document) {
		switch document[i] {
		case ' ', '\t', '\r', '\n', ',', ':', ']', '}':
			return i
		}
		i++
	}
	return i
}

// next is the index of the next value or end of an array or object, from i.
func next(document []byte, i int) int {
	for i < len(document) {
		switch document[i] {
		case ' ', '\t', '\r', '\n', ',', ':':
			i++
		default:
			return i
		}
	}
	return i
}

// members calls see with the name, still quoted, and the value of each member of an object.
func members(object []byte, see func(name, value []byte)) {
	i := next(object, 0) + 1
	for {
		if i = next(object, i); i >= len(object) || object[i] == '}' {
			return
		}
		end := stringEnd(object, i)
		name := object[i:end]
		start := next(object, end)
		i = valueEnd(object, start)
		see(name, object[start:i])
	}
}

// elements calls see with the place of each element of an array.
func elements(array []byte, see func(from, to int)) {
	i := next(array, 0) + 1
	for {
		if i = next(array, i); i >= len(array) || array[i] == ']' {
			return
		}
		end := valueEnd(array, i)
		see(i, end)
		i = end
	}
}

// scalars are the places of an array's values, flat, or of any other value itself. An object within counts as
// one value. They are counted first, since growing would take a multiple of their memory.
func scalars(document []byte) []span {
	number := 0
	walkScalars(document, func(int, int) { number++ })
	spans := make([]span, 0, number)
	walkScalars(document, func(from, to int) { spans = append(spans, span{uint32(from), uint32(to)}) })
	return spans
}

func walkScalars(document []byte, see func(from, to int)) {
	for i := 0; i < len(document); {
		switch document[i] {
		case '[', ']', ' ', '\t', '\r', '\n', ',':
			i++
		default:
			end := valueEnd(document, i)
			see(i, end)
			i = end
		}
	}
}

// writtenCells reads values by their places in a document.
type writtenCells struct {
	document []byte
	spans    []span
}

func (c *writtenCells) size() int { return len(c.spans) }

func (c *writtenCells) at(i int) Value {
	return Value{kind: written, raw: c.document[c.spans[i].from:c.spans[i].to]}
}

// kindOf is the first byte of a value, which tells its kind.
func kindOf(value []byte) byte {
	if i := next(value, 0); i < len(value) {
		return value[i]
	}
	return 0
}

// unquoted is what a quoted string says; false if the value is not a string.
func unquoted(value []byte) (string, bool) {
	if kindOf(value) != '"' {
		return "", false
	}
	if plain := value[1 : len(value)-1]; bytes.IndexByte(plain, '\\') < 0 {
		return string(plain), true
	}
	return string(appendString(nil, value)), true
}
