// Package profile reads evenkeel-profile.json, the reference that a model's features and predictions are
// compared with, and tells the bin of a value.
package profile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Schema is the only one that is read.
const Schema = "evenkeel.dev/profile/v1"

// Bounds of a profile, which also bound the series that it makes.
const (
	MaxBytes       = 1 << 20
	MaxFeatures    = 256
	MaxPredictions = 16
	MaxBins        = 64
	MaxText        = 256
	MaxColumn      = 1 << 20
	MaxCount       = 1 << 53
)

// Kinds of variables.
const (
	Feature    = "feature"
	Prediction = "prediction"
)

// Types of variables.
const (
	Numeric     = "numeric"
	Categorical = "categorical"
)

// Profile is a reference that has been found whole.
type Profile struct {
	Schema      string     `json:"schema"`
	Features    []Variable `json:"features"`
	Predictions []Variable `json:"predictions"`
	Rows        int64      `json:"rows"`
	Source      string     `json:"source"`
	// Digest is the beginning of the SHA-256 of the file's bytes: 12 hexadecimal digits.
	Digest string `json:"-"`
}

// Variable is a feature or a prediction. Of a numeric one bin i holds Edges[i-1] < x <= Edges[i].
type Variable struct {
	Kind       string    `json:"-"`
	Name       string    `json:"name"`
	Type       string    `json:"type"`
	Edges      []float64 `json:"edges"`
	Categories []string  `json:"categories"`
	Counts     []int64   `json:"counts"`
	Other      int64     `json:"other"`
	Missing    int64     `json:"missing"`
	Tensor     string    `json:"tensor"`
	// Column is the index in the tensor's last dimension; nil: not given.
	Column *int `json:"column"`

	positions map[string]int
}

// ErrTooLarge says that a file has more than MaxBytes.
var ErrTooLarge = fmt.Errorf("the profile is larger than %d bytes", MaxBytes)

// Load reads a file. Its error is fs.ErrNotExist where there is none, else says what is wrong where.
func Load(path string) (*Profile, error) {
	// To open a pipe would wait for who writes to it.
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, cmp.Or(err, fmt.Errorf("%s is not a regular file", path))
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	return Parse(content)
}

// Parse reads a profile's bytes: strictly, so that a slip of the pen is told and not counted wrongly.
func Parse(content []byte) (*Profile, error) {
	if len(content) > MaxBytes {
		return nil, ErrTooLarge
	}
	profile := &Profile{}
	if err := json.Unmarshal(content, profile, json.RejectUnknownMembers(true)); err != nil {
		return nil, where(content, err)
	}
	if err := profile.check(); err != nil {
		return nil, err
	}
	profile.index()
	sum := sha256.Sum256(content)
	profile.Digest = hex.EncodeToString(sum[:6])
	return profile, nil
}

func (p *Profile) index() {
	for _, group := range []struct {
		kind      string
		variables []Variable
	}{{Feature, p.Features}, {Prediction, p.Predictions}} {
		for i := range group.variables {
			variable := &group.variables[i]
			variable.Kind = group.kind
			variable.positions = make(map[string]int, len(variable.Categories))
			for position, category := range variable.Categories {
				variable.positions[category] = position
			}
		}
	}
}

// Variables are features and predictions, in this order.
func (p *Profile) Variables() []*Variable {
	all := make([]*Variable, 0, len(p.Features)+len(p.Predictions))
	for i := range p.Features {
		all = append(all, &p.Features[i])
	}
	for i := range p.Predictions {
		all = append(all, &p.Predictions[i])
	}
	return all
}

// BinOfNumber is the position in Bins of a number of a numeric variable. NaN is missing.
func (v *Variable) BinOfNumber(number float64) int {
	if number != number {
		return v.BinOfMissing()
	}
	return sort.SearchFloat64s(v.Edges, number)
}

// BinOfText is the position in Bins of a category's text: the one of "other" if the profile lacks it.
func (v *Variable) BinOfText(text []byte) int {
	if position, known := v.positions[string(text)]; known {
		return position
	}
	return len(v.Counts)
}

// BinOfMissing is the position in Bins of what is null, not a number or absent.
func (v *Variable) BinOfMissing() int {
	if v.Type == Categorical {
		return len(v.Counts) + 1
	}
	return len(v.Counts)
}

// where turns an error of the decoder into one that names the place in the file.
func where(content []byte, err error) error {
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		at := pointer(string(semantic.JSONPointer))
		if errors.Is(semantic.Err, json.ErrUnknownName) {
			return fmt.Errorf("%s is not a field of schema %s", at, Schema)
		}
		return fmt.Errorf("%s: a JSON %s cannot be read as %v", at, kinds[semantic.JSONKind], semantic.GoType)
	}
	return syntax(content, err)
}

var kinds = map[jsontext.Kind]string{
	'n': "null", 't': "boolean", 'f': "boolean", '"': "string", '0': "number", '[': "array", '{': "object",
}
