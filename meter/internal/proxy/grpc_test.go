package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/proxy"
)

const modelInfer = "/inference.GRPCInferenceService/ModelInfer"

// raw passes messages as the bytes that they are.
type raw struct{}

func (raw) Name() string { return "raw" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer([]byte(*v.(*string)))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*string) = string(data.Materialize())
	return nil
}

// calls serves any method.
func calls(
	t *testing.T, handler func(method string, stream grpc.ServerStream) error, options ...grpc.ServerOption,
) (string, *grpc.Server) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(append(options, grpc.ForceServerCodecV2(raw{}), grpc.UnknownServiceHandler(
		func(_ any, stream grpc.ServerStream) error {
			method, _ := grpc.MethodFromServerStream(stream)
			return handler(method, stream)
		}))...)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String(), server
}

func grpcMeter(t *testing.T, address string, change ...func(*proxy.Options)) (*meter, *grpc.ClientConn) {
	t.Helper()
	m := newMeter(t, address, change...)
	client, err := grpc.NewClient(strings.TrimPrefix(m.url, "http://"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(raw{})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return m, client
}

func ask(client *grpc.ClientConn, method, text string, options ...grpc.CallOption) (string, error) {
	var answer string
	err := client.Invoke(context.Background(), method, &text, &answer, options...)
	return answer, err
}

// repeat answers each message.
func repeat(_ string, stream grpc.ServerStream) error {
	for {
		var text string
		if err := stream.RecvMsg(&text); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if text == "fail" {
			return status.Error(codes.ResourceExhausted, "too much: 100% ü")
		}
		text = "re: " + text
		if err := stream.SendMsg(&text); err != nil {
			return err
		}
	}
}

func TestCallsPassWithMetadata(t *testing.T) {
	address, _ := calls(t, func(method string, stream grpc.ServerStream) error {
		given, _ := metadata.FromIncomingContext(stream.Context())
		_ = stream.SetHeader(metadata.Pairs("head", given.Get("mine")[0]))
		stream.SetTrailer(metadata.Pairs("tail", method))
		return repeat(method, stream)
	})
	m, client := grpcMeter(t, address)
	var header, trailer metadata.MD
	text, answer := "abc", ""
	ctx := metadata.AppendToOutgoingContext(context.Background(), "mine", "x")
	err := client.Invoke(ctx, modelInfer, &text, &answer, grpc.Header(&header), grpc.Trailer(&trailer))
	if err != nil || answer != "re: abc" {
		t.Fatalf("answered %q, %v", answer, err)
	}
	if header.Get("head")[0] != "x" || trailer.Get("tail")[0] != modelInfer || header.Get("evenkeel-revision")[0] != "fraud-1" {
		t.Errorf("metadata %v %v", header, trailer)
	}
	client.Close()
	m.settle()
	if m.counted("grpc", "0") != 1 || m.value("evenkeel_model_request_duration_seconds", "protocol", "grpc") != 1 {
		t.Error("it is not counted")
	}
	if len(m.exchanges) != 1 || string(m.exchanges[0].Request) != "abc" || string(m.exchanges[0].Response) != "re: abc" ||
		m.exchanges[0].Path != modelInfer || m.exchanges[0].Code != 0 || m.exchanges[0].Protocol != exchange.GRPC {
		t.Errorf("observed %v", m.exchanges)
	}
}

func TestStatusPassesAndIsCounted(t *testing.T) {
	address, _ := calls(t, func(method string, stream grpc.ServerStream) error {
		if method == "/any.Service/Nothing" {
			return status.Error(codes.NotFound, "no such model")
		}
		return repeat(method, stream)
	})
	m, client := grpcMeter(t, address)
	for range 50 {
		if _, err := ask(client, "/any.Service/Nothing", ""); status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), "no such model") {
			t.Fatal(err)
		}
	}
	if _, err := ask(client, "/any.Service/Call", "fail"); status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "too much: 100% ü") {
		t.Error(err)
	}
	client.Close()
	m.settle()
	if m.counted("grpc", "5") != 50 || m.counted("grpc", "8") != 1 {
		t.Errorf("counted %v and %v", m.counted("grpc", "5"), m.counted("grpc", "8"))
	}
}

func TestOnlyInferenceCallsAreCounted(t *testing.T) {
	address, _ := calls(t, repeat)
	m, client := grpcMeter(t, address)
	for _, method := range []string{
		"/grpc.health.v1.Health/Check", "/grpc.reflection.v1.ServerReflection/Get",
		"/inference.GRPCInferenceService/ServerReady", "/inference.GRPCInferenceService/ModelMetadata",
		"/tensorflow.serving.PredictionService/GetModelMetadata", "/tensorflow.serving.PredictionService/Predict",
	} {
		if _, err := ask(client, method, "x"); err != nil {
			t.Error(err)
		}
	}
	client.Close()
	m.settle()
	if m.counted("grpc", "0") != 1 {
		t.Errorf("counted %v", m.counted("grpc", "0"))
	}
}

func TestStreamsPassMessageByMessage(t *testing.T) {
	address, _ := calls(t, repeat)
	m, client := grpcMeter(t, address)
	stream, err := client.NewStream(context.Background(),
		&grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/inference.GRPCInferenceService/ModelStreamInfer")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		text, answer := fmt.Sprint(i), ""
		if err := stream.SendMsg(&text); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(&answer); err != nil || answer != "re: "+text {
			t.Fatalf("answered %q, %v", answer, err)
		}
	}
	_ = stream.CloseSend()
	var answer string
	if err := stream.RecvMsg(&answer); !errors.Is(err, io.EOF) {
		t.Errorf("ended with %v", err)
	}
	client.Close()
	m.settle()
	if len(m.exchanges) != 5 || string(m.exchanges[4].Response) != "re: 4" {
		t.Errorf("observed %v", m.exchanges)
	}
}

func TestCompressedAndLargeMessages(t *testing.T) {
	address, _ := calls(t, repeat)
	m, client := grpcMeter(t, address)
	if answer, err := ask(client, modelInfer, "abc", grpc.UseCompressor(gzip.Name)); err != nil || answer != "re: abc" {
		t.Errorf("answered %q, %v", answer, err)
	}
	large := strings.Repeat("x", 3<<20)
	if answer, err := ask(client, modelInfer, large); err != nil || len(answer) != len(large)+4 {
		t.Errorf("%d bytes, %v", len(answer), err)
	}
	client.Close()
	m.settle()
	if len(m.exchanges) != 1 || string(m.exchanges[0].Request) != "abc" || fmt.Sprint(m.uncounted) != "[too_large]" {
		t.Errorf("observed %d, %v", len(m.exchanges), m.uncounted)
	}
}

func TestACancelledCallEndsAtTheModelServer(t *testing.T) {
	began, ended := make(chan struct{}, 2), make(chan struct{}, 2)
	address, _ := calls(t, func(_ string, stream grpc.ServerStream) error {
		began <- struct{}{}
		<-stream.Context().Done()
		ended <- struct{}{}
		return stream.Context().Err()
	})
	m, client := grpcMeter(t, address)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-began
		cancel()
	}()
	text, answer := "abc", ""
	if err := client.Invoke(ctx, modelInfer, &text, &answer); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	<-ended
	ctx, cancel = context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := client.Invoke(ctx, modelInfer, &text, &answer); status.Code(err) != codes.DeadlineExceeded {
		t.Error(err)
	}
	client.Close()
	m.settle()
	if m.counted("grpc", "1") != 1 || m.counted("grpc", "4") != 1 {
		t.Errorf("counted %v and %v", m.counted("grpc", "1"), m.counted("grpc", "4"))
	}
}

func TestAGRPCServerThatIsNotThereOrDies(t *testing.T) {
	began := make(chan struct{})
	address, server := calls(t, func(_ string, stream grpc.ServerStream) error {
		text := "half"
		_ = stream.SendMsg(&text)
		close(began)
		<-stream.Context().Done()
		return nil
	})
	m, client := grpcMeter(t, address)
	go func() {
		<-began
		server.Stop()
	}()
	if _, err := ask(client, modelInfer, "abc"); status.Code(err) != codes.Unavailable {
		t.Errorf("it broke off with %v", err)
	}
	if _, err := ask(client, modelInfer, "abc"); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nobody was there: %v", err)
	}
	client.Close()
	m.settle()
	if m.counted("grpc", "14") != 2 {
		t.Errorf("counted %v", m.counted("grpc", "14"))
	}
}

func TestCallsAreSignedInTheirTrailer(t *testing.T) {
	address, _ := calls(t, repeat)
	m, client := grpcMeter(t, address, func(o *proxy.Options) {
		o.Signer = signer(func(e exchange.Exchange) string { return string(e.Request) + "->" + string(e.Response) })
	})
	var trailer metadata.MD
	if answer, err := ask(client, modelInfer, "abc", grpc.Trailer(&trailer)); err != nil || answer != "re: abc" {
		t.Errorf("answered %q, %v", answer, err)
	}
	if got := trailer.Get(proxy.TokenHeader); len(got) != 1 || got[0] != "abc->re: abc" {
		t.Errorf("trailer %v", trailer)
	}
	client.Close()
	m.settle()
}

// A server that ends its connections all the time, as one does that spreads its clients.
func TestNoCallFailsForAConnectionThatEnds(t *testing.T) {
	address, _ := calls(t, repeat, grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: time.Millisecond}))
	m, client := grpcMeter(t, address)
	for i := range 500 {
		if answer, err := ask(client, modelInfer, "abc"); err != nil || answer != "re: abc" {
			t.Fatalf("call %d was answered %q, %v", i, answer, err)
		}
	}
	client.Close()
	m.settle()
}

func TestMoreCallsAtATimeThanAConnectionHas(t *testing.T) {
	var together sync.WaitGroup
	together.Add(20)
	address, _ := calls(t, func(method string, stream grpc.ServerStream) error {
		together.Done()
		together.Wait()
		return repeat(method, stream)
	}, grpc.MaxConcurrentStreams(3))
	m, client := grpcMeter(t, address)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if answer, err := ask(client, modelInfer, "abc"); err != nil || answer != "re: abc" {
				t.Errorf("answered %q, %v", answer, err)
			}
		})
	}
	all.Wait()
	client.Close()
	m.settle()
}

// All that comes to gRPC's port by HTTP/2 goes on by HTTP/2, as Connect's clients have it.
func TestTheGRPCPortKeepsHTTP2(t *testing.T) {
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	server.Config.Protocols = protocols
	server.Start()
	defer server.Close()
	m := newMeter(t, "127.0.0.1:1")
	m.server.Config.Handler = proxy.New(server.Listener.Addr().String(), true, proxy.Options{Metrics: m.metrics, Budget: m.budget, Queue: m.queue})
	client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	answer, err := client.Get(m.url)
	if err != nil {
		t.Fatal(err)
	}
	if body := text(t, answer); body != "HTTP/2.0" {
		t.Errorf("answered %q", body)
	}
	client.CloseIdleConnections()
}

// A model server that closes connections and does not say so before: each call comes just then.
func TestNoCallFailsForAConnectionThatIsClosed(t *testing.T) {
	var got atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Add(1)
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = io.Copy(w, r.Body)
		w.Header().Set("Grpc-Status", "0")
	}))
	server.Config.Protocols = &http.Protocols{}
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	defer server.Close()
	m := newMeter(t, server.Listener.Addr().String())
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	for i := range 500 {
		call, err := http.NewRequest(http.MethodPost, m.url+"/inference.GRPCInferenceService/ModelInfer", strings.NewReader("\x00\x00\x00\x00\x02ab"))
		if err != nil {
			t.Fatal(err)
		}
		call.Header.Set("Content-Type", "application/grpc")
		answer, err := client.Do(call)
		if err != nil {
			t.Fatal(err)
		}
		_ = text(t, answer)
		if answer.Trailer.Get("Grpc-Status") != "0" {
			t.Fatalf("call %d was answered %v %v", i, answer.Header, answer.Trailer)
		}
		server.CloseClientConnections()
	}
	client.CloseIdleConnections()
	m.settle()
	if got.Load() != 500 {
		t.Errorf("the model server got %d calls", got.Load())
	}
}
