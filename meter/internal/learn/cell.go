package learn

import (
	"math"
	"unicode/utf8"

	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/profile"
)

// cell is a value of a row in eight bytes: a float64, or one of the NaNs that no number is, which then say what
// else it is.
type cell uint64

const (
	box cell = 0x7ffc << 48
	// absent: the row has no such name or column; missing: it has, without a value.
	absent  = box | 1
	missing = box | 2
	no      = box | 3
	yes     = box | 4
	// other: a text that is not told apart from others.
	other = box | 5
	// worded: the lower half is the text's number.
	worded = box | 1<<32
)

func (c cell) isNumber() bool { return c&box != box }

func (c cell) isText() bool { return c&worded == worded }

func (c cell) number() float64 { return math.Float64frombits(uint64(c)) }

// column is a variable's values in the sampled rows.
type column struct {
	place
	cells []cell
	texts texts
	// rows have it, and the last of them is number last.
	rows, last int64
}

// put replaces the cell of a row.
func (c *column) put(row int, value cell) {
	c.texts.release(c.cells[row])
	c.cells[row] = value
}

// cell is a value as it is kept; a text is used once more.
func (c *column) cell(value bodies.Value, scratch []byte) cell {
	if value.IsNumber() {
		if number := value.Number(); number == number {
			return cell(math.Float64bits(number))
		}
		return missing
	}
	text, there := value.Text(scratch[:0])
	switch {
	case !there:
		return missing
	case value.IsText():
		if len(text) > profile.MaxText || !utf8.Valid(text) {
			return other
		}
		return c.texts.use(text)
	case string(text) == "true":
		return yes
	case string(text) == "false":
		return no
	}
	return other
}
