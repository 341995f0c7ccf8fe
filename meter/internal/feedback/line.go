package feedback

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/match"
	"evenkeel.dev/meter/internal/profile"
	"evenkeel.dev/meter/internal/token"
)

// line is what is posted of one row: a label, or a loss that the client has found.
type line struct {
	Token string         `json:"token"`
	Row   *int           `json:"row"`
	Label jsontext.Value `json:"label"`
	Loss  *float64       `json:"loss"`
}

// parse reads a line. Its other fields are the client's own.
func parse(content []byte) (line, error) {
	var read line
	if err := json.Unmarshal(content, &read); err != nil {
		return line{}, errors.New(`not a JSON object like {"token": "...", "label": 1}`)
	}
	switch kind := read.Label.Kind(); {
	case read.Token == "":
		return line{}, errors.New("token is missing")
	case (read.Label == nil) == (read.Loss == nil):
		return line{}, errors.New("give either label or loss")
	case read.Label != nil && kind != '"' && kind != '0' && kind != 't' && kind != 'f':
		return line{}, errors.New("label must be a number, a string, true or false")
	case read.Loss != nil && !(*read.Loss >= 0 && *read.Loss <= 1):
		return line{}, errors.New("loss must be 0 to 1")
	}
	return read, nil
}

// row is the one of a token's that the line is about.
func (l line) row(rows []token.Row) (int, error) {
	switch {
	case l.Row == nil && len(rows) == 1:
		return 0, nil
	case l.Row == nil:
		return 0, fmt.Errorf("row is missing; the token has %d", len(rows))
	case *l.Row < 0 || *l.Row >= len(rows):
		return 0, fmt.Errorf("row is %d, but the token has %d, from 0 on", *l.Row, len(rows))
	}
	return *l.Row, nil
}

// loss is how bad a prediction was, from 0 to 1. A number is bad, 1, if it is further from its label than the
// threshold; without one a class is, if it differs. A loss that the client tells is itself.
func (l line) loss(predicted token.Prediction, threshold *float64) (float64, error) {
	if l.Loss != nil {
		return *l.Loss, nil
	}
	if predicted.Kind == token.None {
		return 0, errors.New("the token holds no prediction of this row; post a loss")
	}
	label := bodies.Scalar(l.Label)
	text, _ := label.Text(nil)
	if threshold == nil {
		return bad(!match.Same(class(predicted), string(text))), nil
	}
	wanted, err := number(string(text))
	if err != nil {
		return 0, errors.New("label must be a number")
	}
	given, err := number(class(predicted))
	if err != nil {
		return 0, errors.New("the token's prediction is no number; post a loss")
	}
	return bad(math.Abs(wanted-given) > *threshold), nil
}

func bad(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func class(predicted token.Prediction) string {
	if predicted.Kind == token.Number {
		return string(profile.AppendNumber(nil, predicted.Number, 64))
	}
	return predicted.Text
}

// number is one that a text is or, as a truth value, stands for, if it is finite.
func number(text string) (float64, error) {
	switch text {
	case "true":
		return 1, nil
	case "false":
		return 0, nil
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, err
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return 0, strconv.ErrRange
	}
	return value, nil
}
