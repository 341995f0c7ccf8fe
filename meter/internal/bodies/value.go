package bodies

import (
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"evenkeel.dev/meter/internal/profile"
)

type kind uint8

const (
	missing  kind = iota
	single        // bits of a float64 that was a float32 or shorter
	double        // bits of a float64
	integer       // bits of an int64
	unsigned      // bits of a uint64
	boolean       // 0 or 1
	text          // raw bytes
	written       // raw JSON
)

// Value is one of a row's values. The zero Value is missing.
type Value struct {
	kind kind
	bits uint64
	raw  []byte
}

// Number is the value as a number, NaN if it is missing, text or not a number.
func (v Value) Number() float64 {
	switch v.kind {
	case single, double:
		return math.Float64frombits(v.bits)
	case integer:
		return float64(int64(v.bits))
	case unsigned, boolean:
		return float64(v.bits)
	case written:
		switch v.raw[0] {
		case 't':
			return 1
		case 'f':
			return 0
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			// Beyond the range of float64 it is infinite, which is what the model server reads.
			number, _ := strconv.ParseFloat(string(v.raw), 64)
			return number
		}
	}
	return math.NaN()
}

// Text appends the value as a category, false if it is missing: numbers as in JSON without a trailing ".0".
func (v Value) Text(to []byte) ([]byte, bool) {
	switch v.kind {
	case single, double:
		bits := 64
		if v.kind == single {
			bits = 32
		}
		return appendFloat(to, math.Float64frombits(v.bits), bits)
	case integer:
		return strconv.AppendInt(to, int64(v.bits), 10), true
	case unsigned:
		return strconv.AppendUint(to, v.bits, 10), true
	case boolean:
		return strconv.AppendBool(to, v.bits != 0), true
	case text:
		return append(to, v.raw...), true
	case written:
		return v.written(to)
	}
	return to, false
}

// IsNumber tells a number, even if it is not finite, from text, from a boolean and from what is missing.
func (v Value) IsNumber() bool {
	switch v.kind {
	case single, double, integer, unsigned:
		return true
	case written:
		return v.raw[0] == '-' || '0' <= v.raw[0] && v.raw[0] <= '9'
	}
	return false
}

// IsInteger tells a number that is whole by its type, or is written without a fraction and an exponent.
func (v Value) IsInteger() bool {
	return v.kind == integer || v.kind == unsigned || v.IsNumber() && v.kind == written && isInteger(v.raw)
}

// IsBoolean tells a truth value.
func (v Value) IsBoolean() bool {
	return v.kind == boolean || v.kind == written && (v.raw[0] == 't' || v.raw[0] == 'f')
}

// IsNull tells what was written as null.
func (v Value) IsNull() bool { return v.kind == written && v.raw[0] == 'n' }

// IsAbsent tells what was not there at all.
func (v Value) IsAbsent() bool { return v.kind == missing }

// IsText tells text from numbers, booleans and what is missing.
func (v Value) IsText() bool { return v.kind == text || v.kind == written && v.raw[0] == '"' }

func (v Value) written(to []byte) ([]byte, bool) {
	switch v.raw[0] {
	case 'n':
		return to, false
	case '"':
		return appendString(to, v.raw), true
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if isInteger(v.raw) {
			// As it is written: an identifier may have more digits than a float64 holds.
			return append(to, v.raw...), true
		}
		number, _ := strconv.ParseFloat(string(v.raw), 64)
		return appendFloat(to, number, 64)
	}
	return append(to, v.raw...), true
}

func isInteger(raw []byte) bool {
	digits := raw
	if raw[0] == '-' {
		digits = raw[1:]
	}
	for _, digit := range digits {
		if digit < '0' || digit > '9' {
			return false
		}
	}
	return string(raw) != "-0"
}

func appendFloat(to []byte, number float64, bits int) ([]byte, bool) {
	if number != number {
		return to, false
	}
	return profile.AppendNumber(to, number, bits), true
}

// appendString appends what a JSON string says.
func appendString(to, raw []byte) []byte {
	// The document has been found valid, and so has its string.
	to, _ = jsontext.AppendUnquote(to, raw)
	return to
}

// Scalar is the value of a JSON number, string or literal that has been found valid.
func Scalar(raw []byte) Value { return Value{kind: written, raw: raw} }
