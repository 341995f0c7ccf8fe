package load

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// sampled is the time between two looks at the memory.
	sampled = 200 * time.Millisecond
	// ticks are those of a second in /proc/PID/stat, whatever the kernel's own are (USER_HZ).
	ticks = 100
)

// Usage is what the other processes of the pod take, as /proc shows it where containers share their processes
// (shareProcessNamespace). Elsewhere it is 0.
type Usage struct {
	folder string
	own    string

	mu   sync.Mutex
	peak int64
}

// NewUsage looks into /proc.
func NewUsage() *Usage { return &Usage{folder: "/proc", own: strconv.Itoa(os.Getpid())} }

// Watch keeps the peak of the memory until the context ends.
func (u *Usage) Watch(ctx context.Context) {
	for tick := time.NewTicker(sampled); ctx.Err() == nil; {
		u.look()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (u *Usage) look() {
	var bytes int64
	for _, process := range u.others() {
		bytes += memory(process)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.peak = max(u.peak, bytes)
}

// Peak is the most memory in bytes that was seen: what the kernel cannot reclaim without swapping, and so what
// a limit kills for. Pages that workers share since their fork are counted for each.
func (u *Usage) Peak() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.peak
}

// Seconds is the processor time that the processes have used so far.
func (u *Usage) Seconds() float64 {
	var sum float64
	for _, process := range u.others() {
		sum += processor(process)
	}
	return sum
}

// others are the folders of all processes but this one and the pod's pause.
func (u *Usage) others() []string {
	found, _ := filepath.Glob(filepath.Join(u.folder, "[0-9]*"))
	var others []string
	for _, process := range found {
		if filepath.Base(process) != u.own && !isPause(process) {
			others = append(others, process)
		}
	}
	return others
}

func isPause(process string) bool {
	name, _ := os.ReadFile(filepath.Join(process, "comm"))
	return filepath.Base(process) == "1" && strings.TrimSpace(string(name)) == "pause"
}

// memory is a process' RssAnon and RssShmem (proc_pid_status(5)) in bytes; 0 if it is gone.
func memory(process string) int64 {
	status, _ := os.ReadFile(filepath.Join(process, "status"))
	var sum int64
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		if fields := strings.Fields(value); len(fields) == 2 && (name == "RssAnon" || name == "RssShmem") {
			kibibytes, _ := strconv.ParseInt(fields[0], 10, 64)
			sum += kibibytes << 10
		}
	}
	return sum
}

// processor is a process' utime and stime (proc_pid_stat(5)) in seconds; 0 if it is gone.
func processor(process string) float64 {
	stat, _ := os.ReadFile(filepath.Join(process, "stat"))
	// The name before may have blanks and brackets.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const utime, stime = 11, 12
	if len(fields) <= stime {
		return 0
	}
	user, _ := strconv.ParseFloat(string(fields[utime]), 64)
	system, _ := strconv.ParseFloat(string(fields[stime]), 64)
	return (user + system) / ticks
}
