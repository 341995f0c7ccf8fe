package learn

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strconv"
)

const (
	// mostBins of numbers, of about the same count.
	mostBins = 10
	// mostCategories are kept, the most frequent first.
	mostCategories = 20
	// unseen is the share that whole numbers which were not seen yet may have, where they are categories.
	unseen = 0.01
	// near is what a tensor of single precision may change of a constant, and more.
	near = 1e-6
	// whole: from here on not every whole number is a float64.
	whole = 1 << 53
)

// binned makes the bins and counts of a variable. Texts, truth values and few whole numbers are categories, other
// numbers have bins.
func (t *tally) binned(v *variable) {
	v.Missing = t.missing
	runs, exact := t.cells()
	if len(t.texts) > 0 || t.other > 0 || exact && t.low+t.high == 0 && codes(runs) {
		t.categorical(v, runs, exact)
		return
	}
	t.numeric(v, runs)
}

// codes tells whole numbers with few values from numbers. The share of values that came once estimates that of
// those to come (Good 1953).
func codes(runs []run) bool {
	var once, all int64
	for _, one := range runs {
		if one.low != math.Trunc(one.low) || math.Abs(one.low) > whole {
			return false
		}
		if all += one.count; one.count == 1 {
			once++
		}
	}
	return 0 < len(runs) && len(runs) <= mostCategories && float64(once) <= unseen*float64(all)
}

func (t *tally) categorical(v *variable, runs []run, exact bool) {
	v.Type = "categorical"
	rest := t.other + t.low + t.high
	v.Other = &rest
	for _, one := range runs {
		if exact {
			t.texts[category(one.low)] += one.count
		} else {
			rest += one.count
		}
	}
	ranked := make([]string, 0, len(t.texts))
	for text := range t.texts {
		ranked = append(ranked, text)
	}
	slices.SortFunc(ranked, func(a, b string) int {
		return cmp.Or(cmp.Compare(t.texts[b], t.texts[a]), cmp.Compare(a, b))
	})
	v.Categories, v.Counts = []string{}, []int64{}
	for i, text := range ranked {
		if i < mostCategories {
			v.Categories = append(v.Categories, text)
			v.Counts = append(v.Counts, t.texts[text])
		} else {
			rest += t.texts[text]
		}
	}
}

func (t *tally) numeric(v *variable, runs []run) {
	v.Type = "numeric"
	below := []int64{0}
	for _, one := range runs {
		below = append(below, below[len(below)-1]+one.count)
	}
	all := below[len(below)-1]
	v.Edges, v.Counts = []float64{}, []int64{0}
	switch len(runs) {
	case 0:
	case 1:
		v.Edges, v.Counts = ofConstant(runs[0].low, all)
	default:
		v.Counts = v.Counts[:0]
		var start int64
		for _, cut := range cuts(below) {
			v.Edges = append(v.Edges, between(runs[cut-1].high, runs[cut].low))
			v.Counts = append(v.Counts, below[cut]-start)
			start = below[cut]
		}
		v.Counts = append(v.Counts, all-start)
	}
	v.Counts[0] += t.low
	v.Counts[len(v.Counts)-1] += t.high
}

// cuts are the cells before which to cut, each the nearest to a quantile, so that a value with much of the mass has
// a bin of its own. below: the count before each cell, and of all.
func cuts(below []int64) []int {
	var found []int
	all := float64(below[len(below)-1])
	for part := 1; part < mostBins; part++ {
		target := all * float64(part) / mostBins
		after := sort.Search(len(below), func(i int) bool { return float64(below[i]) >= target })
		after = min(max(after, 1), len(below)-2)
		cut := max(after-1, 1)
		if math.Abs(float64(below[after])-target) < math.Abs(float64(below[cut])-target) {
			cut = after
		}
		if len(found) == 0 || found[len(found)-1] != cut {
			found = append(found, cut)
		}
	}
	return found
}

// between is the shortest number well between two, the lower one if there is none: not one of the data's own, which
// a tensor of single precision would move over the edge.
func between(low, high float64) float64 {
	middle, quarter := low/2+high/2, high/4-low/4
	for digits := 1; digits <= 17; digits++ {
		short, _ := strconv.ParseFloat(strconv.FormatFloat(middle, 'g', digits, 64), 64)
		if low < short && short < high && low+quarter <= short && short <= high-quarter {
			return short
		}
	}
	return low
}

// ofConstant has a bin for the constant, and one on each side of it, if there is one.
func ofConstant(constant float64, number int64) (edges []float64, counts []int64) {
	by := max(math.Abs(constant)*near, 1e-18)
	low, high := max(constant-by, -math.MaxFloat64), min(constant+by, math.MaxFloat64)
	if low == constant {
		return []float64{high}, []int64{number, 0}
	}
	return []float64{low, high}, []int64{0, number, 0}
}
