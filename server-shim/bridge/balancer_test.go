package bridge

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

const (
	auto   = pb.ConnectionUpgrade_CONNECTION_UPGRADE_AUTO
	always = pb.ConnectionUpgrade_CONNECTION_UPGRADE_ALWAYS
	never  = pb.ConnectionUpgrade_CONNECTION_UPGRADE_NEVER
)

// balancer ends TLS with a certificate of its own, and has a Teleport proxy's connection upgrade behind it.
type balancer struct {
	*httptest.Server
	t         testing.TB
	authority *authority
	// teleport is where upgraded connections go.
	teleport string
	// webSocket and legacy say which forms there are.
	webSocket, legacy atomic.Bool
	// welcome is sent together with the answer's head.
	welcome []byte
	// asked counts the requests for an upgrade by form.
	mu    sync.Mutex
	asked map[string]int
	// upgraded are the connections that were upgraded.
	upgraded chan *upgradedConn
}

// upgradedConn is the proxy's side of an upgraded connection.
type upgradedConn struct {
	net.Conn
	writing sync.Mutex
	pongs   chan string
}

func startBalancer(t testing.TB, teleport string, change func(*tls.Config)) *balancer {
	t.Helper()
	return startBalancerOf(t, newAuthority(t, pkix.Name{CommonName: "web"}), teleport, change)
}

// startBalancerOf is startBalancer with a certificate of this authority.
func startBalancerOf(t testing.TB, web *authority, teleport string, change func(*tls.Config)) *balancer {
	t.Helper()
	b := &balancer{
		t: t, authority: web, teleport: teleport, asked: map[string]int{},
		upgraded: make(chan *upgradedConn, 64),
	}
	b.webSocket.Store(true)
	b.legacy.Store(true)
	certificate := b.authority.server(func(template *x509.Certificate) {
		template.Subject, template.DNSNames = pkix.Name{CommonName: "web"}, []string{"teleport.example"}
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	})
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}}
	if change != nil {
		change(config)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /webapi/connectionupgrade", b.upgrade)
	b.Server = httptest.NewUnstartedServer(mux)
	b.Config.ErrorLog = log.New(io.Discard, "", 0)
	// Which protocols are offered is said above.
	b.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	b.Listener = tls.NewListener(b.Listener, config)
	b.Start()
	t.Cleanup(b.Close)
	return b
}

// endpoint leads through the balancer.
func (b *balancer) endpoint(tp *teleport, mode pb.ConnectionUpgrade) *pb.SetEndpointRequest {
	endpoint := tp.endpoint()
	endpoint.Address = b.Listener.Addr().String()
	endpoint.ConnectionUpgrade = mode
	endpoint.LoadBalancerAuthorities = b.authority.pem()
	return endpoint
}

func (b *balancer) count(form string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked[form]
}

// upgrade does what Teleport's proxies do.
func (b *balancer) upgrade(w http.ResponseWriter, r *http.Request) {
	asked := r.Header.Get("Upgrade")
	b.mu.Lock()
	b.asked[asked]++
	b.mu.Unlock()
	isWebSocket := asked == "websocket" && b.webSocket.Load()
	isLegacy := asked == "alpn-ping" && r.Header.Get("X-Teleport-Upgrade") == "alpn-ping" && b.legacy.Load()
	if !isWebSocket && !isLegacy {
		http.NotFound(w, r)
		return
	}
	if r.Host != b.Listener.Addr().String() && r.Host != "teleport.example:443" {
		b.t.Errorf("the host is %q", r.Host)
	}
	here, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		b.t.Error(err)
		return
	}
	there, err := net.Dial("tcp", b.teleport)
	if err != nil {
		b.t.Error(err)
		return
	}
	head := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
	if isWebSocket {
		if got := r.Header.Get("Sec-Websocket-Protocol"); got != "alpn-ping" {
			b.t.Errorf("the protocol is %q", got)
		}
		head += "Upgrade: websocket\r\nSec-WebSocket-Protocol: alpn-ping\r\nSec-WebSocket-Accept: " +
			accept(r.Header.Get("Sec-Websocket-Key")) + "\r\n\r\n"
	} else {
		head += "Upgrade: alpn-ping\r\nX-Teleport-Upgrade: alpn-ping\r\n\r\n"
	}
	_, _ = here.Write(append([]byte(head), b.welcome...))
	conn := &upgradedConn{Conn: here, pongs: make(chan string, 8)}
	b.upgraded <- conn
	write, read := conn.writeFrame, conn.readFrames
	if isLegacy {
		write, read = conn.writePacket, conn.readPackets
	}
	go func() {
		defer here.Close()
		piece := make([]byte, 1000)
		for {
			n, err := there.Read(piece)
			if err != nil || write(piece[:n]) != nil {
				return
			}
		}
	}()
	err = read(buffered.Reader, there)
	_ = there.Close()
	if err != nil {
		b.t.Error(err)
	}
}

func (c *upgradedConn) write(content []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_, err := c.Conn.Write(content)
	return err
}

func (c *upgradedConn) writeFrame(payload []byte) error {
	// As something in between may do: a message in two frames, of which one is empty, with signs of life among them.
	var frames bytes.Buffer
	_ = ws.WriteFrame(&frames, ws.NewFrame(ws.OpBinary, false, payload[:len(payload)/2]))
	_ = ws.WriteFrame(&frames, ws.NewPongFrame([]byte("unasked")))
	_ = ws.WriteFrame(&frames, ws.NewFrame(ws.OpContinuation, false, nil))
	_ = ws.WriteFrame(&frames, ws.NewFrame(ws.OpContinuation, true, payload[len(payload)/2:]))
	_ = ws.WriteFrame(&frames, ws.NewFrame(ws.OpBinary, true, nil))
	return c.write(frames.Bytes())
}

// readFrames takes what Teleport's proxies of all versions take: those before some fix do not unmask.
func (c *upgradedConn) readFrames(from *bufio.Reader, to io.Writer) error {
	for {
		header, err := ws.ReadHeader(from)
		if err != nil {
			return nil
		}
		if !header.Masked || header.Mask != [4]byte{} || !header.Fin || header.Rsv != 0 {
			return fmt.Errorf("got a frame with the head %+v", header)
		}
		payload := make([]byte, header.Length)
		if _, err := io.ReadFull(from, payload); err != nil {
			return nil
		}
		switch header.OpCode {
		case ws.OpBinary:
			_, _ = to.Write(payload)
		case ws.OpPong:
			c.pongs <- string(payload)
		default:
			return fmt.Errorf("got a frame with the head %+v", header)
		}
	}
}

func (c *upgradedConn) writePacket(payload []byte) error {
	// A sign of life before each.
	packet := binary.BigEndian.AppendUint32(make([]byte, 4), uint32(len(payload)))
	return c.write(append(packet, payload...))
}

func (c *upgradedConn) readPackets(from *bufio.Reader, to io.Writer) error {
	for {
		var length uint32
		if binary.Read(from, binary.BigEndian, &length) != nil {
			return nil
		}
		if length == 0 {
			return errors.New("got an empty packet")
		}
		if _, err := io.CopyN(to, from, int64(length)); err != nil {
			return nil
		}
	}
}

func accept(key string) string {
	var answer bytes.Buffer
	upgrader := ws.Upgrader{}
	_, _ = upgrader.Upgrade(struct {
		io.Reader
		io.Writer
	}{strings.NewReader("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + "\r\n\r\n"), &answer})
	response, err := http.ReadResponse(bufio.NewReader(&answer), nil)
	if err != nil {
		return ""
	}
	return response.Header.Get("Sec-WebSocket-Accept")
}
