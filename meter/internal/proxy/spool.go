package proxy

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"evenkeel.dev/meter/internal/watch"
)

var (
	errGone   = errors.New("the request's body is not kept, and cannot be sent again")
	errClosed = errors.New("the request's body is closed")
)

// spool is a request's body that can be read again from its beginning for as long as it is kept.
//
// So a request can be sent on another connection when the one that was kept alive turns out to be closed.
// Reading it does not wait for more than the client has sent.
type spool struct {
	source io.Reader
	// whole is all of it, where it was here from the start.
	whole []byte

	mu      sync.Mutex
	arrived sync.Cond
	kept    *watch.Copy
	read    int
	reading bool
	err     error
	over    bool
}

func newSpool(source io.Reader, kept *watch.Copy) *spool {
	s := &spool{source: source, kept: kept}
	s.arrived.L = &s.mu
	return s
}

// newWhole is a body that is here.
func newWhole(body []byte, kept *watch.Copy) *spool {
	kept.Adopt(body)
	s := newSpool(nil, kept)
	s.whole, s.err = body, io.EOF
	return s
}

// open reads from the beginning. The error says that this is no longer there.
func (s *spool) open() (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.whole != nil {
		return io.NopCloser(bytes.NewReader(s.whole)), nil
	}
	if _, lost := s.kept.Bytes(); s.over || lost != "" {
		return nil, errGone
	}
	return &attempt{spool: s}, nil
}

// ended tells whether all was read, and what was wrong with it.
func (s *spool) ended() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == io.EOF {
		return true, nil
	}
	return s.err != nil, s.err
}

// take ends the keeping, and gives what was kept.
func (s *spool) take() *watch.Copy {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	return s.kept
}

// attempt is one reading.
type attempt struct {
	*spool
	at     int
	closed bool
}

func (a *attempt) Read(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		switch {
		case a.closed:
			return 0, errClosed
		case a.at < a.read:
			return a.again(p)
		case a.err != nil:
			return 0, a.err
		case !a.reading:
			return a.next(p)
		}
		a.arrived.Wait()
	}
}

func (a *attempt) again(p []byte) (int, error) {
	kept, lost := a.kept.Bytes()
	if a.over || lost != "" {
		return 0, errGone
	}
	n := copy(p, kept[a.at:])
	a.at += n
	return n, nil
}

// next reads on at the source, unlocked, as it may take long.
func (a *attempt) next(p []byte) (int, error) {
	a.reading = true
	a.mu.Unlock()
	n, err := a.source.Read(p)
	a.mu.Lock()
	a.reading = false
	if !a.over {
		a.kept.Add(p[:n])
	}
	a.read += n
	a.at += n
	a.err = err
	a.arrived.Broadcast()
	return n, err
}

func (a *attempt) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	a.arrived.Broadcast()
	return nil
}
