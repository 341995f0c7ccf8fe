// Package ready tells whether a model server answers.
package ready

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// patience is for one answer; probes wait no longer.
const patience = 2 * time.Second

// ModelServer is asked whether it is ready. Addresses are host:port, of which an empty one is not asked.
type ModelServer struct {
	HTTP, GRPC string
	// Path answers 2xx or 3xx once the model is loaded; empty: it is once connections are accepted.
	Path string
}

var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Problem is why it is not ready, nil if it is.
func (m ModelServer) Problem(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, address := range []string{m.HTTP, m.GRPC} {
		if address == "" || address == m.HTTP && m.Path != "" {
			continue
		}
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		connection.Close()
	}
	if m.Path == "" {
		return nil
	}
	return m.ask(ctx)
}

func (m ModelServer) ask(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.HTTP+m.Path, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode >= 400 {
		return fmt.Errorf("GET %s was answered %d", m.Path, answer.StatusCode)
	}
	return nil
}
