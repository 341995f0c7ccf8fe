package learn

import (
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"

	"evenkeel.dev/meter/internal/profile"
)

const (
	// maxText is what a reference may have, in bytes: others read it out of metrics.
	maxText = 192 << 10
	// frame is more than what is around its variables.
	frame = 256
	// rare: a name that fewer than one in so many rows have is left out.
	rare = 100
)

// variable is one of a profile, as it is written.
type variable struct {
	Name       string    `json:"name"`
	Type       string    `json:"type"`
	Edges      []float64 `json:"edges,omitzero"`
	Categories []string  `json:"categories,omitzero"`
	Counts     []int64   `json:"counts"`
	Other      *int64    `json:"other,omitzero"`
	Missing    int64     `json:"missing"`
	Tensor     string    `json:"tensor,omitzero"`
	Column     *int      `json:"column,omitzero"`
}

type document struct {
	Schema      string     `json:"schema"`
	Features    []variable `json:"features"`
	Predictions []variable `json:"predictions"`
	Rows        int        `json:"rows"`
	Source      string     `json:"source"`
}

// reference writes the profile of what was sampled. The error says why there is none.
func reference(features, predictions *sample) ([]byte, error) {
	made := document{Schema: profile.Schema, Source: "learned"}
	var rows int
	made.Features, made.Rows = features.variables("column-%d")
	alone := "prediction-%d"
	if made.Predictions, rows = predictions.variables(alone); rows > made.Rows {
		made.Rows = rows
	}
	if len(made.Predictions) == 1 && made.Predictions[0].Name == fmt.Sprintf(alone, 0) {
		made.Predictions[0].Name = "prediction"
	}
	made.fit()
	text, err := json.Marshal(made)
	if err != nil {
		return nil, err
	}
	_, err = profile.Parse(text)
	return text, err
}

// fit takes variables out, those first that take most room, until the others have no more than there is.
func (d *document) fit() {
	var sizes []int
	for _, group := range [][]variable{d.Features, d.Predictions} {
		for i := range group {
			text, _ := json.Marshal(group[i])
			sizes = append(sizes, len(text)+1)
		}
	}
	slices.Sort(sizes)
	left := maxText - frame
	for i, size := range sizes {
		if size > left {
			first, _ := slices.BinarySearch(sizes, size)
			d.without(size, i-first)
			return
		}
		left -= size
	}
}

// without takes out what is longer than size, and of what is as long all but some.
func (d *document) without(size, some int) {
	tooLong := func(v variable) bool {
		text, _ := json.Marshal(v)
		if len(text)+1 == size {
			some--
			return some < 0
		}
		return len(text)+1 > size
	}
	d.Features = slices.DeleteFunc(d.Features, tooLong)
	d.Predictions = slices.DeleteFunc(d.Predictions, tooLong)
}

// variables are those of the sample, and the rows that they were counted in: what the meter would count by them.
// unnamed: how one without a name is called by its position.
func (s *sample) variables(unnamed string) ([]variable, int) {
	kept, counted := s.positional()
	if named, rows := s.named(); rows.number > counted.number {
		kept, counted = named, rows
	}
	found, names := []variable{}, map[string]bool{}
	for _, c := range kept {
		v := c.described(unnamed, kept)
		if names[v.Name] || len(v.Name) > profile.MaxText {
			continue
		}
		names[v.Name] = true
		t := &tally{texts: map[string]int64{}}
		for row := range s.rows {
			if counted.is[row] {
				t.add(c, row)
			}
		}
		t.binned(&v)
		found = append(found, v)
	}
	return found, counted.number
}

// some are rows that are counted.
type some struct {
	is     []bool
	number int
}

func (s *sample) with(has func(row int) bool) some {
	found := some{is: make([]bool, s.rows)}
	for row := range s.rows {
		if found.is[row] = has(row); found.is[row] {
			found.number++
		}
	}
	return found
}

// positional are the columns of the only matrix that rows have, as far as half of them reach; rows that do not
// reach as far are not counted.
func (s *sample) positional() ([]*column, some) {
	var kept []*column
	var last, all some
	for {
		c := s.places[place{"", true, len(kept)}]
		if c == nil {
			break
		}
		has := s.with(func(row int) bool { return c.cells[row] != absent })
		if len(kept) == 0 {
			all = has
		}
		if has.number == 0 || 2*has.number < all.number {
			break
		}
		kept, last = append(kept, c), has
	}
	return kept, last
}

// named are the columns with a name of their own, or in a matrix with a name among others.
func (s *sample) named() ([]*column, some) {
	var kept []*column
	for _, c := range s.columns {
		if has := s.with(func(row int) bool { return c.cells[row] != absent }); !c.positional && has.number*rare >= s.rows && has.number > 0 {
			kept = append(kept, c)
		}
	}
	return kept, s.with(func(row int) bool {
		for _, c := range kept {
			if c.cells[row] != absent {
				return true
			}
		}
		return false
	})
}

// described is the column's variable: where it is found, and how it is called.
func (c *column) described(unnamed string, beside []*column) variable {
	if c.positional {
		return variable{Name: fmt.Sprintf(unnamed, c.column), Column: &c.column}
	}
	for _, other := range beside {
		if other.name == c.name && other.column > 0 {
			return variable{Name: fmt.Sprintf("%s[%d]", c.name, c.column), Tensor: c.name, Column: &c.column}
		}
	}
	return variable{Name: c.name}
}

// parts cuts a text into labels of a metric.
func parts(text []byte, size int) []string {
	var found []string
	for len(text) > size {
		// Not in the midst of a character.
		end := size
		for !utf8.RuneStart(text[end]) {
			end--
		}
		found = append(found, string(text[:end]))
		text = text[end:]
	}
	return append(found, string(text))
}
