package token

import (
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/match"
	"evenkeel.dev/meter/internal/profile"
)

// Signer gives answers their tokens. It is an exchange.Signer, and may be used by several goroutines.
type Signer struct {
	keys                 *Keys
	deployment, revision string
	// slices are looked for; left are those beyond MaxSlices.
	slices, left []string
	profile      func() *profile.Profile
	now          func() time.Time
	prepared     atomic.Pointer[prepared]
}

// prepared is what is known of a profile.
type prepared struct {
	profile               *profile.Profile
	features, predictions *match.Matcher
	// slices are positions of features.
	slices []int
}

// NewSigner signs with the newest of the keys. slices name categorical features of the profile, of which the
// first MaxSlices are taken, and none that the profile lacks; the profile may be nil while there is none.
func NewSigner(keys *Keys, deployment, revision string, slices []string, current func() *profile.Profile) *Signer {
	taken := min(len(slices), MaxSlices)
	return &Signer{
		keys: keys, deployment: deployment, revision: revision, slices: slices[:taken], left: slices[taken:],
		profile: current, now: time.Now,
	}
}

// Token is that of an answer of success; "" of any other, and without a key. An answer whose rows cannot be
// read has one row without a prediction, to which a loss can be told.
func (s *Signer) Token(e exchange.Exchange) (token string) {
	defer func() {
		// An answer goes without a token rather than not at all.
		if failure := recover(); failure != nil {
			slog.Error("an answer was not signed", "failure", failure, "path", e.Path)
			token = ""
		}
	}()
	if !e.Succeeded() {
		return ""
	}
	id, key, ok := s.keys.newestKey()
	if !ok {
		return ""
	}
	var random [8]byte
	_, _ = rand.Read(random[:])
	return sign(id, key, Payload{
		ID: binary.BigEndian.Uint64(random[:]), Issued: s.now(), Deployment: s.deployment, Revision: s.revision,
		Rows: s.rows(e),
	})
}

func (s *Signer) rows(e exchange.Exchange) []Row {
	known := s.prepare()
	answer, err := bodies.Answer(e)
	if err != nil || answer.Rows == 0 {
		return make([]Row, 1)
	}
	rows := make([]Row, min(answer.Rows, MaxRows))
	var fields []bodies.Field
	var values []bodies.Value
	for i := range rows {
		fields = answer.Row(i, fields)
		rows[i].Prediction, values = known.prediction(fields, values)
	}
	if len(known.slices) == 0 {
		return rows
	}
	request, err := bodies.Request(e)
	if err != nil || request.Rows != answer.Rows {
		return rows
	}
	for i := range rows {
		fields = request.Row(i, fields)
		rows[i].Slices, values = known.sliced(fields, values)
	}
	return rows
}

func (s *Signer) prepare() *prepared {
	current := s.profile()
	if last := s.prepared.Load(); last != nil && last.profile == current {
		return last
	}
	next := &prepared{profile: current}
	if current != nil {
		next.features, next.predictions = match.New(current.Features), match.New(current.Predictions)
		for _, name := range s.slices {
			for i := range current.Features {
				if feature := &current.Features[i]; feature.Name == name && feature.Type == profile.Categorical {
					next.slices = append(next.slices, i)
				}
			}
		}
	}
	s.prepared.Store(next)
	return next
}

// prediction is the profile's first one, or else the answer's one value if it has no more.
func (p *prepared) prediction(fields []bodies.Field, values []bodies.Value) (Prediction, []bodies.Value) {
	if p.profile != nil && len(p.profile.Predictions) > 0 {
		var found bool
		if values, found = p.predictions.Row(fields, values); !found {
			return Prediction{}, values
		}
		return predicted(values[0], p.profile.Predictions[0].Type == profile.Numeric), values
	}
	if len(fields) == 1 && fields[0].Width == 1 {
		value := fields[0].Value(0)
		return predicted(value, value.IsNumber()), values
	}
	return Prediction{}, values
}

// predicted is a value as a number or as a class; none if it is neither.
func predicted(value bodies.Value, numeric bool) Prediction {
	if number := value.Number(); numeric && !math.IsNaN(number) && !math.IsInf(number, 0) {
		return Prediction{Kind: Number, Number: number}
	}
	if text, there := value.Text(nil); !numeric && there && len(text) <= profile.MaxText {
		return Prediction{Kind: Text, Text: strings.ToValidUTF8(string(text), "\uFFFD")}
	}
	return Prediction{}
}

// sliced are a row's slices. Their values are the profile's categories, so that their number is bounded.
func (p *prepared) sliced(fields []bodies.Field, values []bodies.Value) ([]string, []bodies.Value) {
	values, _ = p.features.Row(fields, values)
	texts := make([]string, 0, len(p.slices))
	for _, position := range p.slices {
		feature := &p.profile.Features[position]
		value := "other"
		switch bin := match.Bin(feature, values[position], nil); {
		case bin < len(feature.Categories):
			value = feature.Categories[bin]
		case bin == feature.BinOfMissing():
			value = "missing"
		}
		texts = append(texts, feature.Name+"="+value)
	}
	return texts, values
}
