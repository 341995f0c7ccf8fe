package proxy

import (
	"net/http"
	"strings"
)

// isInference tells whether an HTTP request is counted: what is posted to a model is, but not what asks for its
// health, metadata or metrics, nor what loads and unloads models.
func isInference(r *http.Request) bool {
	return r.Method == http.MethodPost && !strings.HasPrefix(r.URL.Path, "/v2/repository/")
}

// isCall is the same of a gRPC method, "/service/method".
func isCall(path string) bool {
	service, method, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case strings.HasPrefix(service, "grpc.health."), strings.HasPrefix(service, "grpc.reflection."):
		return false
	case service == "inference.GRPCInferenceService":
		return method == "ModelInfer" || method == "ModelStreamInfer"
	case service == "tensorflow.serving.ModelService":
		return false
	case service == "tensorflow.serving.PredictionService":
		return method != "GetModelMetadata"
	}
	return true
}

func isGRPC(header http.Header) bool {
	return strings.HasPrefix(header.Get("Content-Type"), "application/grpc") &&
		!strings.HasPrefix(header.Get("Content-Type"), "application/grpc-web")
}

func isEventStream(header http.Header) bool {
	return strings.HasPrefix(header.Get("Content-Type"), "text/event-stream")
}
