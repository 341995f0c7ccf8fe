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
		told := limitMemory(file)
		if bounded := told == 67108864; bounded != (want < math.MaxInt64) {
			t.Errorf("%q tells %d", text, told)
		}
		if got := debug.SetMemoryLimit(-1); got != want {
			t.Errorf("%q gives %d", text, got)
		}
	}
}

func TestBodiesFitIntoTheMemory(t *testing.T) {
	const mebibyte = 1 << 20
	for _, c := range []struct{ wanted, memory, largest, copies int64 }{
		{1 * mebibyte, 256 * mebibyte, 1 * mebibyte, 16 * mebibyte},
		{8 * mebibyte, 256 * mebibyte, 8 * mebibyte, 64 * mebibyte},
		{64 * mebibyte, 256 * mebibyte, 8 * mebibyte, 64 * mebibyte},
		{64 * mebibyte, 2048 * mebibyte, 64 * mebibyte, 512 * mebibyte},
		{64 * mebibyte, math.MaxInt64, 64 * mebibyte, 512 * mebibyte},
		{1 * mebibyte, 32 * mebibyte, 1 * mebibyte, 8 * mebibyte},
		{0, math.MaxInt64, 0, 16 * mebibyte},
	} {
		if largest, copies := bodyLimits(c.wanted, c.memory); largest != c.largest || copies != c.copies {
			t.Errorf("%d in %d: %d, and %d together", c.wanted, c.memory, largest, copies)
		}
	}
}
