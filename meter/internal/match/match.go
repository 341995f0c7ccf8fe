// Package match finds a profile's variables in the rows of bodies.
package match

import (
	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/profile"
)

// Matcher knows where in a row each of some variables is.
type Matcher struct {
	variables int
	named     map[string][]place
	// positions are the columns in a matrix whose name says nothing; exact: it has as many columns as there
	// are variables, else at least width.
	positions []place
	width     int
	exact     bool
	// tensors are those that variables name, "" among them if one names none.
	tensors map[string]bool
}

// place is a variable's column.
type place struct{ variable, column int }

// New is the matcher of a profile's features or of its predictions.
func New(variables []profile.Variable) *Matcher {
	matcher := &Matcher{
		variables: len(variables), named: map[string][]place{}, tensors: map[string]bool{}, exact: true,
	}
	for i := range variables {
		variable := &variables[i]
		column, position := 0, i
		if variable.Column != nil {
			column, position = *variable.Column, *variable.Column
			matcher.exact = false
		}
		name := variable.Name
		if variable.Tensor != "" {
			name = variable.Tensor
		}
		matcher.tensors[variable.Tensor] = true
		matcher.named[name] = append(matcher.named[name], place{i, column})
		matcher.positions = append(matcher.positions, place{i, position})
		matcher.width = max(matcher.width, position+1)
	}
	return matcher
}

// Row gives the values of a row, one a variable, those missing that the row lacks. False: it has none of them.
func (m *Matcher) Row(fields []bodies.Field, into []bodies.Value) ([]bodies.Value, bool) {
	into = append(into[:0], make([]bodies.Value, m.variables)...)
	found := false
	for _, field := range fields {
		places := m.named[field.Name]
		if places == nil && field.Alone {
			places = m.alone(field)
		}
		for _, place := range places {
			if place.column < field.Width {
				into[place.variable], found = field.Value(place.column), true
			}
		}
	}
	return into, found
}

// alone are the places in a matrix without a name that is known: by position, if its width says that it is
// the one. A matrix of V1 has no name at all; it may be the one tensor that the variables name.
func (m *Matcher) alone(field bodies.Field) []place {
	if len(m.tensors) > 1 || field.Name != "" && !m.tensors[""] {
		return nil
	}
	if m.exact && field.Width != m.width || field.Width < m.width {
		return nil
	}
	return m.positions
}
