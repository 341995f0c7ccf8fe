package count

import (
	"github.com/prometheus/client_golang/prometheus"

	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/profile"
)

// wholeBody stands for a variable's name where the body has nothing that could be counted.
const wholeBody = "body"

// Reasons for which a row does not fit a variable. Those for which a whole body does not are its Result.
const (
	// absent: the row does not have it at all; null it would have.
	absent = "absent"
	// notNumber: it is text or a structure where the profile has numbers.
	notNumber = "not_a_number"
)

// unfit counts what does not fit the profile, so that a person sees which feature or prediction it is.
type unfit struct {
	bodies            map[Result]prometheus.Counter
	absent, notNumber []prometheus.Counter
}

func newUnfitCounts() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "evenkeel_model_unfit_total",
		Help: "What did not fit the reference profile, by reason: rows of a variable, or whole bodies.",
	}, []string{"kind", "name", "reason"})
}

// newUnfit is that of variables of one kind. Their number, which the profile bounds, bounds its series.
func newUnfit(variables []profile.Variable, counts *prometheus.CounterVec) *unfit {
	u := &unfit{bodies: map[Result]prometheus.Counter{}}
	for i := range variables {
		variable := &variables[i]
		u.absent = append(u.absent, counts.WithLabelValues(variable.Kind, variable.Name, absent))
		var number prometheus.Counter
		if variable.Type == profile.Numeric {
			number = counts.WithLabelValues(variable.Kind, variable.Name, notNumber)
		}
		u.notNumber = append(u.notNumber, number)
		for _, result := range []Result{Mismatched, Unreadable, Unknown} {
			u.bodies[result] = counts.WithLabelValues(variable.Kind, wholeBody, string(result))
		}
	}
	return u
}

// body counts a body that became nothing.
func (u *unfit) body(result Result) {
	if counter, counted := u.bodies[result]; counted {
		counter.Inc()
	}
}

// value counts a row's value of the variable at a position, if it does not fit.
func (u *unfit) value(position int, value bodies.Value) {
	switch {
	case value.IsAbsent():
		u.absent[position].Inc()
	case u.notNumber[position] != nil && !value.IsNumber() && !value.IsBoolean() && !value.IsNull():
		u.notNumber[position].Inc()
	}
}
