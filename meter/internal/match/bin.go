package match

import (
	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/profile"
)

// truths are the texts of truth values, each with the other one.
var truths = map[string]string{"true": "1", "false": "0", "1": "true", "0": "false"}

// Same tells whether two texts are of the same class: true and 1 are, and false and 0, since what one side has as
// a truth value the other may have as a number.
func Same(one, other string) bool { return one == other || other != "" && truths[one] == other }

// Bin is the position of a value in a variable's bins. buffer is scratch space.
//
// A truth value that is no category by its own text may be one by its other: a table that is asked as one
// matrix has numbers for what its profile calls true and false.
func Bin(variable *profile.Variable, value bodies.Value, buffer []byte) int {
	if variable.Type == profile.Numeric {
		return variable.BinOfNumber(value.Number())
	}
	text, there := value.Text(buffer[:0])
	if !there {
		return variable.BinOfMissing()
	}
	bin := variable.BinOfText(text)
	if bin == len(variable.Categories) && (value.IsNumber() || value.IsBoolean()) {
		if other, found := truths[string(text)]; found {
			return variable.BinOfText([]byte(other))
		}
	}
	return bin
}
