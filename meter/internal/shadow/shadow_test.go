package shadow

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"evenkeel.dev/meter/internal/division"
	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/wait"
	"evenkeel.dev/meter/internal/watch"
)

const (
	budget  = 1 << 20
	maxBody = 64 << 10
	label   = `{"predictions": ["yes"]}`
)

type tested struct {
	*Shadows
	t *testing.T
}

func newShadows(t *testing.T, patience time.Duration) *tested {
	t.Helper()
	s := New(Options{
		Revision: "fraud-1", MaxBody: maxBody, Budget: watch.NewBudget(budget), Tolerance: 1e-6, Patience: patience,
	}, prometheus.NewRegistry())
	s.Use(&division.Division{Mirror: &division.Mirror{Target: *to("")}})
	t.Cleanup(s.Close)
	return &tested{s, t}
}

func to(address string) *division.Target { return &division.Target{Revision: "fraud-2", HTTP: address} }

// settle waits until as many requests are counted. No body may be held then.
func (s *tested) settle(requests int) {
	s.t.Helper()
	wait.Until(s.t, func() bool {
		done := testutil.ToFloat64(s.metrics.counts.pairs)
		for _, skipped := range s.metrics.counts.skipped {
			done += testutil.ToFloat64(skipped)
		}
		return done == float64(requests) && s.Budget.Left() == budget
	})
}

func (s *tested) skipped(reason string) float64 {
	return testutil.ToFloat64(s.metrics.counts.skipped[reason])
}

func (s *tested) pairs() float64 { return testutil.ToFloat64(s.metrics.counts.pairs) }

func (s *tested) worse(side string) float64 {
	return testutil.ToFloat64(s.metrics.counts.errors[side])
}

func body(text string) *watch.Copy {
	made := watch.NewCopy(watch.NewBudget(1<<30), 1<<30)
	made.Adopt([]byte(text))
	return made
}

func own(address, answer string) Own {
	return Own{
		To: to(address), Method: http.MethodPost, URL: &url.URL{Path: "/score"}, Request: body(`{"instances": [1]}`), Response: body(answer),
		Exchange: exchange.Exchange{
			Protocol: exchange.HTTP, Path: "/score", Code: 200, RequestHeader: http.Header{"Content-Type": {"application/json"}},
			ResponseHeader: http.Header{"Content-Type": {"application/json"}},
		},
	}
}

func server(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	made := httptest.NewServer(handler)
	t.Cleanup(func() {
		made.CloseClientConnections()
		made.Close()
	})
	return made.Listener.Addr().String()
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func TestACopyIsSentAsTheRequestHasCome(t *testing.T) {
	type asked struct {
		*http.Request
		body string
	}
	got := make(chan asked, 1)
	address := server(t, func(_ http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		got <- asked{r, string(content)}
	})
	s := newShadows(t, 0)
	one := own(address, label)
	one.URL, _ = url.Parse("/a%2Fb//c?x=1;y=%zz&z")
	for name, value := range map[string]string{
		"Connection": "Keep-Alive, X-Hop", "X-Hop": "1", "Keep-Alive": "5", "Te": "trailers", "Expect": "100-continue",
		"Upgrade": "h2c", "X-User-Id": "alice", "X-Request-Id": "7", "Accept-Encoding": "br",
	} {
		one.Exchange.RequestHeader.Set(name, value)
	}
	s.Put(one)
	s.settle(1)
	r := <-got
	if r.Method != "POST" || r.RequestURI != "/a%2Fb//c?x=1;y=%zz&z" || r.Host != address || r.body != `{"instances": [1]}` ||
		r.ContentLength != int64(len(r.body)) {
		t.Errorf("sent %+v", r)
	}
	for name, want := range map[string]string{
		"X-Hop": "", "Keep-Alive": "", "Te": "", "Expect": "", "Upgrade": "", "Connection": "", "X-User-Id": "alice",
		"X-Request-Id": "7", "Accept-Encoding": "br", "Content-Type": "application/json", division.ShadowHeader: "fraud-1",
	} {
		if r.Header.Get(name) != want {
			t.Errorf("%s is %q", name, r.Header.Get(name))
		}
	}
	if one.Exchange.RequestHeader.Get("X-Hop") != "1" || one.Exchange.RequestHeader.Get(division.ShadowHeader) != "" {
		t.Error("the own request was changed")
	}
}

func TestPairsAreCountedByTheirOutcomes(t *testing.T) {
	code := atomic.Int64{}
	address := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(code.Load()))
		_, _ = io.WriteString(w, `{"predictions": ["no"]}`)
	})
	for _, one := range []struct {
		own, shadow                     int
		compared, worseOwn, worseShadow float64
	}{
		{200, 200, 1, 0, 0}, {200, 500, 0, 0, 1}, {200, 404, 0, 0, 1}, {502, 200, 0, 1, 0}, {503, 500, 0, 0, 0},
		{400, 422, 0, 0, 0}, {200, 302, 0, 0, 0},
	} {
		s := newShadows(t, 0)
		code.Store(int64(one.shadow))
		pair := own(address, label)
		pair.Exchange.Code = one.own
		s.Put(pair)
		s.settle(1)
		c := s.metrics.counts
		if s.pairs() != 1 || testutil.ToFloat64(c.equal) != one.compared || testutil.ToFloat64(c.disagreed) != one.compared ||
			s.worse(ownSide) != one.worseOwn || s.worse(shadowSide) != one.worseShadow {
			t.Errorf("%+v: pairs %v, compared %v, disagreed %v, worse %v and %v", one, s.pairs(),
				testutil.ToFloat64(c.equal), testutil.ToFloat64(c.disagreed), s.worse(ownSide), s.worse(shadowSide))
		}
	}
}

// raw answers each connection by what is written to it, once a request's header has come.
func raw(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			made, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer made.Close()
				lines := bufio.NewReader(made)
				for line, err := "", error(nil); line != "\r\n"; {
					if line, err = lines.ReadString('\n'); err != nil {
						return
					}
				}
				answer(made)
			}()
		}
	}()
	return listener.Addr().String()
}

// flood writes until the other end is gone.
func flood(to net.Conn, head, what string) {
	_, _ = io.WriteString(to, head)
	for {
		if _, err := io.WriteString(to, what); err != nil {
			return
		}
	}
}

func hang(to net.Conn) { _, _ = io.Copy(io.Discard, to) }

func reset(to net.Conn) { _ = to.(*net.TCPConn).SetLinger(0) }

const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

func TestAHostileShadowHarmsNobody(t *testing.T) {
	kilobyte := strings.Repeat("x", 1024)
	for name, one := range map[string]struct {
		answer func(net.Conn)
		// reason is that of no pair; "": it is one that the shadow failed.
		reason string
	}{
		"hangs":            {hang, ""},
		"hangs later":      {func(c net.Conn) { _, _ = io.WriteString(c, head+"Content-Length: 9\r\n\r\n{"); hang(c) }, ""},
		"resets":           {reset, ""},
		"resets later":     {func(c net.Conn) { _, _ = io.WriteString(c, head+"Content-Length: 9\r\n\r\n{"); reset(c) }, ""},
		"closes":           {func(net.Conn) {}, ""},
		"closes early":     {func(c net.Conn) { _, _ = io.WriteString(c, head+"Content-Length: 9\r\n\r\n{}") }, ""},
		"breaks chunks":    {func(c net.Conn) { _, _ = io.WriteString(c, head+"Transfer-Encoding: chunked\r\n\r\nzz\r\n") }, ""},
		"speaks otherwise": {func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-x\r\n") }, ""},
		"switches":         {func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n"); hang(c) }, ""},
		"large header":     {func(c net.Conn) { flood(c, head, "X-Much: "+kilobyte+"\r\n") }, ""},
		"endless line":     {func(c net.Conn) { flood(c, head+"X-Much: ", kilobyte) }, ""},
		"endless 1xx":      {func(c net.Conn) { flood(c, "", "HTTP/1.1 103 Early Hints\r\n\r\n") }, ""},
		"endless":          {func(c net.Conn) { flood(c, head+"\r\n", kilobyte) }, TooLarge},
		"gigabytes":        {func(c net.Conn) { flood(c, head+"Content-Length: 9999999999\r\n\r\n", kilobyte) }, TooLarge},
		"endless chunks":   {func(c net.Conn) { flood(c, head+"Transfer-Encoding: chunked\r\n\r\n", "400\r\n"+kilobyte+"\r\n") }, TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShadows(t, 2*time.Second)
			address := raw(t, one.answer)
			for range 5 {
				s.Put(own(address, label))
			}
			s.settle(5)
			if one.reason != "" && s.skipped(one.reason) != 5 || one.reason == "" && s.worse(shadowSide) != 5 {
				t.Errorf("%v pairs, %v worse, %v too large", s.pairs(), s.worse(shadowSide), s.skipped(TooLarge))
			}
		})
	}
}

// call is one of gRPC, whose message and answer are empty.
func call(address string) Own {
	made := own(address, "\x00\x00\x00\x00\x00")
	made.Request, made.HTTP2 = body("\x00\x00\x00\x00\x00"), true
	made.Exchange.Protocol, made.Exchange.Code = exchange.GRPC, 0
	made.Exchange.Path, made.URL.Path = "/inference.GRPCInferenceService/ModelInfer", "/inference.GRPCInferenceService/ModelInfer"
	made.Exchange.RequestHeader = http.Header{"Content-Type": {"application/grpc"}}
	return made
}

func TestAHostileShadowOfCallsHarmsNobody(t *testing.T) {
	for name, answer := range map[string]func(net.Conn){
		"hangs": hang, "resets": reset, "closes": func(net.Conn) {},
		"speaks otherwise": func(c net.Conn) { _, _ = io.WriteString(c, head+"Content-Length: 0\r\n\r\n"); hang(c) },
		"floods":           func(c net.Conn) { flood(c, "", strings.Repeat("\x00", 9000)) },
		"opens and hangs":  func(c net.Conn) { _, _ = io.WriteString(c, "\x00\x00\x00\x04\x00\x00\x00\x00\x00"); hang(c) },
		"endless settings": func(c net.Conn) { flood(c, "", "\x00\x00\x00\x04\x00\x00\x00\x00\x00") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShadows(t, 2*time.Second)
			address := raw(t, answer)
			for range 5 {
				s.Put(call(address))
			}
			s.settle(5)
			if s.worse(shadowSide) != 5 {
				t.Errorf("%v pairs, %v worse", s.pairs(), s.worse(shadowSide))
			}
		})
	}
}

func TestCallsAreSentByHTTP2(t *testing.T) {
	var got atomic.Pointer[http.Request]
	kilobyte := make([]byte, 1024)
	made := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		got.Store(r)
		w.Header().Set("Content-Type", "application/grpc")
		switch r.Header.Get("Way") {
		case "endless":
			for {
				if _, err := w.Write(kilobyte); err != nil {
					return
				}
			}
		case "good":
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
			_, _ = w.Write(make([]byte, 5))
		case "refused":
			w.Header().Set("Grpc-Status", "8")
		}
	}))
	made.Config.Protocols = &http.Protocols{}
	made.Config.Protocols.SetUnencryptedHTTP2(true)
	made.Start()
	defer made.Close()
	s := newShadows(t, 0)
	for i, one := range []struct {
		way                 string
		pairs, worse, large float64
	}{{"good", 1, 0, 0}, {"refused", 2, 1, 0}, {"without a status", 3, 2, 0}, {"endless", 3, 2, 1}, {"good", 4, 2, 1}} {
		asked := call(made.Listener.Addr().String())
		asked.Exchange.RequestHeader.Set("Way", one.way)
		s.Put(asked)
		s.settle(i + 1)
		if s.pairs() != one.pairs || s.worse(shadowSide) != one.worse || s.skipped(TooLarge) != one.large {
			t.Errorf("%s: %v pairs, %v worse, %v too large", one.way, s.pairs(), s.worse(shadowSide), s.skipped(TooLarge))
		}
	}
	if r := got.Load(); r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" || r.Header.Get(division.ShadowHeader) != "fraud-1" {
		t.Errorf("sent %+v", r)
	}
}

func TestAShadowThatNobodyServesHasFailed(t *testing.T) {
	s := newShadows(t, 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	s.Put(own(listener.Addr().String(), label))
	s.settle(1)
	if s.worse(shadowSide) != 1 {
		t.Error("it is not counted")
	}
}

func TestAnAnswerOfAnotherKindDiffers(t *testing.T) {
	for _, text := range []string{"<html>", "", "[", strings.Repeat("[", 60_000), "\x00\xff", `{"detail": "ok"}`} {
		s := newShadows(t, 0)
		s.Put(own(server(t, says(text)), label))
		s.settle(1)
		if testutil.ToFloat64(s.metrics.counts.disagreed) != 1 {
			t.Errorf("%.20q does not differ", text)
		}
	}
}

func TestNobodyWaitsForShadowsAndTheyAreBounded(t *testing.T) {
	now, most, free := atomic.Int64{}, atomic.Int64{}, make(chan struct{})
	address := server(t, func(w http.ResponseWriter, r *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		<-free
		_, _ = io.WriteString(w, label)
	})
	s := newShadows(t, 0)
	const requests = 2 * (inFlight + waiting)
	for range requests {
		s.Put(own(address, label))
	}
	wait.Until(t, func() bool { return now.Load() == inFlight })
	close(free)
	s.settle(requests)
	if busy := s.skipped(Busy); busy < requests-inFlight-waiting || busy > requests-waiting || most.Load() != inFlight {
		t.Errorf("%v of %d are skipped, %d were on their way at once", busy, requests, most.Load())
	}
}

func TestShadowsHoldNoMoreThanTheirBudget(t *testing.T) {
	free := make(chan struct{})
	address := server(t, func(w http.ResponseWriter, _ *http.Request) {
		<-free
		_, _ = io.WriteString(w, label)
	})
	s := newShadows(t, 0)
	large := own(address, label)
	large.Request = body(strings.Repeat("x", maxBody))
	for range 2 * budget / maxBody {
		s.Put(large)
	}
	if left := s.Budget.Left(); left < 0 || left >= maxBody {
		t.Errorf("%d bytes are left", left)
	}
	close(free)
	s.settle(2 * budget / maxBody)
	// What is left for the last answers may be less than they have.
	if n := s.skipped(Budget); n < budget/maxBody {
		t.Errorf("%v are skipped", n)
	}
	large.Request = body(strings.Repeat("x", maxBody+1))
	s.Put(large)
	s.settle(2*budget/maxBody + 1)
	header := own(address, label)
	header.Exchange.RequestHeader.Set("Large", strings.Repeat("x", budget))
	before := s.skipped(Budget)
	s.Put(header)
	s.settle(2*budget/maxBody + 2)
	if s.skipped(Budget) != before+1 {
		t.Error("a header that is too large was kept")
	}
	if s.skipped(TooLarge) != 1 {
		t.Error("one that is too large was sent")
	}
}

func TestTheEndGivesUpWhatIsOnItsWay(t *testing.T) {
	var asked atomic.Int64
	address := raw(t, func(c net.Conn) {
		asked.Add(1)
		hang(c)
	})
	s := newShadows(t, time.Hour)
	for range 2 * inFlight {
		s.Put(own(address, label))
	}
	wait.Until(t, func() bool { return asked.Load() == inFlight })
	s.Close()
	s.Put(own(address, label))
	s.settle(2*inFlight + 1)
	if n := s.skipped(Shutdown); n != 2*inFlight+1 {
		t.Errorf("%v are given up", n)
	}
}

func TestWhatCannotBeSentIsTold(t *testing.T) {
	s := newShadows(t, time.Second)
	alone := own("127.0.0.1:1", label)
	alone.GRPC = true
	s.Put(alone)
	slow := own("127.0.0.1:1", label)
	slow.Took = time.Second
	s.Put(slow)
	s.settle(2)
	if s.skipped(Protocol) != 1 || s.skipped(TooSlow) != 1 {
		t.Errorf("%v, %v", s.skipped(Protocol), s.skipped(TooSlow))
	}
}

func TestConnectionsAreKept(t *testing.T) {
	var made atomic.Int64
	handler := httptest.NewUnstartedServer(says(label))
	handler.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			made.Add(1)
		}
	}
	handler.Start()
	defer handler.Close()
	s := newShadows(t, 0)
	for i := range 50 {
		s.Put(own(handler.Listener.Addr().String(), label))
		s.settle(i + 1)
	}
	if made.Load() > 5 || s.worse(shadowSide) != 0 {
		t.Errorf("%d connections for 50 requests", made.Load())
	}
}

func TestOnlyDiscordantSlowPairsAreCounted(t *testing.T) {
	second := time.Second
	for _, one := range []struct {
		name        string
		own, shadow outcome
		want        string
	}{
		{"alike", outcome{took: second / 5}, outcome{took: second / 4}, ""},
		{"shadow", outcome{took: second / 5}, outcome{took: 2 * second}, "0.25 shadow, 0.5 shadow, 1 shadow"},
		{"own", outcome{took: 6 * second}, outcome{took: 2 * second}, "2.5 own, 5 own"},
		{"at the bound", outcome{took: second}, outcome{took: second + 1}, "1 shadow"},
		{"failed fast", outcome{took: second}, outcome{failed: true}, ""},
		{"own failed", outcome{failed: true}, outcome{took: second}, ""},
		{"given up", outcome{took: 20 * second}, outcome{failed: true, late: true, took: 60 * second}, "30 shadow"},
	} {
		s := newShadows(t, 0)
		s.metrics.counts.pair(one.own, one.shadow)
		var found []string
		for _, side := range sides {
			for i, counter := range s.metrics.counts.slow[side] {
				if testutil.ToFloat64(counter) == 1 {
					found = append(found, fmt.Sprint(strings.Fields("0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 30 60")[i], " ", side))
				}
			}
		}
		if strings.Join(found, ", ") != one.want {
			t.Errorf("%s: %v", one.name, found)
		}
	}
}

func TestCountsOfAFormerRevisionGo(t *testing.T) {
	s := newShadows(t, 0)
	s.Skip(to("a"), Busy)
	s.Use(&division.Division{})
	s.Use(&division.Division{Mirror: &division.Mirror{Target: *to("b")}})
	if s.skipped(Busy) != 1 {
		t.Error("counts of the same revision went")
	}
	s.Use(&division.Division{Mirror: &division.Mirror{Target: division.Target{Revision: "fraud-3"}}})
	s.Skip(to("a"), Busy)
	if n := testutil.CollectAndCount(s.metrics.skipped); n != 9 || s.skipped(Busy) != 0 {
		t.Errorf("%d series, %v", n, s.skipped(Busy))
	}
	if n := testutil.CollectAndCount(s.metrics.slow); n != 30 {
		t.Errorf("%d series", n)
	}
}
