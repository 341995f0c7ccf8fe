package sidecar

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"evenkeel.dev/meter/internal/ready"
)

func TestASlowModelServerThatHasAnsweredStaysReady(t *testing.T) {
	var slow, bad atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slow.Load() {
			<-r.Context().Done()
		}
		if bad.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	probe := readiness{
		ready.ModelServer{HTTP: address, Path: "/ready"}, nil, new(atomic.Bool), new(atomic.Bool),
	}
	ask := func() int {
		answer := httptest.NewRecorder()
		probe.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/ready", nil))
		return answer.Code
	}
	slow.Store(true)
	if code := ask(); code != http.StatusServiceUnavailable {
		t.Errorf("before its first answer it is %d", code)
	}
	slow.Store(false)
	if code := ask(); code != http.StatusOK {
		t.Errorf("answering it is %d", code)
	}
	slow.Store(true)
	if code := ask(); code != http.StatusOK {
		t.Errorf("slow after an answer it is %d", code)
	}
	slow.Store(false)
	bad.Store(true)
	if code := ask(); code != http.StatusServiceUnavailable {
		t.Errorf("refusing it is %d", code)
	}
}
