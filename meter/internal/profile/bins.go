package profile

import "strconv"

// Bin is one of a variable's bins.
type Bin struct {
	// Label is "0", "1", ..., "other" or "missing".
	Label string
	// Range is what a person reads: "-1.5 to 0.2", "red".
	Range string
	// Count is the reference's number of rows.
	Count int64
}

// Bins are all bins of a variable, by position.
func (v *Variable) Bins() []Bin {
	bins := make([]Bin, 0, len(v.Counts)+2)
	ranges := v.ranges()
	for i, count := range v.Counts {
		bins = append(bins, Bin{strconv.Itoa(i), ranges[i], count})
	}
	if v.Type == Categorical {
		bins = append(bins, Bin{"other", "other", v.Other})
	}
	return append(bins, Bin{"missing", "missing", v.Missing})
}

func (v *Variable) ranges() []string {
	if v.Type == Categorical {
		return v.Categories
	}
	if len(v.Edges) == 0 {
		return []string{"any number"}
	}
	texts := distinct(v.Edges)
	ranges := make([]string, 0, len(texts)+1)
	ranges = append(ranges, "up to "+texts[0])
	for i := 1; i < len(texts); i++ {
		ranges = append(ranges, texts[i-1]+" to "+texts[i])
	}
	return append(ranges, "above "+texts[len(texts)-1])
}

// distinct writes rising numbers with as few digits as tell them apart, but four.
func distinct(numbers []float64) []string {
	texts := make([]string, len(numbers))
	for digits := 4; ; digits++ {
		told := true
		for i, number := range numbers {
			rounded, _ := strconv.ParseFloat(strconv.FormatFloat(number, 'g', digits, 64), 64)
			texts[i] = string(AppendNumber(nil, rounded, 64))
			told = told && (i == 0 || texts[i] != texts[i-1])
		}
		// 17 digits tell any two float64 apart.
		if told || digits == 17 {
			return texts
		}
	}
}

// AppendNumber writes a number as a category: as JSON does, without a trailing ".0", and with two digits of
// exponent, as Python has them, which writes profiles. bits is 32 for what was a float32, whose shortest text
// differs.
func AppendNumber(to []byte, number float64, bits int) []byte {
	if number == 0 {
		return append(to, '0')
	}
	format := byte('f')
	if size := max(number, -number); size < 1e-6 || size >= 1e21 {
		format = 'e'
	}
	return strconv.AppendFloat(to, number, format, -1, bits)
}
