package sidecar

import (
	"context"

	"evenkeel.dev/meter/internal/config"
	"evenkeel.dev/meter/internal/division"
	"evenkeel.dev/meter/internal/metrics"
	"evenkeel.dev/meter/internal/shadow"
	"evenkeel.dev/meter/internal/watch"
)

// shadowShare of the copies that may be held are those of shadows: one that hangs must not end the counting.
const shadowShare = 4

// divided is what requests are divided by with another revision. file and shadows are nil where they are not.
type divided struct {
	file    *division.File
	shadows *shadow.Shadows
	// copies are all others of bodies.
	copies *watch.Budget
}

// divide reads the division until the context ends. copies is how many bytes all copies of bodies may hold.
func divide(ctx context.Context, c config.Config, m *metrics.Metrics, watchers Watchers, copies int64) divided {
	if c.Division == "" {
		return divided{copies: watch.NewBudget(copies)}
	}
	held := copies / shadowShare
	shadows := shadow.New(shadow.Options{
		Revision: c.Revision, MaxBody: c.MaxBodyBytes, Budget: watch.NewBudget(held), Tolerance: c.ShadowTolerance,
		Profile: watchers.Profile,
	}, m.Registerer)
	file := division.Open(c.Division, c.Deployment, shadows.Use, m.Registerer)
	file.Finding(find)
	go file.Watch(ctx)
	return divided{file, shadows, watch.NewBudget(copies - held)}
}

// close gives up shadows. What the other revision is to answer it still gets.
func (d divided) close() {
	if d.shadows != nil {
		d.shadows.Close()
	}
}
