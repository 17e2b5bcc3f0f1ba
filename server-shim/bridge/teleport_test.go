package bridge

import (
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/plugin/plugintest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

// soon is how long a test waits for what should happen at once.
const soon = 20 * time.Second

// system is an authority that the system trusts, as far as this process knows.
var system *authority

func TestMain(m *testing.M) {
	connectTimeout = 4 * time.Second
	os.Exit(func() int {
		// Nothing fails here but what would be a panic otherwise.
		system = newAuthority(&testing.T{}, pkix.Name{CommonName: "the system's"})
		file := filepath.Join(os.TempDir(), fmt.Sprintf("authorities-%d.pem", os.Getpid()))
		defer os.Remove(file)
		// Go reads it once, when it first needs it.
		if err := errors.Join(os.WriteFile(file, []byte(system.pem()), 0o600), os.Setenv("SSL_CERT_FILE", file)); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

// discard is a server whose log nobody reads.
type discard struct{ plugintest.API }

func (*discard) LogError(string, ...any) {}

// text is the only message in these tests.
type text = wrapperspb.StringValue

// teleport is a gRPC server as Teleport's is, with methods of its own:
// Echo answers with what it got, Count with as many messages as asked for, Fail with an error after a message if asked
// for one, Huge with a message and one that is too large, Wait with a message and then not at all.
type teleport struct {
	address string
	server  *grpc.Server
	// waiting receives the context of every Wait.
	waiting chan context.Context
	// release lets a Count go on.
	release chan struct{}
	host    *authority
	user    *authority
}

func (tp *teleport) serve(_ any, stream grpc.ServerStream) error {
	asked := &text{}
	if err := stream.RecvMsg(asked); err != nil {
		return err
	}
	received, _ := metadata.FromIncomingContext(stream.Context())
	method, _ := grpc.MethodFromServerStream(stream)
	switch method {
	case "/test.Test/Echo":
		// As Teleport does from 16 on, where it cannot read it.
		if version := received.Get("version"); len(version) > 0 {
			return status.Errorf(codes.PermissionDenied, "client version is unsupported: %q", version)
		}
		if err := stream.SetHeader(metadata.Pairs("x-seen", strings.Join(received.Get("x-custom"), "+"))); err != nil {
			return err
		}
		stream.SetTrailer(metadata.Pairs("x-trailer", "after", "x-bytes-bin", "\x00\x01"))
		if deadline, ok := stream.Context().Deadline(); ok && time.Until(deadline) > 0 {
			stream.SetTrailer(metadata.Pairs("x-deadline", "yes"))
		}
		return stream.SendMsg(asked)
	case "/test.Test/Count":
		for n := range len(asked.GetValue()) {
			if tp.release != nil {
				select {
				case <-tp.release:
				case <-stream.Context().Done():
					return stream.Context().Err()
				}
			}
			if err := stream.SendMsg(wrapperspb.String(fmt.Sprint(n))); err != nil {
				return err
			}
		}
		return nil
	case "/test.Test/Huge":
		if err := stream.SendMsg(asked); err != nil {
			return err
		}
		return stream.SendMsg(wrapperspb.String(strings.Repeat("x", largestMessage+1)))
	case "/test.Test/Fail":
		if asked.GetValue() != "" {
			if err := stream.SendMsg(asked); err != nil {
				return err
			}
		}
		stream.SetTrailer(metadata.Pairs("x-why", "because"))
		return status.Error(codes.PermissionDenied, "access denied to perform action \"update\" – 100 %\nsorry")
	case "/test.Test/Wait":
		if err := stream.SendMsg(asked); err != nil {
			return err
		}
		tp.waiting <- stream.Context()
		<-stream.Context().Done()
		return stream.Context().Err()
	}
	return status.Error(codes.Unimplemented, "unknown method")
}

// startTeleport starts a server; change may make its TLS another one.
func startTeleport(t testing.TB, change func(*tls.Config)) *teleport {
	t.Helper()
	cluster := pkix.Name{CommonName: clusterName, Organization: []string{clusterName}}
	tp := &teleport{
		waiting: make(chan context.Context, 8),
		host:    newAuthority(t, cluster),
		user:    newAuthority(t, cluster),
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{tp.host.server(nil)},
		ClientCAs:    tp.user.pool(),
		ClientAuth:   tls.RequireAndVerifyClientCert,
		NextProtos:   []string{"h2"},
	}
	if change != nil {
		change(config)
	}
	tp.server = grpc.NewServer(grpc.Creds(credentials.NewTLS(config)), grpc.UnknownServiceHandler(tp.serve),
		grpc.MaxRecvMsgSize(largestMessage), grpc.MaxSendMsgSize(2*largestMessage))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tp.address = listener.Addr().String()
	go func() { _ = tp.server.Serve(listener) }()
	t.Cleanup(tp.server.Stop)
	return tp
}

// endpoint is how to reach it.
func (tp *teleport) endpoint() *pb.SetEndpointRequest {
	return &pb.SetEndpointRequest{
		Cluster:       clusterName,
		Kind:          pb.EndpointKind_ENDPOINT_KIND_TELEPORT,
		Address:       tp.address,
		ServerName:    serverName,
		AlpnProtocols: []string{proxyALPN, "h2"},
		Credentials:   tp.user.client(tp.host, nil),
	}
}

// core stands for the core: it calls over gRPC-web.
type core struct {
	t      testing.TB
	bridge *Bridge
	server *httptest.Server
}

func newCore(t testing.TB) *core {
	t.Helper()
	c := &core{t: t, bridge: New(&discard{})}
	c.server = httptest.NewServer(c.bridge.Cluster(clusterName))
	t.Cleanup(func() {
		c.bridge.Close()
		c.server.CloseClientConnections()
		c.server.Close()
	})
	return c
}

func (c *core) set(request *pb.SetEndpointRequest) {
	c.t.Helper()
	if _, err := c.bridge.SetEndpoint(context.Background(), connect.NewRequest(request)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *core) client(method string) *connect.Client[text, text] {
	return connect.NewClient[text, text](c.server.Client(), c.server.URL+"/test.Test/"+method,
		connect.WithGRPCWeb(), connect.WithReadMaxBytes(2*largestMessage))
}

func (c *core) echo(value string) (*connect.Response[text], error) {
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	request := connect.NewRequest(wrapperspb.String(value))
	request.Header().Set("X-Custom", "mine")
	// Never sent by the core, and never passed on.
	request.Header().Set("Version", "not a version")
	return c.client("Echo").CallUnary(ctx, request)
}

// stream opens a stream of answers.
func (c *core) stream(ctx context.Context, method, value string) *connect.ServerStreamForClient[text] {
	c.t.Helper()
	stream, err := c.client(method).CallServerStream(ctx, connect.NewRequest(wrapperspb.String(value)))
	if err != nil {
		c.t.Fatal(err)
	}
	return stream
}

// failure is the kind of failure that an error of a call tells.
func failure(err error) string {
	var failed *connect.Error
	if !errors.As(err, &failed) {
		return fmt.Sprintf("%v", err)
	}
	if failed.Code() != connect.CodeUnavailable {
		return fmt.Sprintf("%v", failed)
	}
	return failed.Meta().Get(failureKey)
}

func TestACallReachesTeleportAndItsAnswerComesBackWhole(t *testing.T) {
	tp := startTeleport(t, nil)
	c := newCore(t)
	c.set(tp.endpoint())
	response, err := c.echo("hello")
	if err != nil {
		t.Fatal(err)
	}
	if response.Msg.GetValue() != "hello" || response.Header().Get("X-Seen") != "mine" {
		t.Errorf("got %v with %v", response.Msg, response.Header())
	}
	if response.Trailer().Get("X-Trailer") != "after" || response.Trailer().Get("X-Deadline") != "yes" {
		t.Errorf("the trailers are %v", response.Trailer())
	}
	if bytes, err := connect.DecodeBinaryHeader(response.Trailer().Get("X-Bytes-Bin")); string(bytes) != "\x00\x01" {
		t.Errorf("the binary trailer is %q, %v", bytes, err)
	}
	large := strings.Repeat("x", 5<<20)
	if response, err = c.echo(large); err != nil || response.Msg.GetValue() != large {
		t.Errorf("a large message: %v", err)
	}
}

func TestErrorsOfTeleportComeBackAsTheyAre(t *testing.T) {
	tp := startTeleport(t, nil)
	c := newCore(t)
	c.set(tp.endpoint())
	for name, value := range map[string]string{"without a message": "", "after a message": "first"} {
		t.Run(name, func(t *testing.T) {
			stream := c.stream(context.Background(), "Fail", value)
			defer func() { _ = stream.Close() }()
			if got := stream.Receive(); got != (value != "") || (got && stream.Msg().GetValue() != value) {
				t.Errorf("got %v %v", got, stream.Msg())
			}
			for stream.Receive() {
				t.Errorf("got %v, too", stream.Msg())
			}
			var failed *connect.Error
			if !errors.As(stream.Err(), &failed) || failed.Code() != connect.CodePermissionDenied {
				t.Fatalf("the error is %v", stream.Err())
			}
			if want := "access denied to perform action \"update\" – 100 %\nsorry"; failed.Message() != want {
				t.Errorf("the message is %q", failed.Message())
			}
			if failed.Meta().Get("X-Why") != "because" || failed.Meta().Get(failureKey) != "" {
				t.Errorf("the metadata are %v", failed.Meta())
			}
		})
	}
	if _, err := c.client("Other").CallUnary(context.Background(), connect.NewRequest(&text{})); connect.CodeOf(err) != connect.CodeUnimplemented {
		t.Errorf("an unknown method: %v", err)
	}
}

func TestEveryMessageOfAStreamArrivesAtOnce(t *testing.T) {
	tp := startTeleport(t, nil)
	tp.release = make(chan struct{})
	c := newCore(t)
	c.set(tp.endpoint())
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	const count = 20
	go func() { tp.release <- struct{}{} }()
	stream := c.stream(ctx, "Count", strings.Repeat(".", count))
	defer func() { _ = stream.Close() }()
	for n := range count {
		if !stream.Receive() || stream.Msg().GetValue() != fmt.Sprint(n) {
			t.Fatalf("message %d is %v, %v", n, stream.Msg(), stream.Err())
		}
		// The next one is only sent now.
		if n < count-1 {
			tp.release <- struct{}{}
		}
	}
	if stream.Receive() || stream.Err() != nil {
		t.Errorf("after the end: %v", stream.Err())
	}
}

func TestTeleportLearnsThatACallWasGivenUp(t *testing.T) {
	tp := startTeleport(t, nil)
	c := newCore(t)
	c.set(tp.endpoint())
	ctx, cancel := context.WithCancel(context.Background())
	stream := c.stream(ctx, "Wait", "now")
	if !stream.Receive() {
		t.Fatal(stream.Err())
	}
	there := <-tp.waiting
	cancel()
	select {
	case <-there.Done():
	case <-time.After(soon):
		t.Fatal("it was not told")
	}
}

func TestAMessageThatIsTooLargeEndsItsCallOnly(t *testing.T) {
	tp := startTeleport(t, nil)
	c := newCore(t)
	c.set(tp.endpoint())
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	stream := c.stream(ctx, "Huge", "first")
	defer func() { _ = stream.Close() }()
	if !stream.Receive() || stream.Msg().GetValue() != "first" {
		t.Errorf("got %v, %v", stream.Msg(), stream.Err())
	}
	if stream.Receive() || connect.CodeOf(stream.Err()) != connect.CodeResourceExhausted {
		t.Errorf("got %d bytes, %v", len(stream.Msg().GetValue()), stream.Err())
	}
	if _, err := c.echo("hello"); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestABrokenConnectionIsSaidToBe(t *testing.T) {
	tp := startTeleport(t, nil)
	c := newCore(t)
	c.set(tp.endpoint())
	stream := c.stream(context.Background(), "Wait", "now")
	defer func() { _ = stream.Close() }()
	if !stream.Receive() {
		t.Fatal(stream.Err())
	}
	tp.server.Stop()
	for stream.Receive() {
	}
	// A server that stops in good order still sends a status of its own.
	if got := failure(stream.Err()); got != "broken" {
		t.Errorf("the failure is %q", got)
	}
	if _, err := c.echo("again"); failure(err) != "refused" {
		t.Errorf("the next failure is %q", failure(err))
	}
}

func TestAForgottenEndpointIsReachedNoMoreAndItsStreamsEnd(t *testing.T) {
	tp := startTeleport(t, nil)
	c := newCore(t)
	c.set(tp.endpoint())
	stream := c.stream(context.Background(), "Wait", "now")
	defer func() { _ = stream.Close() }()
	if !stream.Receive() {
		t.Fatal(stream.Err())
	}
	there := <-tp.waiting
	// What is not there is forgotten already.
	for _, cluster := range []string{"another", clusterName, clusterName} {
		forget := connect.NewRequest(&pb.ForgetEndpointRequest{Cluster: cluster})
		if _, err := c.bridge.ForgetEndpoint(context.Background(), forget); err != nil {
			t.Fatal(err)
		}
	}
	for stream.Receive() {
	}
	if got := failure(stream.Err()); got != "broken" {
		t.Errorf("the failure is %q", got)
	}
	select {
	case <-there.Done():
	case <-time.After(soon):
		t.Error("the connection is still open")
	}
	if _, err := c.echo("hello"); failure(err) != "no_endpoint" {
		t.Errorf("the next call: %v", err)
	}
	c.set(tp.endpoint())
	if _, err := c.echo("hello"); err != nil {
		t.Errorf("with an endpoint again: %v", err)
	}
}

func TestTheWayLeadsThroughTheProxyOfTheEnvironment(t *testing.T) {
	tp := startTeleport(t, nil)
	asked := make(chan *http.Request, 8)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		if r.Header.Get("Proxy-Authorization") == "" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		there, err := net.Dial("tcp", tp.address)
		if err != nil {
			t.Error(err)
			return
		}
		here, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(here, "HTTP/1.1 200 Connected\r\n\r\n")
		go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
		go func() { _, _ = io.Copy(here, there); _ = here.Close() }()
	}))
	defer proxy.Close()
	endpoint := tp.endpoint()
	endpoint.Address = "teleport.example:443"
	c := newCore(t)

	t.Setenv("NO_PROXY", "")
	t.Setenv("HTTPS_PROXY", strings.Replace(proxy.URL, "http://", "http://user:secret@", 1))
	c.set(endpoint)
	if response, err := c.echo("hello"); err != nil || response.Msg.GetValue() != "hello" {
		t.Errorf("through the proxy: %v", err)
	}
	if r := <-asked; r.Method != http.MethodConnect || r.Host != "teleport.example:443" {
		t.Errorf("it was asked for %s %s", r.Method, r.Host)
	}
	t.Setenv("HTTPS_PROXY", proxy.URL)
	c.set(endpoint)
	if _, err := c.echo("hello"); failure(err) != "unreachable" || !strings.Contains(err.Error(), "407") {
		t.Errorf("through a proxy that refuses: %v", err)
	}
	t.Setenv("NO_PROXY", "teleport.example")
	c.set(endpoint)
	if _, err := c.echo("hello"); strings.Contains(err.Error(), "proxy") {
		t.Errorf("past the proxy: %v", err)
	}
}
