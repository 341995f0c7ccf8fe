package config

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// WarmUp are the requests that the model server must have answered before it is ready.
type WarmUp struct {
	Path, ContentType     string
	Body                  []byte
	Requests, Concurrency int
	// Timeout is of one request.
	Timeout time.Duration
	// Strict: only 2xx counts as an answer.
	Strict bool
}

func (e *environment) warmUp() *WarmUp {
	if e.Getenv("WARM_UP_PATH") == "" {
		return nil
	}
	w := &WarmUp{
		Path:        e.path("WARM_UP_PATH"),
		ContentType: e.header("WARM_UP_CONTENT_TYPE"),
		Body:        e.body(),
		Requests:    int(e.number("WARM_UP_REQUESTS", 1, 1, 1_000_000)),
		Concurrency: int(e.number("WARM_UP_CONCURRENCY", 1, 1, 1000)),
		Timeout:     e.seconds("WARM_UP_TIMEOUT_SECONDS", 30),
	}
	switch policy := e.Getenv("WARM_UP_FAILURE_POLICY"); policy {
	case "Fail", "":
		w.Strict = true
	case "Ignore":
	default:
		e.Wrong("WARM_UP_FAILURE_POLICY", "must be Fail or Ignore")
	}
	if w.ContentType == "" {
		w.ContentType = "application/json"
	}
	return w
}

func (e *environment) body() []byte {
	file := e.Getenv("WARM_UP_BODY_FILE")
	if file == "" {
		return []byte(e.Getenv("WARM_UP_BODY"))
	}
	body, err := os.ReadFile(file)
	if err != nil && e.Problem == nil {
		var cause *os.PathError
		if errors.As(err, &cause) {
			err = cause.Err
		}
		e.Problem = fmt.Errorf("cannot read %s: %w; put the body of a request there, beside the model, "+
			"or set warmUp.body or bodyFile", file, err)
	}
	return body
}

func (e *environment) seconds(name string, otherwise float64) time.Duration {
	number := otherwise
	if value := e.Getenv(name); value != "" {
		var err error
		if number, err = strconv.ParseFloat(value, 64); err != nil || !(number > 0 && number <= 86400) {
			e.Wrong(name, "must be a number of seconds above 0 and up to 86400")
		}
	}
	return time.Duration(number * float64(time.Second))
}
