package proxy

import (
	"errors"
	"net/http"
	"time"

	"evenkeel.dev/meter/internal/division"
	"evenkeel.dev/meter/internal/shadow"
	"evenkeel.dev/meter/internal/upstream"
)

// awayPatience is how long a connection to another revision may take before the own model server is asked.
const awayPatience = time.Second

// awayPause is how long it is not tried again then: where packets are dropped each try would take that long.
const awayPause = time.Second

// divide finds out whether another revision answers a request, or gets a copy of it. What has been passed on already
// stays here, so that nothing goes in circles.
func (c *call) divide() {
	if !c.counted || c.proxy.Division == nil || passedOn(c.in.Header) {
		return
	}
	now := c.proxy.Division.Now()
	if now.Share != nil {
		if result := c.share(now.Share); result != "" {
			c.proxy.Division.Count(&now.Share.Target, result)
		}
	}
	if now.Mirror == nil || c.away != nil || !now.Mirror.Chosen() {
		return
	}
	if !c.proxy.Division.Reached(&now.Mirror.Target) {
		c.proxy.Shadows.Skip(&now.Mirror.Target, shadow.Unreached)
		return
	}
	c.shadow = &now.Mirror.Target
}

func passedOn(header http.Header) bool {
	return header.Get(division.ShadowHeader) != "" || header.Get(division.DividedHeader) != ""
}

// share has a request answered by another revision if its value is in the share. It gives why it is not.
func (c *call) share(with *division.Share) string {
	value := c.in.Header.Get(with.Header)
	switch {
	case value == "":
		return division.Unkeyed
	case !with.Has(value) || with.Address(c.proxy.grpc) == "":
		return division.Kept
	case !c.proxy.Division.Reached(&with.Target):
		return division.Fallback
	}
	// It is the other revision's meter that counts it.
	c.away, c.counted = &with.Target, false
	return ""
}

// pass sends a request to the other revision, and brings it back if that gets nothing of it.
func (c *call) pass(r *http.Request) (*http.Response, error) {
	if time.Now().UnixNano() < c.proxy.awayAfter.Load() {
		c.bringBack(r)
		return nil, nil
	}
	r.URL.Host, r.Host = c.away.Address(c.proxy.grpc), ""
	r.Header.Set(division.DividedHeader, c.proxy.Revision)
	answer, err := upstream.Send(c.by(c.proxy.away), r, c.rewind)
	if errors.As(err, new(upstream.Unsent)) && c.rewind(r) {
		c.proxy.awayAfter.Store(time.Now().Add(awayPause).UnixNano())
		c.bringBack(r)
	}
	return answer, err
}

// bringBack has the own model server asked.
func (c *call) bringBack(r *http.Request) {
	c.proxy.Division.Count(c.away, division.Fallback)
	c.away, c.counted = nil, true
	c.begin()
	r.URL.Host, r.Host = c.proxy.address, c.in.Host
	r.Header.Del(division.DividedHeader)
}

// passed is what became of a request that the other revision got.
func (c *call) passed() string {
	gone := c.in.Context().Err() != nil
	switch a := c.answer; {
	case a == nil && (gone || c.code == clientClosed || c.code == http.StatusBadRequest),
		a != nil && gone && a.whole.IsZero():
		return division.Unfinished
	case a == nil && c.code != http.StatusSwitchingProtocols, a != nil && a.broken != nil:
		return division.Broken
	}
	return division.Passed
}

// tell puts into an answer's header where it comes from. Another revision's meter has told already.
func (c *call) tell(header http.Header) {
	if c.away == nil {
		c.proxy.tell(header, c.in)
		return
	}
	for name, value := range map[string]string{RevisionHeader: c.away.Revision, RequestID: c.in.Header.Get(RequestID)} {
		if header.Get(name) == "" {
			header.Set(name, value)
		}
	}
}
