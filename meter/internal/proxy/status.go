package proxy

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Status numbers of gRPC.
const (
	cancelled        = 1
	deadlineExceeded = 4
	unavailable      = 14
)

func setStatus(header http.Header, code int, message string) {
	header.Set("Grpc-Status", strconv.Itoa(code))
	header.Set("Grpc-Message", url.PathEscape(message))
}

var units = map[byte]time.Duration{
	'H': time.Hour, 'M': time.Minute, 'S': time.Second,
	'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
}

// lost is the status of a call without one: the model server ends it as well when its deadline has passed.
func (c *call) lost(client context.Context) int {
	if code := c.gaveUp(); client.Err() != nil || code == deadlineExceeded {
		return code
	}
	return unavailable
}

// gaveUp is the status of a call that its client has ended: it says so in the same way when its deadline has
// passed.
func (c *call) gaveUp() int {
	if value := c.in.Header.Get("Grpc-Timeout"); value != "" {
		unit, known := units[value[len(value)-1]]
		number, err := strconv.ParseInt(value[:len(value)-1], 10, 32)
		// The client's clock began before the call came here.
		if known && err == nil && time.Since(c.began) >= time.Duration(number)*unit*9/10 {
			return deadlineExceeded
		}
	}
	return cancelled
}
