// Package environ reads the variables by which a command is told what to do.
package environ

import "fmt"

// Reader keeps what was wrong first.
type Reader struct {
	Getenv  func(string) string
	Problem error
}

// Wrong tells which variable is wrong, and what it must be.
func (r *Reader) Wrong(name, must string) {
	if r.Problem == nil {
		r.Problem = fmt.Errorf("%s is %q: it %s", name, r.Getenv(name), must)
	}
}
