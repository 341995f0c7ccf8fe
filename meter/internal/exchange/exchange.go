// Package exchange is one request to a model server and its answer, as they have passed.
package exchange

import (
	"net/http"
	"time"
)

// Protocols by which a model server is asked.
const (
	HTTP = "http"
	GRPC = "grpc"
)

// Exchange is a request and its whole answer, copied while they passed.
//
// Request and Response are bodies without their content encoding; of gRPC one message each, without its
// frame. They must not be changed.
type Exchange struct {
	Protocol       string
	Path           string
	Code           int
	RequestHeader  http.Header
	ResponseHeader http.Header
	Request        []byte
	Response       []byte
	Began          time.Time
}

// Observer learns from exchanges, off the path of requests. It is called by one goroutine.
type Observer interface {
	Observe(Exchange)
}

// Signer gives the feedback token of an answer, from its request and response: "" for none.
//
// It is called in the path of requests, before the answer's header is sent.
type Signer interface {
	Token(Exchange) string
}
