package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"evenkeel.dev/meter/internal/proxy"
)

const chat = "/v1/chat/completions"

// streaming answers with events, and then does something else.
func streaming(t *testing.T, then func(http.ResponseWriter, *http.Request), events ...string) string {
	t.Helper()
	return upstream(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		for _, event := range events {
			fmt.Fprintf(w, "data: %s\n\n", event)
			_ = http.NewResponseController(w).Flush()
		}
		if then != nil {
			then(w, r)
		}
	})
}

const (
	one, two = `{"choices":[{"delta":{"content":"a"}}]}`, `{"choices":[{"delta":{"content":"b"}}]}`
	stop     = `{"choices":[{"delta":{},"finish_reason":"stop"}]}`
)

func TestStreamsAreCountedByTheirEnd(t *testing.T) {
	broken := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	refused := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "data: {}\n\n")
	}
	for name, c := range map[string]struct {
		upstream func(*testing.T) string
		path     string
		end      string
		code     string
	}{
		"complete": {func(t *testing.T) string { return streaming(t, nil, one, two, stop, "[DONE]") }, chat, "done", "200"},
		"an error in it": {func(t *testing.T) string {
			return streaming(t, nil, one, `{"error":{"message":"no","code":500}}`, "[DONE]")
		}, chat, "error", "200"},
		"without its last word": {func(t *testing.T) string { return streaming(t, nil, one, two, stop) }, chat, "broken", "200"},
		"broken off":            {func(t *testing.T) string { return streaming(t, broken, one) }, "/v1/completions", "broken", "502"},
		"refused":               {func(t *testing.T) string { return upstream(t, refused) }, chat, "", "503"},
		"another API's":         {func(t *testing.T) string { return streaming(t, nil, `{"token":{}}`) }, "/generate_stream", "", "200"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, looked := range []bool{true, false} {
				m := newMeter(t, c.upstream(t), func(o *proxy.Options) { o.Looked = looked })
				answer, err := http.Post(m.url+c.path, "application/json", strings.NewReader(`{"stream":true}`))
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.ReadAll(answer.Body)
				m.settle()
				for _, end := range []string{"done", "error", "broken", "client"} {
					want := 0.0
					if end == c.end {
						want = 1
					}
					if got := m.value("evenkeel_model_streams_total", "end", end); got != want {
						t.Errorf("%v ended as %s", got, end)
					}
				}
				if m.counted("http", c.code) != 1 {
					t.Errorf("it has not the code %s", c.code)
				}
			}
		})
	}
}

func TestAClientThatLeavesAStreamIsNoFaultOfTheServer(t *testing.T) {
	ended := make(chan struct{})
	m := newMeter(t, streaming(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(ended)
	}, one, two))
	ctx, cancel := context.WithCancel(context.Background())
	request, _ := http.NewRequestWithContext(ctx, http.MethodPost, m.url+chat, strings.NewReader("{}"))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() && !strings.Contains(lines.Text(), `"b"`) {
	}
	cancel()
	<-ended
	m.settle()
	for end, want := range map[string]float64{"client": 1, "broken": 0, "error": 0, "done": 0} {
		if got := m.value("evenkeel_model_streams_total", "end", end); got != want {
			t.Errorf("%v ended as %s", got, end)
		}
	}
	if m.value("evenkeel_model_stream_chunks_total", "usage", "untold") != 2 ||
		m.value("evenkeel_model_tokens_total", "kind", "completion") != 0 {
		t.Error("chunks are not tokens")
	}
}

func TestReasonsAreBounded(t *testing.T) {
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"choices":[{"finish_reason":"whatever"},{"finish_reason":"stop"}]}`)
	}))
	post(t, m.url+chat, "{}")
	m.settle()
	for _, reason := range []string{"other", "stop"} {
		if got := m.value("evenkeel_model_finish_reasons_total", "reason", reason); got != 1 {
			t.Errorf("%v for %s", got, reason)
		}
	}
	if m.value("evenkeel_model_finish_reasons_total", "reason", "whatever") != -1 {
		t.Error("a model server makes series")
	}
}
