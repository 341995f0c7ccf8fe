// Package wait is for tests of what happens in its own time.
package wait

import (
	"testing"
	"time"
)

// Until returns once something holds, and fails the test if it does not within 30 seconds.
func Until(t testing.TB, holds func() bool) {
	t.Helper()
	for range 3000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("not within 30 s")
}
