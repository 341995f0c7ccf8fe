// Command meter stands in front of a model server: it counts requests and what they say.
//
// As "meter feedback" it takes the labels of predictions instead, and as "meter load" it finds the rate that a
// model server carries.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"evenkeel.dev/meter/internal/config"
	"evenkeel.dev/meter/internal/feedback"
	"evenkeel.dev/meter/internal/load"
	"evenkeel.dev/meter/internal/metrics"
	"evenkeel.dev/meter/internal/sidecar"
)

// wrong is the exit code for a configuration that cannot be used.
const wrong = 2

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	switch {
	case len(os.Args) == 1:
		measure(ctx)
	case len(os.Args) == 2 && os.Args[1] == "feedback":
		takeLabels(ctx)
	case len(os.Args) == 2 && os.Args[1] == "load":
		profile(ctx)
	default:
		fail(wrong, fmt.Errorf("unknown command %q; there are feedback and load, and the sidecar has none", os.Args[1:]))
	}
}

// measure is the sidecar.
func measure(ctx context.Context) {
	c, err := config.FromEnvironment(os.Getenv)
	if err != nil {
		fail(wrong, err)
	}
	m := metrics.New(c.Deployment, c.Revision, c.Version)
	if err := sidecar.Run(ctx, c, m, watchers(ctx, c, m)); err != nil {
		fail(1, err)
	}
}

// takeLabels is the server of labels.
func takeLabels(ctx context.Context) {
	c, err := feedback.FromEnvironment(os.Getenv)
	if err != nil {
		fail(wrong, err)
	}
	if err := feedback.Run(ctx, c); err != nil {
		fail(1, err)
	}
}

// profile loads a model server.
func profile(ctx context.Context) {
	c, err := load.FromEnvironment(os.Getenv)
	if err != nil {
		fail(wrong, err)
	}
	if err := load.Run(ctx, c); err != nil {
		fail(1, err)
	}
}

func fail(code int, err error) {
	fmt.Fprintf(os.Stderr, "meter: %v\n", err)
	os.Exit(code)
}
