package bodies

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"
)

// ErrTooLarge says that a body has more bytes than are looked at once its content encoding is undone.
var ErrTooLarge = errors.New("the body is too large once its content encoding is undone")

// Plain undoes a content encoding (gzip, deflate; of gRPC the message encoding), and stops at limit bytes:
// a body may grow a thousandfold. The error is ErrTooLarge, ErrUnreadable or, of another encoding, ErrUnknown.
func Plain(encoding string, content []byte, limit int64) ([]byte, error) {
	var reader io.Reader
	var err error
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		if int64(len(content)) > limit {
			return nil, ErrTooLarge
		}
		return content, nil
	case "gzip", "x-gzip":
		reader, err = gzip.NewReader(bytes.NewReader(content))
	case "deflate":
		reader, err = deflated(content)
	default:
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, ErrUnreadable
	}
	plain, err := io.ReadAll(io.LimitReader(reader, limit+1))
	if err != nil {
		return nil, ErrUnreadable
	}
	if int64(len(plain)) > limit {
		return nil, ErrTooLarge
	}
	return plain, nil
}

// deflated reads zlib's format, which the name stands for (RFC 9110), and the bare one that some send.
func deflated(content []byte) (io.Reader, error) {
	buffered := bufio.NewReader(bytes.NewReader(content))
	head, err := buffered.Peek(2)
	if err != nil {
		return nil, err
	}
	if head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 {
		return zlib.NewReader(buffered)
	}
	return flate.NewReader(buffered), nil
}
