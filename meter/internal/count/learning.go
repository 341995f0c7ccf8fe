package count

import (
	"cmp"
	"errors"
	"io/fs"
	"os"

	"evenkeel.dev/meter/internal/bodies"
	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/learn"
	"evenkeel.dev/meter/internal/profile"
)

// Learn has it learn a reference as long as there is no profile, and count by the one in the file at path as soon as
// that is there: what one pod has learned is what all pods of a revision count by. It is to be called before the
// first exchange is observed. A profile of the model's own comes first.
func (c *Counter) Learn(path string, learner *learn.Learner) {
	c.shared, c.learner, c.published = path, learner, learner.Published
	if c.used.Load() != nil {
		c.learner = nil
		c.published.End()
		return
	}
	c.look()
}

// lookShared reads the reference that all pods share, false if there is none yet.
func (c *Counter) lookShared() bool {
	if c.shared == "" {
		return false
	}
	text, err := os.ReadFile(c.shared)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	var found *profile.Profile
	if err == nil {
		found, err = profile.Parse(text)
	}
	if err != nil {
		c.tell("", stateBroken, "the learned reference: "+err.Error(), "")
		return true
	}
	c.use(found)
	c.published.Shared(text)
	return true
}

// learn takes rows into the reference that is being learned.
func (c *Counter) learn(e exchange.Exchange) Result {
	if c.learner == nil || c.learner.Done() || !c.absent.Load() || !c.due(e) {
		return Skipped
	}
	if !e.Succeeded() {
		return refused(e)
	}
	request, failure := bodies.Request(e)
	answer, err := bodies.Answer(e)
	if c.learner.Learn(e.Began, request, answer, c.choice().of) {
		c.last = e.Began
		return Learned
	}
	switch failure = cmp.Or(failure, err); {
	case errors.Is(failure, bodies.ErrUnknown):
		return Unknown
	case failure != nil:
		return Unreadable
	}
	return Skipped
}
