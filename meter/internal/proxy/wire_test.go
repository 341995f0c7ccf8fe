package proxy_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"testing/quick"
	"time"

	"evenkeel.dev/meter/internal/proxy"
)

func gzipped(text string) []byte {
	var made bytes.Buffer
	writer := gzip.NewWriter(&made)
	_, _ = io.WriteString(writer, text)
	_ = writer.Close()
	return made.Bytes()
}

// wire is a client's bare connection.
type wire struct {
	net.Conn
	*textproto.Reader
	t *testing.T
}

func dial(t *testing.T, url string) *wire {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return &wire{connection, textproto.NewReader(bufio.NewReader(connection)), t}
}

func (w *wire) send(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) line() string {
	w.t.Helper()
	line, err := w.ReadLine()
	if err != nil {
		w.t.Fatal(err)
	}
	return line
}

func (w *wire) answer(method string) *http.Response {
	w.t.Helper()
	answer, err := http.ReadResponse(w.R, &http.Request{Method: method})
	if err != nil {
		w.t.Fatal(err)
	}
	return answer
}

func TestConnectionsAreKept(t *testing.T) {
	var made atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			made.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	m := newMeter(t, server.Listener.Addr().String())
	client := dial(t, m.url)
	for range 20 {
		client.send("POST /score HTTP/1.1\nHost: a\nContent-Length: 2\n\n{}")
		if body := text(t, client.answer("POST")); body != "{}" {
			t.Errorf("answered %q", body)
		}
	}
	if made.Load() > 3 {
		t.Errorf("%d connections for 20 requests", made.Load())
	}
}

// pieces is a model server that tells what each of its reads has got.
func pieces(t *testing.T) (string, chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	read := make(chan string, 100)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				buffer := make([]byte, 1<<20)
				for {
					n, err := connection.Read(buffer)
					if err != nil {
						return
					}
					read <- string(buffer[:n])
					if strings.HasSuffix(string(buffer[:n]), "end") {
						fmt.Fprint(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					}
				}
			}()
		}
	}()
	return listener.Addr().String(), read
}

func TestWhatHasComeGoesOnInOnePiece(t *testing.T) {
	address, read := pieces(t)
	m := newMeter(t, address)
	client := dial(t, m.url)
	for _, size := range []int{3, 3000, 10_000} {
		body := strings.Repeat("x", size-3) + "end"
		for range 20 {
			client.send(fmt.Sprintf("POST /score HTTP/1.1\nHost: a\nContent-Length: %d\n\n%s", size, body))
			if answered := text(t, client.answer("POST")); answered != "ok" {
				t.Fatalf("answered %q", answered)
			}
			if piece := <-read; !strings.HasSuffix(piece, "\r\n\r\n"+body) {
				t.Fatalf("of %d bytes the model server first got %d", size, len(piece))
			}
		}
	}
	m.settle()
	if len(m.exchanges) != 60 || len(m.exchanges[59].Request) != 10_000 {
		t.Errorf("observed %d", len(m.exchanges))
	}
}

func TestABodyThatIsOnItsWayIsNotWaitedFor(t *testing.T) {
	address, read := pieces(t)
	m := newMeter(t, address)
	client := dial(t, m.url)
	// What is behind the first request's header is more than the second one announces, and not its own.
	client.send("POST /score HTTP/1.1\nHost: a\nContent-Length: 11\n\n" +
		"\n\n\n\nendPOST /score HTTP/1.1\nHost: a\nContent-Length: 6\n\nabc")
	for got := ""; !strings.HasSuffix(got, "abc"); {
		got += <-read
	}
	client.send("end")
	for range 2 {
		if answered := text(t, client.answer("POST")); answered != "ok" {
			t.Errorf("answered %q", answered)
		}
	}
}

// The end of a body that came late is no header's, whatever it says.
func TestABodyIsNotWaitedForBecauseOfTheOneBefore(t *testing.T) {
	address, read := pieces(t)
	m := newMeter(t, address)
	client := dial(t, m.url)
	client.send("POST /score HTTP/1.1\nHost: a\nContent-Length: 103\n\n")
	for got := ""; !strings.HasSuffix(got, "\r\n\r\n"); {
		got += <-read
	}
	client.send("\n\n" + strings.Repeat("x", 96) + "end" +
		"POST /score HTTP/1.1\nHost: a\nContent-Length: 6\n\nabc")
	for got := ""; !strings.HasSuffix(got, "abc"); {
		select {
		case piece := <-read:
			got += piece
		case <-time.After(10 * time.Second):
			t.Fatal("the second request waits for its body")
		}
	}
	client.send("end")
	for range 2 {
		if answered := text(t, client.answer("POST")); answered != "ok" {
			t.Errorf("answered %q", answered)
		}
	}
}

// However a client's bytes are cut, and whatever its bodies say, the model server gets the same requests.
func TestCutsDoNotMatter(t *testing.T) {
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprintf(w, "%s %s", r.URL.Path, body)
	}))
	client := dial(t, m.url)
	property := func(sizes [3]uint16, cuts []uint16) bool {
		sent, want := "", []string{}
		for i, size := range sizes {
			body := strings.Repeat("\r\n\r\nPOST /", int(size%20000)/10+1)[:size%20000]
			sent += fmt.Sprintf("POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", i, len(body), body)
			want = append(want, body)
		}
		for _, cut := range cuts[:min(len(cuts), 5)] {
			n := min(int(cut), len(sent))
			_, _ = io.WriteString(client, sent[:n])
			sent = sent[n:]
		}
		_, _ = io.WriteString(client, sent)
		for i, body := range want {
			if text(t, client.answer("POST")) != fmt.Sprintf("/%d %s", i, body) {
				return false
			}
		}
		return true
	}
	if err := quick.Check(property, &quick.Config{MaxCount: 200}); err != nil {
		t.Error(err)
	}
}

// A model server that closes connections after each answer, and does not say so, as one does whose time for idle
// connections is over. Each request comes just then. None fails, and the model server gets none twice.
func TestNoRequestFailsForAConnectionThatIsClosed(t *testing.T) {
	var got atomic.Int64
	address, closed := leaving(t, &got)
	m := newMeter(t, address)
	large := strings.Repeat("x", 200_000)
	for i := range 500 {
		want := "small"
		if i%10 == 9 {
			want = large
		}
		if answer, body := post(t, m.url+infer, want); answer.StatusCode != http.StatusOK || body != want {
			t.Fatalf("request %d was answered %d %.100q", i, answer.StatusCode, body)
		}
		<-closed
	}
	m.settle()
	if got.Load() != 500 {
		t.Errorf("the model server got %d requests", got.Load())
	}
}

// The same while a request has its connection already, but nothing of it is written: the model server got nothing,
// whoever is first to see that.
func TestNoRequestFailsForAConnectionThatIsClosedAsItIsTaken(t *testing.T) {
	var got atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Add(1)
		echo(w, r)
	}))
	defer server.Close()
	m := newMeter(t, server.Listener.Addr().String())
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.proxy.ServeHTTP(w, r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			GotConn: func(of httptrace.GotConnInfo) {
				if of.Reused {
					server.CloseClientConnections()
				}
			},
		})))
	}))
	defer front.Close()
	for i := range 200 {
		if answer, body := post(t, front.URL+infer, "small"); answer.StatusCode != http.StatusOK || body != "small" {
			t.Fatalf("request %d was answered %d %q", i, answer.StatusCode, body)
		}
	}
	m.settle()
	if got.Load() != 200 {
		t.Errorf("the model server got %d requests", got.Load())
	}
}

// leaving is a model server that closes each connection after its first answer.
func leaving(t *testing.T, got *atomic.Int64) (address string, closed chan struct{}) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	closed = make(chan struct{}, 1000)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				request, err := http.ReadRequest(bufio.NewReader(connection))
				if err != nil {
					return
				}
				got.Add(1)
				body, _ := io.ReadAll(request.Body)
				fmt.Fprintf(connection, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
				connection.Close()
				closed <- struct{}{}
			}()
		}
	}()
	return listener.Addr().String(), closed
}

func TestTheServerDecidesAboutExpectedBodies(t *testing.T) {
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		echo(w, r)
	}))
	const head = "POST /score HTTP/1.1\nHost: a\nContent-Length: 3\nExpect: 100-continue\n"
	client := dial(t, m.url)
	client.send(head + "\n")
	if answer := client.answer("POST"); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("answered %s", answer.Status)
	}
	client = dial(t, m.url)
	client.send(head + "Authorization: me\n\n")
	if line := client.line(); line != "HTTP/1.1 100 Continue" {
		t.Errorf("answered %s", line)
	}
	client.line()
	client.send("abc")
	if body := text(t, client.answer("POST")); body != "abc" {
		t.Errorf("answered %q", body)
	}
}

func TestChunksAndTrailersPassBothWays(t *testing.T) {
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Sum")
		echo(w, r)
		w.Header().Set("Sum", r.Trailer.Get("Sum"))
	}))
	client := dial(t, m.url)
	client.send("POST /score HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nTrailer: Sum\n\n3\nabc\n2\nde\n0\nSum: 5\n\n")
	answer := client.answer("POST")
	if body := text(t, answer); body != "abcde" || answer.Trailer.Get("Sum") != "5" {
		t.Errorf("answered %q %v", body, answer.Trailer)
	}
	m.settle()
	if len(m.exchanges) != 1 || string(m.exchanges[0].Request) != "abcde" {
		t.Errorf("observed %v", m.exchanges)
	}
}

func TestChunksComeAndGoAtTheSameTime(t *testing.T) {
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintln(w, lines.Text())
			_ = control.Flush()
		}
	}))
	client := dial(t, m.url)
	client.send("POST /score HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n")
	client.send("5\nabc\n\n")
	answer := client.answer("POST")
	lines := bufio.NewScanner(answer.Body)
	for _, want := range []string{"abc", "def"} {
		if !lines.Scan() || strings.TrimSpace(lines.Text()) != want {
			t.Fatalf("answered %q", lines.Text())
		}
		if want == "abc" {
			client.send("5\ndef\n\n")
		}
	}
	client.send("0\n\n")
	for lines.Scan() {
	}
	if lines.Err() != nil {
		t.Error(lines.Err())
	}
}

func TestAnEarlyAnswerDoesNotWaitForTheBody(t *testing.T) {
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}))
	client := dial(t, m.url)
	client.send("POST /score HTTP/1.1\nHost: a\nContent-Length: 100000000\n\nabc")
	if answer := client.answer("POST"); answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("answered %s", answer.Status)
	}
	client.Close()
	m.settle()
	if m.counted("http", "413") != 1 {
		t.Error("it is not counted")
	}
}

func TestAnAnswerMayEndWithItsConnection(t *testing.T) {
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		// A connection that is closed with bytes unread is reset, and the answer may be lost.
		_, _ = io.Copy(io.Discard, r.Body)
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(connection, "HTTP/1.0 200 OK\r\n\r\nabc")
		connection.Close()
	}))
	if _, body := post(t, m.url+infer, "{}"); body != "abc" {
		t.Errorf("answered %q", body)
	}
}

func TestAnswersToHeadHaveALengthAndNoBody(t *testing.T) {
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "77") }))
	client := dial(t, m.url)
	for range 2 {
		client.send("HEAD / HTTP/1.1\nHost: a\n\n")
		if answer := client.answer("HEAD"); answer.ContentLength != 77 {
			t.Errorf("answered %v", answer)
		}
	}
}

func TestConnectionsAreUpgraded(t *testing.T) {
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		connection, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer connection.Close()
		fmt.Fprintf(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
		_, _ = io.Copy(connection, buffer)
	}))
	client := dial(t, m.url)
	client.send("GET /ws HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket\n\n")
	if answer := client.answer("GET"); answer.StatusCode != 101 || answer.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("answered %v", answer)
	}
	client.send("ping\n")
	if line := client.line(); line != "ping" {
		t.Errorf("answered %q", line)
	}
}

func TestAnUpgradeToHTTP2IsDeclined(t *testing.T) {
	var upgrade string
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		upgrade = r.Header.Get("Upgrade")
		echo(w, r)
	}))
	client := dial(t, m.url)
	client.send("POST /score HTTP/1.1\nHost: a\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__\nContent-Length: 2\n\n{}")
	if body := text(t, client.answer("POST")); body != "{}" || upgrade != "" {
		t.Errorf("answered %q, the model server got %q", body, upgrade)
	}
}

func TestABrokenRequestIsTheClientsFault(t *testing.T) {
	began := make(chan struct{}, 2)
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		echo(w, r)
	}))
	client := dial(t, m.url)
	client.send("POST /score HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\nnonsense\n")
	if answer := client.answer("POST"); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("answered %s", answer.Status)
	}
	client = dial(t, m.url)
	client.send("POST /score HTTP/1.1\nHost: a\nContent-Length: 9\n\nabc")
	<-began
	<-began
	client.Close()
	m.settle()
	if m.counted("http", "400") != 1 || m.counted("http", "499") != 1 {
		t.Errorf("counted %v and %v", m.counted("http", "400"), m.counted("http", "499"))
	}
}

func TestConnectionsAreUpgradedWhileDraining(t *testing.T) {
	address := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer connection.Close()
		fmt.Fprint(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	})
	m := newMeter(t, address, func(o *proxy.Options) { o.Draining = func() bool { return true } })
	client := dial(t, m.url)
	client.send("GET /ws HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket\n\n")
	if answer := client.answer("GET"); answer.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("answered %s", answer.Status)
	}
}

// The answer is over for its client before the request is, which the client may have stopped.
func TestAnEarlyAnswerEndsThoughTheRequestDoesNot(t *testing.T) {
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, "too large")
	}))
	for _, framed := range []string{"Content-Length: 100000000", "Content-Length: 100", "Transfer-Encoding: chunked"} {
		client := dial(t, m.url)
		_ = client.SetReadDeadline(time.Now().Add(10 * time.Second))
		client.send("POST /score HTTP/1.1\nHost: a\n" + framed + "\n\n3\nabc\n")
		if body := text(t, client.answer("POST")); body != "too large" {
			t.Errorf("%s: answered %q", framed, body)
		}
		client.Close()
	}
	m.settle()
}

// Of an answer whose length is known, too, the client gets what is there.
func TestTheBeginningOfAnAnswerDoesNotWaitForItsEnd(t *testing.T) {
	read := make(chan struct{})
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "6")
		_, _ = io.WriteString(w, "abc")
		_ = http.NewResponseController(w).Flush()
		<-read
		_, _ = io.WriteString(w, "def")
	}))
	client := dial(t, m.url)
	_ = client.SetReadDeadline(time.Now().Add(10 * time.Second))
	client.send("POST /score HTTP/1.1\nHost: a\nContent-Length: 2\n\n{}")
	answer, err := http.ReadResponse(client.R, &http.Request{Method: "POST"})
	if err == nil {
		_, err = io.ReadFull(answer.Body, make([]byte, 3))
	}
	close(read)
	if err != nil {
		t.Fatal(err)
	}
	if rest := text(t, answer); rest != "def" {
		t.Errorf("then came %q", rest)
	}
}

// A model server that refuses a body and closes its connection, as one does that does not read what it does not want.
// What it has said before is there to be read, though nothing can be written any more.
func TestARefusalIsNotLostForABodyThatNobodyReads(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(connection)); err == nil {
				fmt.Fprint(connection, "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge")
			}
			connection.Close()
		}
	}()
	m := newMeter(t, listener.Addr().String())
	for range 100 {
		client := dial(t, m.url)
		go fmt.Fprintf(client, "POST /score HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n%s", strings.Repeat("x", 3_000_000))
		answer := client.answer("POST")
		if body, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusRequestEntityTooLarge || string(body) != "large" {
			t.Fatalf("answered %s %q", answer.Status, body)
		}
		client.Close()
	}
	m.settle()
}
