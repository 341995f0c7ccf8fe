package count

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/match"
	"evenkeel.dev/meter/internal/profile"
)

// part is a profile's features or its predictions, with a counter a bin.
type part struct {
	variables []profile.Variable
	matcher   *match.Matcher
	counters  [][]prometheus.Counter
	unfit     *unfit

	fields []bodies.Field
	values []bodies.Value
}

// newPart makes all bins from the start at 0: what is counted first would else be no increase.
func newPart(
	variables []profile.Variable, values *prometheus.CounterVec, reference *prometheus.GaugeVec, unfit *prometheus.CounterVec,
) *part {
	p := &part{variables: variables, matcher: match.New(variables), unfit: newUnfit(variables, unfit)}
	for i := range variables {
		variable := &variables[i]
		var counters []prometheus.Counter
		for _, bin := range variable.Bins() {
			counters = append(counters, values.WithLabelValues(variable.Kind, variable.Name, bin.Label))
			reference.WithLabelValues(variable.Kind, variable.Name, bin.Label, bin.Range).Set(float64(bin.Count))
		}
		p.counters = append(p.counters, counters)
	}
	return p
}

// count counts the chosen rows of a body, and what does not fit.
func (p *part) count(read func(exchange.Exchange) (*bodies.Table, error), e exchange.Exchange, choice rows) Result {
	result := p.countRows(read, e, choice)
	p.unfit.body(result)
	return result
}

// countRows counts the chosen rows of a body. Each adds one to a bin of each variable: what it lacks is missing, so
// that a variable that is never found has no other rows.
func (p *part) countRows(read func(exchange.Exchange) (*bodies.Table, error), e exchange.Exchange, choice rows) Result {
	if len(p.variables) == 0 {
		return Skipped
	}
	table, err := read(e)
	switch {
	case errors.Is(err, bodies.ErrUnknown):
		return Unknown
	case err != nil:
		return Unreadable
	case table.Rows == 0:
		return Skipped
	}
	result := Mismatched
	from, to := choice.of(table.Rows)
	for row := from; row < to; row++ {
		p.fields = table.Row(row, p.fields)
		var found bool
		if p.values, found = p.matcher.Row(p.fields, p.values); found {
			p.add()
			result = Counted
		}
	}
	// What was read is not held until the next exchange.
	clear(p.fields[:cap(p.fields)])
	clear(p.values)
	return result
}

func (p *part) add() {
	var buffer [profile.MaxText]byte
	for i := range p.variables {
		p.counters[i][match.Bin(&p.variables[i], p.values[i], buffer[:])].Inc()
		p.unfit.value(i, p.values[i])
	}
}
