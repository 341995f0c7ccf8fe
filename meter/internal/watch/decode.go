package watch

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

var (
	errTooLarge = errors.New("it has more bytes than are looked at")
	errFrames   = errors.New("it is not made of whole gRPC messages")
)

// Decode undoes a content encoding, up to a number of bytes.
func Decode(body []byte, encoding string, limit int64) ([]byte, error) {
	var reader io.Reader
	var err error
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		reader, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate":
		reader, err = zlib.NewReader(bytes.NewReader(body))
	default:
		err = fmt.Errorf("the encoding %q is not known", encoding)
	}
	if err != nil {
		return nil, err
	}
	decoded, err := io.ReadAll(io.LimitReader(reader, limit+1))
	if err == nil && int64(len(decoded)) > limit {
		err = errTooLarge
	}
	return decoded, err
}

// messages are those that gRPC has framed: a byte that tells whether it is compressed, and four of length.
func messages(body []byte, encoding string, limit int64) ([][]byte, error) {
	var found [][]byte
	for len(body) > 0 {
		if len(body) < 5 {
			return nil, errFrames
		}
		compressed, length := body[0] == 1, uint64(binary.BigEndian.Uint32(body[1:5]))
		if body = body[5:]; length > uint64(len(body)) {
			return nil, errFrames
		}
		message := body[:length:length]
		if compressed {
			var err error
			if message, err = Decode(message, encoding, limit); err != nil {
				return nil, err
			}
		}
		found, body = append(found, message), body[length:]
	}
	return found, nil
}
