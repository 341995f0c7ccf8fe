package sidecar

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// limitFile is where the kernel says how much memory the container may have.
const limitFile = "/sys/fs/cgroup/memory.max"

// limitMemory has the garbage collector stay below the container's limit, unless GOMEMLIMIT says otherwise.
//
// Where there is no limit it gets none: one that hundreds of connections reach would have it collect without end
// just when there is most to do.
func limitMemory(file string) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return
	}
	if most, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
		debug.SetMemoryLimit(most / 10 * 9)
	}
}
