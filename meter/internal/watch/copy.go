package watch

// Reasons for which nobody looks at a body.
const (
	Skipped  = "skipped"
	TooLarge = "too_large"
)

// Copy is a body as it passes, within a limit and a budget. It is used by one goroutine at a time.
//
// It is whole, or it holds nothing.
type Copy struct {
	budget *Budget
	limit  int64
	bytes  []byte
	lost   string
}

// NewCopy holds at most limit bytes.
func NewCopy(budget *Budget, limit int64) *Copy { return &Copy{budget: budget, limit: limit} }

// Add copies what follows.
func (c *Copy) Add(more []byte) {
	if c.lost == "" && len(more) > 0 && c.room(len(more)) {
		c.bytes = append(c.bytes, more...)
	}
}

// Adopt holds a body that nobody changes any more, without copying it.
func (c *Copy) Adopt(body []byte) {
	switch {
	case int64(len(body)) > c.limit:
		c.lose(TooLarge)
	case !c.budget.Take(cap(body)):
		c.lose(Skipped)
	default:
		c.bytes = body
	}
}

// Reserve tells whether as many bytes can be added; if so there is room for them.
func (c *Copy) Reserve(bytes int64) bool {
	return c.lost == "" && (bytes == 0 || c.room(int(min(bytes, c.limit+1))))
}

// room makes some for as many bytes more. It doubles, so that a body that comes in small pieces is not copied for
// each of them.
func (c *Copy) room(more int) bool {
	needed, had := len(c.bytes)+more, cap(c.bytes)
	if int64(needed) > c.limit {
		c.lose(TooLarge)
		return false
	}
	if needed <= had {
		return true
	}
	grown := int(min(int64(max(2*had, needed)), c.limit))
	if !c.budget.Take(grown - had) {
		if grown = needed; !c.budget.Take(grown - had) {
			c.lose(Skipped)
			return false
		}
	}
	c.bytes = append(make([]byte, 0, grown), c.bytes...)
	return true
}

// Bytes are the body so far, and why there are none although there is a body. They must not be changed.
func (c *Copy) Bytes() (body []byte, lost string) { return c.bytes, c.lost }

// Release gives the bytes up.
func (c *Copy) Release() { c.lose(Skipped) }

func (c *Copy) lose(why string) {
	c.budget.Give(cap(c.bytes))
	c.bytes, c.lost = nil, why
}
