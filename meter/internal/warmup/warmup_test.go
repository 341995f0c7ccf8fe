package warmup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"evenkeel.dev/meter/internal/config"
	"evenkeel.dev/meter/internal/ready"
	"evenkeel.dev/meter/internal/wait"
)

const loaded, infer = "/ready", "/v2/models/fraud/infer"

// modelServer answers what answer says, and keeps the bodies that it got.
type modelServer struct {
	t       *testing.T
	address string
	answer  func(path string) int

	mu     sync.Mutex
	bodies []string
	now    int
	most   int
	server *http.Server
}

func newModelServer(t *testing.T) *modelServer {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	m := &modelServer{t: t, address: listener.Addr().String(), answer: func(string) int { return 200 }}
	t.Cleanup(m.stop)
	return m
}

func (m *modelServer) start() {
	listener, err := net.Listen("tcp", m.address)
	if err != nil {
		m.t.Fatal(err)
	}
	m.server = &http.Server{Handler: m}
	go func(s *http.Server) { _ = s.Serve(listener) }(m.server)
}

func (m *modelServer) stop() {
	if m.server != nil {
		_ = m.server.Close()
	}
}

func (m *modelServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m.mu.Lock()
	m.now++
	m.most = max(m.most, m.now)
	if r.Method == http.MethodPost {
		m.bodies = append(m.bodies, r.Header.Get("Content-Type")+" "+string(body))
	}
	m.mu.Unlock()
	status := m.answer(r.URL.Path)
	m.mu.Lock()
	m.now--
	m.mu.Unlock()
	w.WriteHeader(status)
	if status >= 400 {
		_, _ = io.WriteString(w, "told why\n")
	}
}

func (m *modelServer) got() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.bodies...)
}

func wanted() config.WarmUp {
	return config.WarmUp{
		Path: infer, ContentType: "application/json", Body: []byte("{}"),
		Requests: 5, Concurrency: 1, Timeout: 10 * time.Second, Strict: true,
	}
}

func newWarmUp(m *modelServer, c config.WarmUp) *WarmUp {
	return New(c, m.address, loaded, ready.ModelServer{HTTP: m.address, Path: loaded}.Problem)
}

func run(t *testing.T, w *WarmUp) *WarmUp {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return w
}

func TestMain(m *testing.M) {
	period = 10 * time.Millisecond
	os.Exit(m.Run())
}

func TestItWaitsForTheServerAndSendsTheRequests(t *testing.T) {
	server := newModelServer(t)
	w := run(t, newWarmUp(server, wanted()))
	if w.Ready() {
		t.Error("it is ready without a server")
	}
	server.start()
	wait.Until(t, w.Ready)
	if got := server.got(); len(got) != 5 || got[0] != "application/json {}" {
		t.Errorf("got %q", got)
	}
}

func TestNothingIsSentToAModelThatIsNotLoaded(t *testing.T) {
	server := newModelServer(t)
	var isLoaded atomic.Bool
	var asked atomic.Int64
	server.answer = func(string) int {
		asked.Add(1)
		if isLoaded.Load() {
			return 200
		}
		return 503
	}
	server.start()
	c := wanted()
	c.Strict = false
	w := run(t, newWarmUp(server, c))
	wait.Until(t, func() bool { return asked.Load() >= 2 })
	if w.Ready() || len(server.got()) != 0 {
		t.Errorf("it got %v", server.got())
	}
	isLoaded.Store(true)
	wait.Until(t, w.Ready)
}

func TestARestartedServerIsWarmedUpAgain(t *testing.T) {
	server := newModelServer(t)
	server.start()
	w := run(t, newWarmUp(server, wanted()))
	wait.Until(t, w.Ready)
	release := make(chan struct{})
	server.stop()
	server.answer = func(string) int { <-release; return 200 }
	server.start()
	// However short the absence: the very next probe knows.
	if w.Ready() {
		t.Error("it is ready after a restart")
	}
	close(release)
	wait.Until(t, w.Ready)
	if got := server.got(); len(got) != 10 {
		t.Errorf("got %d", len(got))
	}
	server.stop()
	if w.Ready() {
		t.Error("it is ready without a server")
	}
}

func TestFailuresAreRepeatedUnlessTheyAreIgnored(t *testing.T) {
	for strict, want := range map[bool]int{true: 7, false: 5} {
		server := newModelServer(t)
		var number atomic.Int64
		server.answer = func(path string) int {
			if path == infer {
				if n := number.Add(1); n == 1 || n == 3 {
					return 429
				}
			}
			return 200
		}
		server.start()
		c := wanted()
		c.Strict = strict
		w := run(t, newWarmUp(server, c))
		wait.Until(t, w.Ready)
		if got := server.got(); len(got) != want {
			t.Errorf("strict %v: got %d", strict, len(got))
		}
	}
}

func TestRequestsAreSentSideBySide(t *testing.T) {
	server := newModelServer(t)
	four := make(chan struct{})
	var together atomic.Int64
	server.answer = func(path string) int {
		if path == infer {
			if together.Add(1) == 4 {
				close(four)
			}
			<-four
		}
		return 200
	}
	server.start()
	c := wanted()
	c.Requests, c.Concurrency = 8, 4
	w := run(t, newWarmUp(server, c))
	wait.Until(t, w.Ready)
	server.mu.Lock()
	defer server.mu.Unlock()
	if server.most != 4 || len(server.bodies) != 8 {
		t.Errorf("%d at a time, %d in all", server.most, len(server.bodies))
	}
}

func TestAServerThatKeepsFailingIsToldInItsOwnWords(t *testing.T) {
	before := patience
	patience = 0
	defer func() { patience = before }()
	server := newModelServer(t)
	server.answer = func(path string) int {
		if path == infer {
			return 400
		}
		return 200
	}
	server.start()
	w := newWarmUp(server, wanted())
	if err := w.Run(context.Background()); err == nil || err.Error() != "POST "+infer+" was answered 400: told why" {
		t.Errorf("told %v", err)
	}
	if w.Ready() {
		t.Error("it is ready")
	}
}

func TestARequestHasATimeout(t *testing.T) {
	server := newModelServer(t)
	release := make(chan struct{})
	server.answer = func(string) int { <-release; return 200 }
	server.start()
	c := wanted()
	c.Timeout = 50 * time.Millisecond
	var timeout net.Error
	if err := newWarmUp(server, c).ask(context.Background()); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("ended with %v", err)
	}
	close(release)
}

func TestARoundEndsWhenTheProcessIsGone(t *testing.T) {
	w := newWarmUp(newModelServer(t), wanted())
	if done, err := w.send(context.Background(), processes{"gone": true}); done || err != nil {
		t.Errorf("%v, %v", done, err)
	}
}

func TestAKernelThatShowsNoSocketsIsAskedByConnecting(t *testing.T) {
	server := newModelServer(t)
	if found := listening(server.address, []string{"/nowhere/tcp"}); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	server.start()
	if found := listening(server.address, []string{"/nowhere/tcp"}); len(found) != 1 {
		t.Errorf("found %v", found)
	}
}

// As workers do that share a port and are replaced now and then.
func TestProcessesThatComeAndGoOneByOneAreNoRestart(t *testing.T) {
	table := filepath.Join(t.TempDir(), "tcp")
	w := New(wanted(), "127.0.0.1:8080", "", func(context.Context) error { return nil })
	w.listening = func() processes { return listening("127.0.0.1:8080", []string{table}) }
	var sent []string
	for _, step := range []struct {
		inodes string
		ready  bool
	}{{"1 2", false}, {"2 3", true}, {"3 4", true}, {"5", false}, {"", false}} {
		rows := []string{"header"}
		for _, inode := range strings.Fields(step.inodes) {
			rows = append(rows, fmt.Sprintf("0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0 1000 0 %s 1", inode))
		}
		rows = append(rows, "1: 0100007F:1F91 00000000:0000 0A 0:0 00:0 0 1000 0 77 1",
			"2: 0100007F:1F90 0100007F:9999 01 0:0 00:0 0 1000 0 88 1")
		if err := os.WriteFile(table, []byte(strings.Join(rows, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if w.Ready() != step.ready {
			t.Errorf("with %q it is ready: %v", step.inodes, !step.ready)
		}
		w.config.Requests = 0
		if found := w.listening(); len(found) > 0 && !w.warm.shares(found) {
			sent = append(sent, step.inodes)
		}
		if err := w.look(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(sent) != "[1 2 5]" {
		t.Errorf("warmed up %q", sent)
	}
}
