package exchange

import "net/http"

// Succeeded tells whether the model took the request: what it refused is no data of its own.
func (e Exchange) Succeeded() bool {
	if e.Protocol == GRPC {
		return e.Code == 0
	}
	return e.Code == http.StatusOK
}

// Failed tells whether an answer is not good, as indicators of errors have it: of HTTP one that is no success and
// leads nowhere else, be it the client's fault or the model server's.
func Failed(protocol string, code int) bool {
	if protocol == GRPC {
		return code != 0
	}
	return code < 100 || code >= 400
}
