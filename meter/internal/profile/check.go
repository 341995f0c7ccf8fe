package profile

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// sources are what profiles are made from.
var sources = []string{"trainer", "tfdv", "mlflow", "learned"}

func (p *Profile) check() error {
	if p.Schema != Schema {
		return fmt.Errorf("schema is %q, but must be %q", short(p.Schema), Schema)
	}
	if len(p.Features)+len(p.Predictions) == 0 {
		return errors.New("features and predictions are empty; name at least one")
	}
	if p.Rows < 1 || p.Rows > MaxCount {
		return fmt.Errorf("rows is %d, but must be 1 to %d", p.Rows, int64(MaxCount))
	}
	if !slices.Contains(sources, p.Source) {
		return fmt.Errorf("source is %q, but must be one of %s", short(p.Source), strings.Join(sources, ", "))
	}
	if err := p.group("features", p.Features, MaxFeatures); err != nil {
		return err
	}
	return p.group("predictions", p.Predictions, MaxPredictions)
}

func (p *Profile) group(field string, variables []Variable, most int) error {
	if len(variables) > most {
		return fmt.Errorf("%s has %d entries, but at most %d are counted", field, len(variables), most)
	}
	names := make(map[string]int, len(variables))
	places := make(map[place]int, len(variables))
	for i := range variables {
		variable := &variables[i]
		at := fmt.Sprintf("%s[%d]", field, i)
		if variable.Name == "" || len(variable.Name) > MaxText {
			return fmt.Errorf("%s.name has %d bytes, but must have 1 to %d", at, len(variable.Name), MaxText)
		}
		if first, taken := names[variable.Name]; taken {
			return fmt.Errorf("%s.name is %q, as that of %s[%d]; names must be unique",
				at, short(variable.Name), field, first)
		}
		names[variable.Name] = i
		if err := variable.check(p.Rows); err != nil {
			return fmt.Errorf("%s (%q): %w", at, short(variable.Name), err)
		}
		of := variable.place()
		if first, taken := places[of]; taken && of != (place{column: -1}) {
			return fmt.Errorf("%s (%q) has the tensor and column of %s[%d]", at, short(variable.Name), field, first)
		}
		places[of] = i
	}
	return nil
}

// place is where a variable's values are; the column is -1 if it is not given.
type place struct {
	tensor string
	column int
}

func (v *Variable) place() place {
	if v.Column == nil {
		return place{v.Tensor, -1}
	}
	return place{v.Tensor, *v.Column}
}

func (v *Variable) check(rows int64) error {
	var err error
	switch v.Type {
	case Numeric:
		err = v.numeric()
	case Categorical:
		err = v.categorical()
	default:
		err = fmt.Errorf("type is %q, but must be %q or %q", short(v.Type), Numeric, Categorical)
	}
	if err != nil {
		return err
	}
	if len(v.Tensor) > MaxText {
		return fmt.Errorf("tensor has %d bytes, but at most %d are read", len(v.Tensor), MaxText)
	}
	if v.Column != nil && (*v.Column < 0 || *v.Column > MaxColumn) {
		return fmt.Errorf("column is %d, but must be 0 to %d", *v.Column, MaxColumn)
	}
	return v.counts(rows)
}

func (v *Variable) numeric() error {
	if v.Categories != nil || v.Other != 0 {
		return errors.New("a numeric variable has neither categories nor other")
	}
	if len(v.Counts) > MaxBins {
		return fmt.Errorf("counts has %d entries, but at most %d bins are counted", len(v.Counts), MaxBins)
	}
	if len(v.Counts) != len(v.Edges)+1 {
		return fmt.Errorf("counts has %d entries, but %d edges make %d bins",
			len(v.Counts), len(v.Edges), len(v.Edges)+1)
	}
	for i, edge := range v.Edges {
		if math.IsNaN(edge) || math.IsInf(edge, 0) {
			return fmt.Errorf("edges[%d] is not finite", i)
		}
		if i > 0 && edge <= v.Edges[i-1] {
			return fmt.Errorf("edges[%d] is %v, but must be above edges[%d], which is %v",
				i, edge, i-1, v.Edges[i-1])
		}
	}
	return nil
}

func (v *Variable) categorical() error {
	if v.Edges != nil {
		return errors.New("a categorical variable has no edges")
	}
	if len(v.Categories) > MaxBins {
		return fmt.Errorf("categories has %d entries, but at most %d are counted; leave the rare ones to other",
			len(v.Categories), MaxBins)
	}
	if len(v.Counts) != len(v.Categories) {
		return fmt.Errorf("counts has %d entries, but there are %d categories", len(v.Counts), len(v.Categories))
	}
	seen := make(map[string]int, len(v.Categories))
	for i, category := range v.Categories {
		if len(category) > MaxText {
			return fmt.Errorf("categories[%d] has %d bytes, but at most %d are read", i, len(category), MaxText)
		}
		if first, taken := seen[category]; taken {
			return fmt.Errorf("categories[%d] is %q, as categories[%d]; they must be unique", i, short(category), first)
		}
		seen[category] = i
	}
	return nil
}

func (v *Variable) counts(rows int64) error {
	var sum int64
	add := func(field string, count int64) error {
		if count < 0 || count > MaxCount {
			return fmt.Errorf("%s is %d, but must be 0 to %d", field, count, int64(MaxCount))
		}
		if sum += count; sum > rows {
			return fmt.Errorf("counts, other and missing are more than the profile's rows, %d", rows)
		}
		return nil
	}
	for i, count := range v.Counts {
		if err := add(fmt.Sprintf("counts[%d]", i), count); err != nil {
			return err
		}
	}
	if err := add("other", v.Other); err != nil {
		return err
	}
	if err := add("missing", v.Missing); err != nil {
		return err
	}
	if sum == 0 {
		return errors.New("counts, other and missing are all 0")
	}
	return nil
}

// syntax says in which line the JSON ends to be JSON.
func syntax(content []byte, err error) error {
	var syntactic *jsontext.SyntacticError
	if !errors.As(err, &syntactic) {
		return fmt.Errorf("not JSON: %w", err)
	}
	offset := min(max(int(syntactic.ByteOffset), 0), len(content))
	line := 1 + bytes.Count(content[:offset], []byte("\n"))
	if errors.Is(syntactic.Err, jsontext.ErrDuplicateName) {
		return fmt.Errorf("line %d: %s is given twice", line, pointer(string(syntactic.JSONPointer)))
	}
	return fmt.Errorf("line %d: not JSON: %w", line, syntactic.Err)
}

// pointer writes a JSON pointer as people write a path: "/features/3/edges" as "features[3].edges".
func pointer(path string) string {
	if path == "" {
		return "the profile"
	}
	text := ""
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		switch {
		case part != "" && strings.Trim(part, "0123456789") == "":
			text += "[" + part + "]"
		case text == "":
			text = part
		default:
			text += "." + part
		}
	}
	return short(text)
}

func short(text string) string {
	const most = 64
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
