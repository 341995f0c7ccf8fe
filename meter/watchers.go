package main

import (
	"context"

	"evenkeel.dev/meter/internal/config"
	"evenkeel.dev/meter/internal/count"
	"evenkeel.dev/meter/internal/learn"
	"evenkeel.dev/meter/internal/metrics"
	"evenkeel.dev/meter/internal/sidecar"
	"evenkeel.dev/meter/internal/token"
)

// watchers look at bodies as the configuration says.
func watchers(ctx context.Context, c config.Config, m *metrics.Metrics) sidecar.Watchers {
	counter := count.New(c.Profile, c.Spacing, m.Registerer)
	if c.LearnRows > 0 {
		counter.Learn(c.LearnedProfile, learn.New(c.LearnRows, c.LearnSpan, m.Registerer))
	}
	go counter.Watch(ctx)
	found := sidecar.Watchers{
		Observer:  counter,
		Profile:   counter.Profile,
		Uncounted: counter.Uncounted,
	}
	if c.Keys != "" {
		keys := token.OpenKeys(c.Keys)
		signer := token.NewSigner(keys, c.Deployment, c.Revision, c.Slices, counter.Profile)
		m.Registerer.MustRegister(signer)
		found.Signer = signer
	}
	return found
}
