package learn

import (
	"math/rand/v2"

	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/profile"
)

// place is where rows have a variable. Positional: in the only matrix that they have, whatever its name.
type place struct {
	name       string
	positional bool
	column     int
}

// sample is a uniform sample of rows that pass, by Vitter's algorithm R (1985): after t rows each of them is in
// it with the same chance. What the rows have is found in them; a name that comes later was absent before.
//
// It is bounded whatever passes: cells together have `bytes` bytes, so that there are the fewer rows the more
// columns there are, and a sample that shrinks keeps a uniform part of itself.
type sample struct {
	// most are the variables that a profile may have, wanted the rows.
	most, wanted int
	bytes        int
	texts        budget

	columns []*column
	places  map[place]*column
	rows    int
	seen    int64
	scratch [profile.MaxText + 1]byte
}

const cellBytes = 8

func newSample(wanted, most, bytes, texts int) *sample {
	return &sample{most: most, wanted: wanted, bytes: bytes, texts: budget{all: texts}, places: map[place]*column{}}
}

// add offers a row, false if it has nothing that a profile could tell of.
func (s *sample) add(fields []bodies.Field) bool {
	fields = s.usable(fields)
	if len(fields) == 0 {
		return false
	}
	s.seen++
	s.meet(fields)
	s.shrink()
	row := s.rows
	if most := s.capacity(); row == most {
		// As it may have shrunk, a row comes in with the chance of the rows that are left.
		chosen := rand.Int64N(s.seen)
		if chosen >= int64(most) {
			return true
		}
		row = int(chosen)
	} else {
		s.rows++
		for _, c := range s.columns {
			c.cells = append(c.cells, absent)
		}
	}
	s.put(row, fields)
	return true
}

// usable are the fields that a profile may have: with a name, and with no more columns than it may have. A wider
// one is an image or the like, of which single columns say nothing.
func (s *sample) usable(fields []bodies.Field) []bodies.Field {
	kept := fields[:0]
	for _, field := range fields {
		named := field.Name != "" || field.Alone
		if named && len(field.Name) <= profile.MaxText && 0 < field.Width && field.Width <= s.most {
			kept = append(kept, field)
		}
	}
	return kept
}

func placeOf(field bodies.Field, at int) place {
	if field.Alone && (field.Name == "" || field.Width > 1) {
		return place{"", true, at}
	}
	return place{field.Name, false, at}
}

// meet sees to it that there are columns for what the row has, first for what is known.
func (s *sample) meet(fields []bodies.Field) {
	for _, field := range fields {
		for at := range field.Width {
			if known := s.places[placeOf(field, at)]; known != nil {
				known.rows++
				known.last = s.seen
			}
		}
	}
	for _, field := range fields {
		for at := range field.Width {
			if where := placeOf(field, at); s.places[where] == nil {
				s.open(where)
			}
		}
	}
}

// open makes a column, in the place of the rarest one if there are too many: names that come once and never
// again take nobody's place for good. Those of the same row stay.
func (s *sample) open(where place) {
	made := &column{place: where, texts: texts{budget: &s.texts}, rows: 1, last: s.seen}
	if len(s.columns) < s.most {
		made.cells = make([]cell, s.rows, min(s.rows+s.rows/4+8, s.wanted))
		s.columns = append(s.columns, made)
	} else {
		rarest := -1
		for i, c := range s.columns {
			if c.last < s.seen && (rarest < 0 || c.rows < s.columns[rarest].rows) {
				rarest = i
			}
		}
		if rarest < 0 {
			return
		}
		gone := s.columns[rarest]
		gone.texts.end()
		delete(s.places, gone.place)
		made.cells = gone.cells
		s.columns[rarest] = made
	}
	for row := range made.cells {
		made.cells[row] = absent
	}
	s.places[where] = made
}

// capacity is the number of rows that there is room for.
func (s *sample) capacity() int {
	return max(min(s.wanted, s.bytes/(cellBytes*max(len(s.columns), 1))), 1)
}

// shrink takes rows out by chance as long as there are more than there is room for.
func (s *sample) shrink() {
	most := s.capacity()
	if s.rows <= most {
		return
	}
	for ; s.rows > most; s.rows-- {
		gone, last := rand.IntN(s.rows), s.rows-1
		for _, c := range s.columns {
			c.put(gone, c.cells[last])
			c.cells[last] = absent
		}
	}
	for _, c := range s.columns {
		// A slice of its own, or the memory would stay.
		c.cells = append(make([]cell, 0, most), c.cells[:most]...)
	}
}

// put writes a row.
func (s *sample) put(row int, fields []bodies.Field) {
	for _, c := range s.columns {
		c.put(row, absent)
	}
	for _, field := range fields {
		for at := range field.Width {
			if c := s.places[placeOf(field, at)]; c != nil {
				c.put(row, c.cell(field.Value(at), s.scratch[:]))
			}
		}
	}
}
