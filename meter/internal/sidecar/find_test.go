package sidecar

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"evenkeel.dev/meter/internal/division"
)

func TestATargetIsFoundByItsMetersAnswerAlone(t *testing.T) {
	revision := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if revision != "" {
			w.Header().Set("Evenkeel-Revision", revision)
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	target := &division.Target{Revision: "fraud-2", HTTP: server.Listener.Addr().String()}
	for told, want := range map[string]bool{"": false, "fraud-1": false, "fraud-2": true} {
		if revision = told; find(t.Context(), target) != want {
			t.Errorf("found by %q: %v", told, !want)
		}
	}
	server.Close()
	if find(t.Context(), target) {
		t.Error("found where nobody listens")
	}
}
