package learn

// overhead is about what a text takes beside its bytes.
const overhead = 64

// budget is what all texts of a sample may take, in bytes; users are the columns that have some.
type budget struct{ all, taken, users int }

// texts are those that a column's cells have now, each with a number.
type texts struct {
	budget  *budget
	numbers map[string]uint32
	entries []entry
	free    []uint32
	taken   int
}

type entry struct {
	text string
	uses int
}

// use is the cell of a text, other if there is no room: neither for all texts, nor for so many of one column.
func (t *texts) use(text []byte) cell {
	if number, known := t.numbers[string(text)]; known {
		t.entries[number].uses++
		return worded | cell(number)
	}
	b := t.budget
	if t.numbers == nil {
		t.numbers = map[string]uint32{}
		b.users++
	}
	cost := len(text) + overhead
	if b.taken+cost > b.all || t.taken+cost > b.all/b.users {
		return other
	}
	t.taken += cost
	b.taken += cost
	made := entry{string(text), 1}
	var number uint32
	if last := len(t.free) - 1; last >= 0 {
		number, t.free = t.free[last], t.free[:last]
		t.entries[number] = made
	} else {
		number = uint32(len(t.entries))
		t.entries = append(t.entries, made)
	}
	t.numbers[made.text] = number
	return worded | cell(number)
}

// release forgets a cell's text with its last use.
func (t *texts) release(c cell) {
	if c.isNumber() || !c.isText() {
		return
	}
	number := uint32(c)
	known := &t.entries[number]
	if known.uses--; known.uses > 0 {
		return
	}
	cost := len(known.text) + overhead
	t.taken -= cost
	t.budget.taken -= cost
	delete(t.numbers, known.text)
	known.text = ""
	t.free = append(t.free, number)
}

// end forgets all of them.
func (t *texts) end() {
	if t.numbers != nil {
		t.budget.taken -= t.taken
		t.budget.users--
	}
}

func (t *texts) text(c cell) string { return t.entries[uint32(c)].text }
