package exchange

import (
	"net/http"
	"strconv"
)

// Status numbers of gRPC.
const (
	unknownStatus = 2
	mostStatus    = 16
)

// Status is gRPC's in a header or trailer, -1 if there is none.
func Status(header http.Header) int {
	value := header.Get("Grpc-Status")
	if value == "" {
		return -1
	}
	number, err := strconv.Atoi(value)
	if err != nil || number < 0 || number > mostStatus {
		return unknownStatus
	}
	return number
}
