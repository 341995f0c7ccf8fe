package shadow

import (
	"bytes"
	"math"

	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/match"
	"evenkeel.dev/meter/internal/profile"
)

// absoluteShare of the relative tolerance is the absolute one.
const absoluteShare = 1e-3

// comparer compares answers. It is used by one goroutine at a time.
//
// Where the profile has a prediction that is a class, and the own answer has it, only classes are compared: a model
// that was trained anew gives other probabilities to all, and decides the same. Else all that rows have is.
type comparer struct {
	tolerance float64

	known   *profile.Profile
	matcher *match.Matcher
	classes []int
}

// compare tells whether predictions could be compared, and whether one of them differs. Answers of which only the
// own one can be read, or that have not as many rows, differ.
func (c *comparer) compare(own, shadow exchange.Exchange, known *profile.Profile) (compared, differ bool) {
	mine, err := bodies.Answer(own)
	if err != nil || mine.Rows == 0 {
		return false, false
	}
	theirs, err := bodies.Answer(shadow)
	if err != nil || theirs.Rows != mine.Rows {
		return true, true
	}
	c.use(known)
	same := c.sameRow
	if c.decides(mine) {
		same = c.sameClasses
	}
	var one, other []bodies.Field
	for row := range mine.Rows {
		one, other = mine.Row(row, one), theirs.Row(row, other)
		if !same(one, other) {
			return true, true
		}
	}
	return true, false
}

// use finds the classes of a profile.
func (c *comparer) use(known *profile.Profile) {
	if known == c.known {
		return
	}
	c.known, c.matcher, c.classes = known, nil, nil
	if known == nil {
		return
	}
	c.matcher = match.New(known.Predictions)
	for i := range known.Predictions {
		if known.Predictions[i].Type == profile.Categorical {
			c.classes = append(c.classes, i)
		}
	}
}

// decides tells whether an answer has one of the profile's classes.
func (c *comparer) decides(answer *bodies.Table) bool {
	if len(c.classes) == 0 {
		return false
	}
	values, found := c.matcher.Row(answer.Row(0, nil), nil)
	for _, class := range c.classes {
		if found && !values[class].IsAbsent() {
			return true
		}
	}
	return false
}

func (c *comparer) sameClasses(one, other []bodies.Field) bool {
	mine, _ := c.matcher.Row(one, nil)
	theirs, _ := c.matcher.Row(other, nil)
	for _, class := range c.classes {
		if !sameText(mine[class], theirs[class]) {
			return false
		}
	}
	return true
}

// sameRow compares fields by their names, in whatever order they are.
func (c *comparer) sameRow(one, other []bodies.Field) bool {
	if len(one) != len(other) {
		return false
	}
	var named map[string]int
	for i, field := range one {
		match := other[i]
		if field.Name != match.Name {
			if named == nil {
				named = places(other)
			}
			place, there := named[field.Name]
			if !there {
				return false
			}
			match = other[place]
		}
		if !c.sameField(field, match) {
			return false
		}
	}
	return true
}

func places(fields []bodies.Field) map[string]int {
	found := make(map[string]int, len(fields))
	for i, field := range fields {
		found[field.Name] = i
	}
	return found
}

func (c *comparer) sameField(one, other bodies.Field) bool {
	if one.Width != other.Width {
		return false
	}
	for column := range one.Width {
		if !c.same(one.Value(column), other.Value(column)) {
			return false
		}
	}
	return true
}

// same compares numbers within the tolerance, unless both are whole, and all else by its text.
func (c *comparer) same(one, other bodies.Value) bool {
	if one.IsNumber() && other.IsNumber() && !(one.IsInteger() && other.IsInteger()) {
		return near(one.Number(), other.Number(), c.tolerance)
	}
	return sameText(one, other)
}

func near(one, other, tolerance float64) bool {
	if one == other || math.IsNaN(one) && math.IsNaN(other) {
		return true
	}
	return math.Abs(one-other) <= tolerance*(absoluteShare+max(math.Abs(one), math.Abs(other)))
}

func sameText(one, other bodies.Value) bool {
	var buffers [2][64]byte
	mine, there := one.Text(buffers[0][:0])
	theirs, too := other.Text(buffers[1][:0])
	return there == too && (bytes.Equal(mine, theirs) || match.Same(string(mine), string(theirs)))
}
