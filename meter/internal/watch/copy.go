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
	switch {
	case c.lost != "" || len(more) == 0:
	case int64(len(c.bytes)+len(more)) > c.limit:
		c.lose(TooLarge)
	case !c.budget.Take(len(more)):
		c.lose(Skipped)
	default:
		c.bytes = append(c.bytes, more...)
	}
}

// Bytes are the body so far, and why there are none although there is a body. They must not be changed.
func (c *Copy) Bytes() (body []byte, lost string) { return c.bytes, c.lost }

// Release gives the bytes up.
func (c *Copy) Release() { c.lose(Skipped) }

func (c *Copy) lose(why string) {
	c.budget.Give(len(c.bytes))
	c.bytes, c.lost = nil, why
}
