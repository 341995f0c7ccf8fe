// Package token writes and reads feedback tokens: with an answer its client gets what was predicted, signed,
// and whoever learns the outcome sends it back with the label. No request needs to be stored for that.
package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"sort"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of a token: in characters of its text, in rows, in slices of a row.
const (
	MaxLength = 2048
	MaxRows   = 64
	MaxSlices = 8
)

const (
	version = 1
	tagSize = 16
	maxName = 253
	// ahead is how far the clock of who signed may be before that of who reads.
	ahead = time.Hour
)

// Reasons for which a token is refused.
var (
	ErrUnreadable = errors.New("the token cannot be read")
	ErrUnknownKey = errors.New("the token is signed with a key that is not known")
	ErrForged     = errors.New("the token's signature is wrong")
	ErrExpired    = errors.New("the token has expired")
	ErrOther      = errors.New("the token is of another deployment")
)

// Payload is what a token says.
type Payload struct {
	// ID is random: no two answers have the same.
	ID uint64
	// Issued has seconds.
	Issued     time.Time
	Deployment string
	Revision   string
	Rows       []Row
}

// Row is one of an answer's.
type Row struct {
	Prediction Prediction
	// Slices are "name=value", one a feature that labels are sliced by.
	Slices []string
}

// Kinds of predictions.
const (
	None byte = iota
	Number
	Text
)

// Prediction is a number, the text of a class, or none.
type Prediction struct {
	Kind   byte
	Number float64
	Text   string
}

// sign writes a token of as many of the payload's rows as fit, "" if it fits without rows only.
func sign(keyID string, key []byte, payload Payload) string {
	rows := payload.Rows[:min(len(payload.Rows), MaxRows)]
	most := base64.RawURLEncoding.DecodedLen(MaxLength) - tagSize
	fitting := sort.Search(len(rows), func(i int) bool {
		payload.Rows = rows[:i+1]
		return len(encode(keyID, payload)) > most
	})
	if fitting == 0 {
		return ""
	}
	payload.Rows = rows[:fitting]
	content := encode(keyID, payload)
	return base64.RawURLEncoding.EncodeToString(append(content, tag(key, content)...))
}

func tag(key, content []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(content)
	return mac.Sum(nil)[:tagSize]
}

// Verify reads a token, and refuses one that was not signed for this deployment within maxAge before now.
func Verify(keys *Keys, token, deployment string, now time.Time, maxAge time.Duration) (Payload, error) {
	// The decoder passes over ends of lines.
	if len(token) > MaxLength || strings.ContainsAny(token, "\r\n") {
		return Payload{}, ErrUnreadable
	}
	content, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(content) < 2+tagSize || content[0] != version {
		return Payload{}, ErrUnreadable
	}
	content, sent := content[:len(content)-tagSize], content[len(content)-tagSize:]
	reader := reader{content: content[1:]}
	keyID := reader.text(maxKeyID)
	if reader.failed {
		return Payload{}, ErrUnreadable
	}
	key, known := keys.key(keyID)
	if !known {
		return Payload{}, ErrUnknownKey
	}
	if !hmac.Equal(sent, tag(key, content)) {
		return Payload{}, ErrForged
	}
	payload := reader.payload()
	switch age := now.Sub(payload.Issued); {
	case reader.failed || len(reader.content) > 0:
		return Payload{}, ErrUnreadable
	case payload.Deployment != deployment:
		return Payload{}, ErrOther
	case age > maxAge || age < -ahead:
		return Payload{}, ErrExpired
	}
	return payload, nil
}

// encode writes version, key id and payload. Slices are written once, and named by rows.
func encode(keyID string, payload Payload) []byte {
	content := appendText([]byte{version}, keyID)
	content = binary.BigEndian.AppendUint64(content, payload.ID)
	content = binary.AppendUvarint(content, uint64(payload.Issued.Unix()))
	content = appendText(appendText(content, payload.Deployment), payload.Revision)
	places := map[string]uint64{}
	var texts, rows []byte
	for _, row := range payload.Rows {
		rows = append(rows, row.Prediction.Kind)
		switch row.Prediction.Kind {
		case Number:
			rows = binary.BigEndian.AppendUint64(rows, math.Float64bits(row.Prediction.Number))
		case Text:
			rows = appendText(rows, row.Prediction.Text)
		}
		rows = append(rows, byte(len(row.Slices)))
		for _, slice := range row.Slices {
			place, known := places[slice]
			if !known {
				place = uint64(len(places))
				places[slice] = place
				texts = appendText(texts, slice)
			}
			rows = binary.AppendUvarint(rows, place)
		}
	}
	content = append(binary.AppendUvarint(content, uint64(len(places))), texts...)
	return append(append(content, byte(len(payload.Rows))), rows...)
}

func appendText(to []byte, text string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(text))), text...)
}

// reader reads what encode writes, and remembers that it failed.
type reader struct {
	content []byte
	failed  bool
}

func (r *reader) payload() Payload {
	payload := Payload{
		ID: r.uint64(), Issued: time.Unix(int64(r.uvarint(math.MaxInt32*4)), 0).UTC(),
		Deployment: r.text(maxName), Revision: r.text(maxName),
	}
	var slices []string
	for range r.uvarint(MaxRows * MaxSlices) {
		slices = append(slices, r.text(MaxLength))
	}
	for range r.byte(MaxRows) {
		row := Row{Prediction: Prediction{Kind: r.byte(Text)}}
		switch row.Prediction.Kind {
		case Number:
			row.Prediction.Number = math.Float64frombits(r.uint64())
		case Text:
			row.Prediction.Text = r.text(MaxLength)
		}
		for range r.byte(MaxSlices) {
			place := r.uvarint(MaxRows * MaxSlices)
			if r.failed = r.failed || place >= uint64(len(slices)); !r.failed {
				row.Slices = append(row.Slices, slices[place])
			}
		}
		payload.Rows = append(payload.Rows, row)
	}
	return payload
}

func (r *reader) take(size int) []byte {
	if r.failed = r.failed || size > len(r.content); r.failed {
		return nil
	}
	taken := r.content[:size]
	r.content = r.content[size:]
	return taken
}

func (r *reader) byte(most byte) byte {
	taken := r.take(1)
	if r.failed = r.failed || taken[0] > most; r.failed {
		return 0
	}
	return taken[0]
}

func (r *reader) uint64() uint64 {
	if taken := r.take(8); taken != nil {
		return binary.BigEndian.Uint64(taken)
	}
	return 0
}

func (r *reader) uvarint(most uint64) uint64 {
	number, size := binary.Uvarint(r.content)
	if r.failed = r.failed || size <= 0 || number > most; r.failed {
		return 0
	}
	r.content = r.content[size:]
	return number
}

func (r *reader) text(most int) string {
	text := string(r.take(int(r.uvarint(uint64(most)))))
	r.failed = r.failed || !utf8.ValidString(text)
	return text
}
