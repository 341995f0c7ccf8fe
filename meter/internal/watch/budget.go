// Package watch looks at what has passed, off the path of requests and in bounded memory.
package watch

import "sync/atomic"

// Budget is the number of bytes that copies of bodies may hold, all together.
type Budget struct{ left atomic.Int64 }

// NewBudget has that many bytes.
func NewBudget(bytes int64) *Budget {
	b := &Budget{}
	b.left.Store(bytes)
	return b
}

// Take tells whether the bytes may be held; if so they must be given back.
func (b *Budget) Take(bytes int) bool {
	if b.left.Add(-int64(bytes)) >= 0 {
		return true
	}
	b.Give(bytes)
	return false
}

// Give returns what was taken.
func (b *Budget) Give(bytes int) { b.left.Add(int64(bytes)) }

// Left is what may be taken.
func (b *Budget) Left() int64 { return b.left.Load() }
