package sidecar

import (
	"log"
	"math"
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
// just when there is most to do. It gives the limit, math.MaxInt64 if there is none.
func limitMemory(file string) int64 {
	if os.Getenv("GOMEMLIMIT") != "" {
		return debug.SetMemoryLimit(-1)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return math.MaxInt64
	}
	most, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return math.MaxInt64
	}
	debug.SetMemoryLimit(most / 10 * 9)
	return most
}

const (
	// bodyShare of the memory is the largest body that is looked at: eight of that size are held, and the one
	// that is being read may take as much again. The other half is the garbage collector's.
	bodyShare = 32
	// copiedBodies of the largest size may be held, together with what it takes to sign answers.
	copiedBodies = 8
	// leastCopies are held however small the largest body is.
	leastCopies = 16 << 20
)

// bodyLimits are the size up to which bodies are looked at, within the container's memory, and how many bytes
// their copies hold together.
func bodyLimits(wanted, memory int64) (largest, copies int64) {
	largest = min(wanted, memory/bodyShare)
	if largest < wanted {
		log.Printf("bodies of more than %d bytes are not looked at, in spite of METER_MAX_BODY_BYTES: "+
			"the container's memory limit is %d bytes, and must be %d times a body's", largest, memory, bodyShare)
	}
	return largest, min(max(leastCopies, copiedBodies*largest), memory/bodyShare*copiedBodies)
}
