package match

import (
	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/profile"
)

// Bin is the position of a value in a variable's bins. buffer is scratch space.
func Bin(variable *profile.Variable, value bodies.Value, buffer []byte) int {
	if variable.Type == profile.Numeric {
		return variable.BinOfNumber(value.Number())
	}
	text, there := value.Text(buffer[:0])
	if !there {
		return variable.BinOfMissing()
	}
	return variable.BinOfText(text)
}
