// Command meter stands in front of a model server: it counts requests and what they say.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"evenkeel.dev/meter/internal/config"
	"evenkeel.dev/meter/internal/metrics"
	"evenkeel.dev/meter/internal/sidecar"
)

// wrong is the exit code for a configuration that cannot be used.
const wrong = 2

func main() {
	log.SetFlags(0)
	if len(os.Args) > 1 {
		fmt.Fprintf(os.Stderr, "meter: unknown command %q; the sidecar has none\n", os.Args[1])
		os.Exit(wrong)
	}
	c, err := config.FromEnvironment(os.Getenv)
	if err != nil {
		fmt.Fprintf(os.Stderr, "meter: %v\n", err)
		os.Exit(wrong)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	m := metrics.New(c.Deployment, c.Revision, c.Version)
	if err := sidecar.Run(ctx, c, m, watchers(c, m)); err != nil {
		fmt.Fprintf(os.Stderr, "meter: %v\n", err)
		os.Exit(1)
	}
}
