package sidecar

import (
	"context"
	"net/http"
	"time"

	"evenkeel.dev/meter/internal/division"
	"evenkeel.dev/meter/internal/proxy"
)

// finding is how long it may take.
const finding = time.Second

// find asks for any page at a target's address, whose meter tells its revision whatever the model server says.
func find(ctx context.Context, target *division.Target) bool {
	ctx, cancel := context.WithTimeout(ctx, finding)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+target.HTTP+"/", nil)
	if err != nil {
		return false
	}
	// A connection of its own: one that was kept may lead elsewhere.
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.Header.Get(proxy.RevisionHeader) == target.Revision
}
