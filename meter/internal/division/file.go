package division

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// period is the time between two looks. The kubelet swaps a link for a changed file, so the content tells, not the
// file's time.
const period = 500 * time.Millisecond

// mostBytes bound the file.
const mostBytes = 64 << 10

// What became of requests while a share of them was to be answered by the target.
const (
	// Passed: the target answered, whatever its code.
	Passed = "passed"
	// Broken: the target got the request, or a part of it, and gave no whole answer.
	Broken = "failed"
	// Unfinished: the client went away before the target had answered.
	Unfinished = "unfinished"
	// Fallback: the target got nothing of it, as there was no connection, or it has not been found at its address
	// yet; the own model server was asked.
	Fallback = "fallback"
	// Kept: its value is not in the share, or the target has no address for its protocol.
	Kept = "kept"
	// Unkeyed: it does not have the header, so the own model server was asked.
	Unkeyed = "unkeyed"
)

// File is the one in which the operator tells the division, read again and again. Now may be called by several
// goroutines.
type File struct {
	path, salt string
	changed    func(*Division)

	content []byte
	problem string
	// counted is the target that has counters.
	counted string
	now     atomic.Pointer[Division]
	// reached is the target that has been found at its address.
	reached atomic.Pointer[Target]
	// find tells whether a target is at its address; nil: it is.
	find func(context.Context, *Target) bool

	unreadable prometheus.Counter
	percent    *prometheus.GaugeVec
	found      *prometheus.GaugeVec
	divided    *prometheus.CounterVec
}

// Open reads the file at a path, and registers metrics. salt is the deployment's name. changed is told each new
// division before it holds; it may be nil.
func Open(path, salt string, changed func(*Division), registerer prometheus.Registerer) *File {
	f := &File{path: path, salt: salt, changed: changed}
	f.unreadable = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "evenkeel_model_division_unreadable_total",
		Help: "Looks at the file with the division that found it unreadable; the one before holds on.",
	})
	f.percent = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "evenkeel_model_division_percent",
		Help: "Share of requests that another revision gets copies of (mirror), or answers (share).",
	}, []string{"kind", "to"})
	f.found = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "evenkeel_model_division_reached",
		Help: "Whether the other revision has been found at its address; until then it gets no requests and no copies.",
	}, []string{"to"})
	f.divided = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "evenkeel_model_divided_total",
		Help: "Inference requests while another revision answers a share of them, by what became of them.",
	}, []string{"to", "result"})
	registerer.MustRegister(f.unreadable, f.percent, f.found, f.divided)
	f.now.Store(&Division{})
	f.look()
	return f
}

// Now is the division that holds. It must not be changed.
func (f *File) Now() *Division { return f.now.Load() }

// Reached tells whether the target's own meter has answered at its address. The address of a new Service leads
// nowhere, or astray, until the node knows it: what comes from there says nothing of the target.
func (f *File) Reached(one *Target) bool {
	found := f.reached.Load()
	return f.find == nil || found != nil && found.Revision == one.Revision && found.HTTP == one.HTTP
}

// Finding has targets looked for before they get requests. It is called before Watch.
func (f *File) Finding(find func(context.Context, *Target) bool) { f.find = find }

// seek looks for the target, unless it has been found.
func (f *File) seek(ctx context.Context) {
	if target := f.Now().target(); target != nil && !f.Reached(target) && f.find(ctx, target) {
		f.reached.Store(target)
		f.found.WithLabelValues(target.Revision).Set(1)
	}
}

// Count counts what became of a request, such as Passed.
func (f *File) Count(to *Target, result string) { f.divided.WithLabelValues(to.Revision, result).Inc() }

// Watch reads the file again and again until the context ends.
func (f *File) Watch(ctx context.Context) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			f.look()
			f.seek(ctx)
		}
	}
}

// look keeps what was known if the file cannot be read.
func (f *File) look() {
	content, err := read(f.path)
	if err == nil && bytes.Equal(content, f.content) {
		f.problem = ""
		return
	}
	var found *Division
	if err == nil {
		found, err = Parse(content, f.salt)
	}
	if err != nil {
		f.unreadable.Inc()
		if err.Error() != f.problem {
			slog.Warn("the division cannot be read; the one before holds on", "file", f.path, "error", err)
		}
		f.problem = err.Error()
		return
	}
	f.content, f.problem = content, ""
	f.use(found)
	slog.Info("the division has changed", "division", string(content))
}

// read gives nothing where there is no file.
func read(path string) ([]byte, error) {
	opened, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = opened.Close() }()
	content, err := io.ReadAll(io.LimitReader(opened, mostBytes+1))
	if err == nil && len(content) > mostBytes {
		err = fmt.Errorf("it has more than %d bytes", mostBytes)
	}
	return content, err
}

func (f *File) use(found *Division) {
	if f.changed != nil {
		f.changed(found)
	}
	f.percent.Reset()
	f.found.Reset()
	if target := found.target(); target != nil {
		f.found.WithLabelValues(target.Revision).Set(0)
		if f.Reached(target) {
			f.found.WithLabelValues(target.Revision).Set(1)
		}
	}
	if found.Mirror != nil {
		f.percent.WithLabelValues("mirror", found.Mirror.Revision).Set(found.Mirror.Percent)
	}
	if found.Share != nil {
		f.percent.WithLabelValues("share", found.Share.Revision).Set(found.Share.Percent)
		if f.counted != found.Share.Revision {
			f.divided.Reset()
			f.counted = found.Share.Revision
		}
		for _, result := range []string{Passed, Broken, Unfinished, Fallback, Kept, Unkeyed} {
			f.divided.WithLabelValues(found.Share.Revision, result)
		}
	}
	f.now.Store(found)
}
