package watch

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"testing"
	"testing/quick"
)

func packed(text string) []byte {
	var made bytes.Buffer
	writer := gzip.NewWriter(&made)
	_, _ = io.WriteString(writer, text)
	_ = writer.Close()
	return made.Bytes()
}

func framed(compressed byte, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{compressed}, uint32(len(message))), message...)
}

func TestACopyIsWholeOrNothing(t *testing.T) {
	property := func(parts [][]byte, limit uint8, left uint16) bool {
		budget := NewBudget(int64(left))
		kept := NewCopy(budget, int64(limit))
		whole := bytes.Join(parts, nil)
		for _, part := range parts {
			kept.Add(part)
		}
		got, lost := kept.Bytes()
		fits := len(whole) <= int(limit) && len(whole) <= int(left)
		right := fits && lost == "" && bytes.Equal(got, whole) || !fits && lost != "" && got == nil
		kept.Release()
		return right && budget.Left() == int64(left)
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

func TestMessagesAreUnframed(t *testing.T) {
	body := append(framed(0, []byte("one")), framed(1, packed("two"))...)
	found, err := messages(body, "gzip", 100)
	if err != nil || len(found) != 2 || string(found[0]) != "one" || string(found[1]) != "two" {
		t.Errorf("%q, %v", found, err)
	}
	for _, broken := range [][]byte{body[:4], body[:6], framed(1, []byte("no"))} {
		if _, err := messages(broken, "gzip", 100); err == nil {
			t.Errorf("%q gives no error", broken)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(framed(0, []byte("one")))
	f.Add([]byte{0, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, body []byte) {
		found, err := messages(body, "identity", 1000)
		size := 0
		for _, message := range found {
			size += 5 + len(message)
		}
		if err == nil && size != len(body) {
			t.Errorf("%d of %d bytes", size, len(body))
		}
	})
}
