package exchange

import "net/http"

// Succeeded tells whether the model took the request: what it refused is no data of its own.
func (e Exchange) Succeeded() bool {
	if e.Protocol == GRPC {
		return e.Code == 0
	}
	return e.Code == http.StatusOK
}
