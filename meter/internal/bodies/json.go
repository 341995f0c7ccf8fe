package bodies

import "strconv"

// document reads JSON of V1 (KServe's and TensorFlow Serving's row format, or the latter's column format)
// or of V2, behind which its binary tensors may stand.
func document(content, binary []byte, v1, v2 string) (*Table, error) {
	content, ok := valid(content)
	if !ok || kindOf(content) != '{' {
		return nil, ErrUnreadable
	}
	var rows, tensors []byte
	members(content, func(name, value []byte) {
		switch word, _ := unquoted(name); word {
		case v1:
			rows = value
		case v2:
			tensors = value
		}
	})
	switch {
	case rows != nil:
		return instances(rows, binary)
	case kindOf(tensors) == '{':
		return columns(tensors, binary)
	case kindOf(tensors) == '[' && isV2(tensors):
		return inference(tensors, binary)
	case kindOf(tensors) == '[':
		return instances(tensors, binary)
	}
	return nil, ErrUnknown
}

// notObject tells JSON of an unknown kind from what only says that it is JSON.
func notObject(content []byte) error {
	if _, ok := valid(content); ok {
		return ErrUnknown
	}
	return ErrUnreadable
}

func instances(rows, binary []byte) (*Table, error) {
	if kindOf(rows) != '[' || len(binary) > 0 {
		return nil, ErrUnreadable
	}
	table := &Table{document: rows}
	elements(rows, func(int, int) { table.Rows++ })
	table.instances = make([]span, 0, table.Rows)
	elements(rows, func(from, to int) {
		table.instances = append(table.instances, span{uint32(from), uint32(to)})
	})
	return table, nil
}

// instance gives the fields of one V1 row: an object's keys, or a list or a scalar without a name.
func instance(row []byte, fields []Field) []Field {
	if kindOf(row) != '{' {
		return append(fields, field("", row, true))
	}
	members(row, func(name, value []byte) {
		if word, _ := unquoted(name); len(fields) < maxFields {
			fields = append(fields, field(word, value, false))
		}
	})
	return fields
}

func field(name string, value []byte, alone bool) Field {
	cells := &writtenCells{document: value, spans: scalars(value)}
	return Field{Name: name, Alone: alone, Width: cells.size(), cells: cells}
}

// columns reads TensorFlow Serving's column format: tensors by name, whose first dimension are the rows.
func columns(object, binary []byte) (*Table, error) {
	if len(binary) > 0 {
		return nil, ErrUnreadable
	}
	table := &Table{}
	members(object, func(name, value []byte) {
		if len(table.tensors) == maxFields {
			return
		}
		word, _ := unquoted(name)
		rows := 1
		if kindOf(value) == '[' {
			rows = 0
			elements(value, func(int, int) { rows++ })
		}
		cells := &writtenCells{document: value, spans: scalars(value)}
		if rows > 0 && cells.size()%rows == 0 {
			table.tensors = append(table.tensors, tensor{name: word, rows: rows, width: cells.size() / rows, cells: cells})
		}
	})
	return table.sized(), nil
}

// isV2 tells a list of tensors from rows: its first element names a datatype.
func isV2(list []byte) bool {
	first := next(list, next(list, 0)+1)
	return first < len(list) && list[first] == '{' &&
		member(list[first:valueEnd(list, first)], `"datatype"`) != nil
}

// inference reads V2's tensors.
func inference(list, binary []byte) (*Table, error) {
	table := &Table{}
	ok := true
	elements(list, func(from, to int) {
		if ok = ok && len(table.tensors) < maxFields; !ok {
			return
		}
		var read tensor
		var there bool
		if read, there, binary, ok = jsonTensor(list[from:to], binary); ok && there {
			table.tensors = append(table.tensors, read)
		}
	})
	if !ok || len(binary) > 0 {
		return nil, ErrUnreadable
	}
	return table.sized(), nil
}

// jsonTensor reads one tensor; there is false if its data is elsewhere, as in shared memory.
func jsonTensor(value, binary []byte) (read tensor, there bool, rest []byte, ok bool) {
	if kindOf(value) != '{' {
		return read, false, binary, false
	}
	var shape, data, size, datatype []byte
	members(value, func(name, value []byte) {
		switch string(name) {
		case `"name"`:
			read.name, ok = unquoted(value)
		case `"datatype"`:
			datatype = value
		case `"shape"`:
			shape = value
		case `"data"`:
			data = value
		case `"parameters"`:
			if kindOf(value) == '{' {
				size = member(value, `"binary_data_size"`)
			}
		}
	})
	dimensions, fits := jsonShape(shape)
	if !ok || !fits || !read.shaped(dimensions) {
		return read, false, binary, false
	}
	switch {
	case size != nil:
		length, err := strconv.ParseUint(string(size), 10, 31)
		if err != nil || int(length) > len(binary) {
			return read, false, binary, false
		}
		kind, _ := unquoted(datatype)
		read.cells, ok = packed(kind, binary[:length], read.elements())
		return read, true, binary[length:], ok
	case data != nil:
		read.cells = &writtenCells{document: data, spans: scalars(data)}
		return read, true, binary, read.cells.size() == read.elements()
	}
	return read, false, binary, true
}

func member(object []byte, quoted string) (found []byte) {
	members(object, func(name, value []byte) {
		if string(name) == quoted {
			found = value
		}
	})
	return found
}

func jsonShape(shape []byte) ([]int64, bool) {
	if kindOf(shape) != '[' {
		return nil, false
	}
	dimensions, ok := []int64{}, true
	elements(shape, func(from, to int) {
		if ok = ok && len(dimensions) < maxDimensions; ok {
			dimension, err := strconv.ParseInt(string(shape[from:to]), 10, 64)
			dimensions, ok = append(dimensions, dimension), err == nil
		}
	})
	return dimensions, ok
}
