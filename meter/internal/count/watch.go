package count

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"evenkeel.dev/meter/internal/profile"
)

// period is the time between two looks for a profile that is absent or broken.
const period = 10 * time.Second

// maxWhy bounds the label that says what is wrong, in bytes.
const maxWhy = 300

// States of the profile.
const (
	stateUsed   = "Used"
	stateAbsent = "Absent"
	stateBroken = "Broken"
)

// watch remembers the file that was found broken, and what is told now.
type watch struct {
	path     string
	modified time.Time
	size     int64
	told     [4]string
}

// Watch looks for the profile again while it is absent or broken, until the context ends.
//
// One that is used stays: counters go on in its bins, and those of another file would be added to them. What
// a model is compared with changes with the model, in new pods.
func (c *Counter) Watch(ctx context.Context) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for c.used.Load() == nil {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.look()
		}
	}
}

// look reads the file unless it is the one that was broken already.
func (c *Counter) look() {
	info, err := os.Stat(c.watch.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || c.watch.path == "":
		c.watch.modified = time.Time{}
		if !c.lookShared() {
			c.tell("", stateAbsent, "there is no file "+c.watch.path, "")
		}
		return
	case err != nil:
		c.tell("", stateBroken, err.Error(), "")
		return
	case info.ModTime().Equal(c.watch.modified) && info.Size() == c.watch.size:
		return
	}
	c.watch.modified, c.watch.size = info.ModTime(), info.Size()
	found, err := profile.Load(c.watch.path)
	if err != nil {
		c.tell("", stateBroken, err.Error(), "")
		return
	}
	c.use(found)
	if c.published != nil {
		c.published.End()
	}
}

// use has rows counted by a profile from now on.
func (c *Counter) use(found *profile.Profile) {
	c.used.Store(&used{
		profile:     found,
		features:    newPart(found.Features, c.values, c.reference, c.unfit),
		predictions: newPart(found.Predictions, c.values, c.reference, c.unfit),
	})
	c.tell(found.Digest, stateUsed, "", found.Source)
}

// tell replaces what profile_info says; for a moment both are there, never none.
func (c *Counter) tell(digest, state, why, source string) {
	c.absent.Store(state == stateAbsent)
	if len(why) > maxWhy {
		why = why[:maxWhy] + "..."
	}
	now := [4]string{digest, state, strings.ToValidUTF8(why, "?"), source}
	c.info.WithLabelValues(now[:]...).Set(1)
	if c.watch.told != now {
		c.info.DeleteLabelValues(c.watch.told[:]...)
	}
	c.watch.told = now
}
