package watch

import (
	"encoding/binary"
	"errors"

	"evenkeel.dev/meter/internal/bodies"
)

var errFrames = errors.New("it is not made of whole gRPC messages")

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
			if message, err = bodies.Plain(encoding, message, limit); err != nil {
				return nil, err
			}
		}
		found, body = append(found, message), body[length:]
	}
	return found, nil
}
