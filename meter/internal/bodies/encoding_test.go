package bodies

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"runtime"
	"testing"
)

func packedBy(t testing.TB, open func(io.Writer) io.WriteCloser, content []byte) []byte {
	var buffer bytes.Buffer
	writer := open(&buffer)
	if _, err := writer.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func gzipped(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
func zlibbed(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }
func bare(w io.Writer) io.WriteCloser {
	writer, _ := flate.NewWriter(w, flate.DefaultCompression)
	return writer
}

func TestContentEncodings(t *testing.T) {
	content := []byte(`{"instances": [1, 2, 3]}`)
	zip := packedBy(t, gzipped, content)
	for name, c := range map[string]struct {
		encoding string
		body     []byte
		limit    int64
		want     error
	}{
		"none":          {"", content, 24, nil},
		"identity":      {"identity", content, 24, nil},
		"gzip":          {"gzip", zip, 24, nil},
		"case":          {" X-GZIP ", zip, 24, nil},
		"zlib":          {"deflate", packedBy(t, zlibbed, content), 24, nil},
		"bare":          {"deflate", packedBy(t, bare, content), 24, nil},
		"too large":     {"", content, 23, ErrTooLarge},
		"gzip large":    {"gzip", zip, 23, ErrTooLarge},
		"not gzip":      {"gzip", content, 24, ErrUnreadable},
		"gzip cut":      {"gzip", zip[:len(zip)-1], 24, ErrUnreadable},
		"gzip damaged":  {"gzip", append(bytes.Clone(zip[:len(zip)-8]), 0, 0, 0, 0, 0, 0, 0, 0), 24, ErrUnreadable},
		"deflate empty": {"deflate", nil, 24, ErrUnreadable},
		"brotli":        {"br", content, 24, ErrUnknown},
		"two":           {"gzip, gzip", zip, 24, ErrUnknown},
	} {
		plain, err := Plain(c.encoding, c.body, c.limit)
		if !errors.Is(err, c.want) || err == nil && !bytes.Equal(plain, content) {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
}

func TestABombIsPutAside(t *testing.T) {
	bomb := packedBy(t, gzipped, make([]byte, 256<<20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Plain("gzip", bomb, 1<<20)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
		t.Errorf("%d bytes were taken for %d", used, len(bomb))
	}
}
