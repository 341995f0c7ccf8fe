package feedback

import "time"

// maxSeen bounds the number of answers whose labels are remembered.
const maxSeen = 1_000_000

// seen remembers of which rows of which answers there were labels. It is exact: what it has forgotten is older
// than the window, and what it has no room for is refused.
type seen struct {
	window  time.Duration
	most    int
	entries map[uint64]entry
	swept   time.Time
}

// entry are the rows of an answer, a bit each, and when the last of them came, in seconds.
type entry struct {
	rows uint64
	last int64
}

// mark is a row of an answer.
type mark struct {
	id  uint64
	row int
}

func newSeen(window time.Duration, most int) *seen {
	return &seen{window: window, most: most, entries: map[uint64]entry{}}
}

// add remembers a row. It is Repeated if the row was there, or Full if there is no room, else Accepted.
func (s *seen) add(m mark, now time.Time) Outcome {
	known, there := s.entries[m.id]
	if there && s.old(known, now) {
		known, there = entry{}, false
		delete(s.entries, m.id)
	}
	bit := uint64(1) << m.row
	if known.rows&bit != 0 {
		return Repeated
	}
	if !there && len(s.entries) >= s.most {
		if s.sweep(now); len(s.entries) >= s.most {
			return Full
		}
	}
	s.entries[m.id] = entry{known.rows | bit, now.Unix()}
	return Accepted
}

// take forgets a row that was added last.
func (s *seen) take(m mark) {
	known := s.entries[m.id]
	if known.rows &^= uint64(1) << m.row; known.rows == 0 {
		delete(s.entries, m.id)
		return
	}
	s.entries[m.id] = known
}

// restore remembers what was written down.
func (s *seen) restore(id uint64, read entry, now time.Time) {
	if s.old(read, now) {
		return
	}
	known := s.entries[id]
	s.entries[id] = entry{known.rows | read.rows, max(known.last, read.last)}
}

func (s *seen) old(e entry, now time.Time) bool {
	return now.Unix()-e.last > int64(s.window/time.Second)
}

// sweep forgets what is older than the window, at most once a minute: it looks at all.
func (s *seen) sweep(now time.Time) {
	if now.Sub(s.swept) < time.Minute {
		return
	}
	s.swept = now
	for id, known := range s.entries {
		if s.old(known, now) {
			delete(s.entries, id)
		}
	}
}
