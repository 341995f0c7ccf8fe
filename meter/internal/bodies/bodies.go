// Package bodies reads rows out of requests to model servers and out of their answers.
//
// What is read is somebody else's: each reader ends in bounded time and memory, both in proportion to the
// body's bytes, whatever these are.
package bodies

import (
	"bytes"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"evenkeel.dev/meter/internal/exchange"
)

// ErrUnknown says that a body is of no protocol that is read, ErrUnreadable that it breaks its own.
var (
	ErrUnknown    = errors.New("the body is of no protocol that is read")
	ErrUnreadable = errors.New("the body cannot be read")
)

// HeaderLength is the header that tells JSON from tensors in a body with the binary tensor extension.
const HeaderLength = "Inference-Header-Content-Length"

// maxFields bounds the tensors of a body and the keys of a row, of which the least take two bytes.
const maxFields = 4096

// The methods of GRPCInferenceService whose messages have rows.
const (
	inferMethod  = "/inference.GRPCInferenceService/ModelInfer"
	streamMethod = "/inference.GRPCInferenceService/ModelStreamInfer"
)

// Table is what a body says about its rows.
type Table struct {
	// Rows is their number.
	Rows int
	// instances are V1's rows: a JSON value each, in document.
	instances []span
	document  []byte
	// tensors are V2's, or the columns of TensorFlow Serving.
	tensors []tensor
}

// Field is what one row has of a tensor, or under a key.
type Field struct {
	// Name is "" where the row is a list or a scalar.
	Name string
	// Alone says that it is the row's only one, whose columns can be told by their positions.
	Alone bool
	// Width is the number of its columns.
	Width int

	cells cells
	start int
}

// Value is the one in a column from 0 to Width-1.
func (f Field) Value(column int) Value { return f.cells.at(f.start + column) }

// cells are the values of a tensor, row-major.
type cells interface {
	size() int
	at(i int) Value
}

// Request reads the request of an exchange. The error is ErrUnknown or ErrUnreadable.
func Request(e exchange.Exchange) (*Table, error) {
	if e.Protocol == exchange.GRPC {
		return requestMessage(e.Path, e.Request)
	}
	return body(e.RequestHeader, e.Request, "instances", "inputs")
}

// Answer reads the answer of an exchange, as Request does.
func Answer(e exchange.Exchange) (*Table, error) {
	if e.Protocol == exchange.GRPC {
		return answerMessage(e.Path, e.Response)
	}
	return body(e.ResponseHeader, e.Response, "predictions", "outputs")
}

// body reads a body of HTTP by what it is, not by its path: model servers have paths of their own.
func body(header http.Header, content []byte, v1, v2 string) (*Table, error) {
	if len(content) > math.MaxInt32 {
		return nil, ErrUnreadable
	}
	if length := header.Get(HeaderLength); length != "" {
		size, err := strconv.ParseUint(length, 10, 31)
		if err != nil || int(size) > len(content) {
			return nil, ErrUnreadable
		}
		if size == 0 {
			// The tensor alone, of which only the model server knows the shape.
			return nil, ErrUnknown
		}
		return document(content[:size], content[size:], v1, v2)
	}
	if !bytes.HasPrefix(bytes.TrimLeft(content, " \t\r\n"), []byte("{")) {
		if strings.Contains(header.Get("Content-Type"), "json") {
			return nil, notObject(content)
		}
		return nil, ErrUnknown
	}
	return document(content, nil, v1, v2)
}

// Row gives the fields of a row from 0 to Rows-1, in a buffer that may be the last row's.
func (t *Table) Row(row int, buffer []Field) []Field {
	fields := buffer[:0]
	if t.document != nil {
		place := t.instances[row]
		return instance(t.document[place.from:place.to], fields)
	}
	for i := range t.tensors {
		tensor := &t.tensors[i]
		if tensor.rows != t.Rows {
			// A tensor beside the batch says nothing about a row.
			continue
		}
		fields = append(fields, Field{
			Name: tensor.name, Alone: len(t.tensors) == 1, Width: tensor.width,
			cells: tensor.cells, start: row * tensor.width,
		})
	}
	return fields
}
