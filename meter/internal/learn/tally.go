package learn

import (
	"math"
	"slices"

	"evenkeel.dev/meter/internal/profile"
)

// What follows are the rules of evenkeel.trainer.profile (tally.py, cells.py, bins.py), so that a reference that is
// learned has the bins that a trainer would have written of the same rows.

// most cells of numbers; with more of them all become twice as wide.
const mostCells = 8192

// tally is what a column's rows have, by kind.
type tally struct {
	// keys are numbers' bits, as whole numbers that rise with them.
	keys []int64
	// low and high are infinite.
	low, high int64
	texts     map[string]int64
	other     int64
	missing   int64
}

func (t *tally) add(c *column, row int) {
	switch value := c.cells[row]; {
	case value.isNumber():
		t.number(value.number())
	case value.isText():
		t.texts[c.texts.text(value)]++
	case value == yes:
		t.texts["true"]++
	case value == no:
		t.texts["false"]++
	case value == other:
		t.other++
	default:
		t.missing++
	}
}

func (t *tally) number(number float64) {
	switch {
	case math.IsInf(number, -1):
		t.low++
	case math.IsInf(number, 1):
		t.high++
	default:
		t.keys = append(t.keys, keyOf(number))
	}
}

// run is a cell: the least and the greatest number that it may have, and its rows.
type run struct {
	low, high float64
	count     int64
}

// cells are the numbers in rising order; exact: each has a cell of its own.
func (t *tally) cells() (runs []run, exact bool) {
	slices.Sort(t.keys)
	shift := uint(0)
	for distinct(t.keys, shift) > mostCells {
		shift++
	}
	for i, key := range t.keys {
		if i > 0 && key>>shift == t.keys[i-1]>>shift {
			runs[len(runs)-1].count++
			continue
		}
		first := key >> shift << shift
		runs = append(runs, run{numberOf(first), numberOf(first + 1<<shift - 1), 1})
	}
	return runs, shift == 0
}

func distinct(sorted []int64, shift uint) int {
	found := 0
	for i, key := range sorted {
		if i == 0 || key>>shift != sorted[i-1]>>shift {
			found++
		}
	}
	return found
}

const sizeBits = math.MaxInt64

func keyOf(number float64) int64 {
	bits := int64(math.Float64bits(number))
	if bits < 0 {
		return -(bits & sizeBits)
	}
	return bits
}

func numberOf(key int64) float64 {
	greatest := math.Float64bits(math.MaxFloat64)
	number := math.Float64frombits(min(uint64(max(key, -key)), greatest))
	if key < 0 {
		return -number
	}
	return number
}

// category is a number as a category.
func category(number float64) string { return string(profile.AppendNumber(nil, number, 64)) }
