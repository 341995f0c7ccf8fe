package sidecar

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

func TestMemoryStaysBelowTheContainersLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "")
	for text, want := range map[string]int64{"67108864\n": 60397974, "max\n": math.MaxInt64} {
		debug.SetMemoryLimit(math.MaxInt64)
		file := filepath.Join(t.TempDir(), "memory.max")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		limitMemory(file)
		if got := debug.SetMemoryLimit(-1); got != want {
			t.Errorf("%q gives %d", text, got)
		}
	}
}
