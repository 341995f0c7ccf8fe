package proxy

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/stream"
	"evenkeel.dev/meter/internal/watch"
)

// answer is an answer's body as it passes.
type answer struct {
	io.ReadCloser
	call     *call
	response *http.Response
	// kept and tokens are nil if nobody looks.
	kept   *watch.Copy
	tokens *stream.Tokens
	// passed are the bytes so far. held: none of them goes on before all of them are here.
	passed int64
	held   bool
	// whole is when its last byte came; zero: it is not here.
	whole time.Time
	// broken is why the model server did not finish it.
	broken error
}

func (a *answer) Read(p []byte) (int, error) {
	if !a.held && 0 < a.passed && a.passed < a.response.ContentLength {
		// The rest may be long in coming. ReverseProxy only flushes answers of unknown length.
		_ = http.NewResponseController(a.call.w).Flush()
	}
	n, err := a.ReadCloser.Read(p)
	a.passed += int64(n)
	if n > 0 && a.tokens != nil {
		a.tokens.Add(p[:n], time.Now())
	}
	if n > 0 && a.kept != nil {
		a.kept.Add(p[:n])
	}
	if a.whole.IsZero() && (err == io.EOF || err == nil && a.passed == a.response.ContentLength) {
		a.whole = time.Now()
	}
	if err != nil && err != io.EOF && a.call.in.Context().Err() == nil {
		a.broken = err
	}
	if a.call.protocol != exchange.GRPC || err == nil {
		return n, err
	}
	if a.broken != nil {
		// A stream that is reset would be an internal error for the client, who may try again.
		a.trailer()
		setStatus(a.response.Trailer, a.call.lost(a.call.in.Context()), "the model server has broken off: "+a.broken.Error())
		return n, io.EOF
	}
	if err == io.EOF {
		a.signTrailer()
	}
	return n, err
}

// status is gRPC's, once the answer is over.
func (a *answer) status(client context.Context) int {
	if code := a.given(); code >= 0 {
		return code
	}
	return a.call.lost(client)
}

// given is the status that has come, -1 if none has.
func (a *answer) given() int {
	if code := exchange.Status(a.response.Trailer); code >= 0 {
		return code
	}
	return exchange.Status(a.response.Header)
}

func (a *answer) trailer() http.Header {
	if a.response.Trailer == nil {
		a.response.Trailer = http.Header{}
	}
	return a.response.Trailer
}

// sign puts a feedback token into an answer's header, for which the answer is read before that is sent. One
// whose length is not known is not: it may be a stream. Nor is one for whose copy there is no memory left.
func (c *call) sign(response *http.Response) {
	if c.proxy.Signer == nil || c.protocol == exchange.GRPC || response.StatusCode/100 != 2 ||
		response.ContentLength < 0 || response.ContentLength > c.proxy.MaxBody || c.body == nil {
		return
	}
	// The copy is what is sent, so it must be whole.
	if !c.answer.kept.Reserve(response.ContentLength) {
		return
	}
	c.answer.held = true
	_, err := io.Copy(io.Discard, c.answer)
	read, _ := c.answer.kept.Bytes()
	rest := io.Reader(bytes.NewReader(read))
	if err != nil {
		rest = io.MultiReader(rest, failing{err})
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{rest, c.answer}
	if token := c.token(); err == nil && token != "" {
		response.Header.Set(TokenHeader, token)
	}
}

// signTrailer does it where the answer's trailer comes last.
func (a *answer) signTrailer() {
	if a.call.proxy.Signer == nil || a.kept == nil || exchange.Status(a.response.Trailer) != 0 {
		return
	}
	if token := a.call.token(); token != "" {
		a.trailer().Set(TokenHeader, token)
	}
}

// token is "" where the bodies are not whole, and of streams of several messages.
func (c *call) token() (token string) {
	if c.body == nil {
		return ""
	}
	defer func() {
		// Whatever passes is somebody else's: a body that a reader fails on must not take its answer with it.
		if failure := recover(); failure != nil {
			slog.Error("an answer was not signed", "failure", failure, "path", c.in.URL.Path)
			token = ""
		}
	}()
	c.body.mu.Lock()
	defer c.body.mu.Unlock()
	size := 0
	for _, body := range []*watch.Copy{c.body.kept, c.answer.kept} {
		content, lost := body.Bytes()
		if lost != "" {
			return ""
		}
		size += len(content)
	}
	if encoded(c.in.Header) || encoded(c.header) {
		size = int(min(int64(size)*mostUnpacked, 2*c.proxy.MaxBody))
	}
	// Any number of answers may be signed at a time.
	if !c.proxy.Budget.Take(size * readingCost) {
		return ""
	}
	defer c.proxy.Budget.Give(size * readingCost)
	code := c.code
	if c.protocol == exchange.GRPC {
		code = 0
	}
	passed := watch.Passed{Exchange: c.exchange(code), Request: c.body.kept, Response: c.answer.kept}
	exchanges, err := watch.Exchanges(passed, min(c.proxy.MaxBody, int64(size)))
	if err != nil || len(exchanges) != 1 {
		return ""
	}
	return c.proxy.Signer.Token(exchanges[0])
}

const (
	// readingCost is how many bytes it takes at most to read one of a body: where its value is.
	readingCost = 4
	// mostUnpacked is how many bytes of a packed body become of one, or it is not signed.
	mostUnpacked = 32
)

func encoded(header http.Header) bool {
	return header.Get("Content-Encoding") != "" || header.Get("Grpc-Encoding") != ""
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }
