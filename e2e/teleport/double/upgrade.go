package double

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gravitational/teleport/api/utils/pingconn"
)

const (
	// upgradeKind is TLS routing with signs of life.
	upgradeKind = "alpn-ping"
	// upgradeHeader repeats the header Upgrade.
	upgradeHeader = "X-Teleport-Upgrade"
	// pingInterval is how often the real server gives a sign of life.
	pingInterval = 30 * time.Second
	// pingPayload is what it says then.
	pingPayload = "teleport"
)

// upgradeConnection makes a web request a connection to the proxy, for clients behind load balancers that end TLS.
func (d *Double) upgradeConnection(admit func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked := append(r.Header.Values(upgradeHeader), r.Header.Values("Upgrade")...)
		switch {
		case d.version.webSocketUpgrade() && slices.Contains(asked, "websocket"):
			upgrader := ws.HTTPUpgrader{Protocol: func(protocol string) bool { return protocol == upgradeKind }}
			conn, _, _, err := upgrader.Upgrade(r, w)
			if err != nil {
				return
			}
			upgraded := &webSocketConn{Conn: conn}
			d.pings(func() error { return upgraded.frame(ws.OpPing, []byte(pingPayload)) }, upgraded)
			admit(upgraded)
		case d.version.legacyUpgrade() && slices.Contains(asked, upgradeKind):
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			head := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + upgradeKind + "\r\n" + upgradeHeader + ": " + upgradeKind + "\r\n\r\n"
			if _, err := io.WriteString(conn, head); err != nil {
				_ = conn.Close()
				return
			}
			upgraded := pingconn.New(conn)
			d.pings(upgraded.WritePing, upgraded)
			admit(upgraded)
		default:
			http.NotFound(w, r)
		}
	}
}

// pings gives signs of life until that fails, as it does when the connection is closed.
func (d *Double) pings(ping func() error, conn net.Conn) {
	every := d.options.PingInterval
	if every == 0 {
		every = pingInterval
	}
	if every < 0 {
		return
	}
	go func() {
		for ping() == nil {
			time.Sleep(every)
		}
		_ = conn.Close()
	}()
}

// webSocketConn carries bytes in binary frames.
type webSocketConn struct {
	net.Conn
	// left is how much of the present frame has not been read yet; it is unmasked as it comes.
	left   int64
	header ws.Header
	done   int

	writing sync.Mutex
}

func (c *webSocketConn) Read(into []byte) (int, error) {
	for c.left == 0 {
		header, err := ws.ReadHeader(c.Conn)
		if err != nil {
			return 0, err
		}
		if err := ws.CheckHeader(header, ws.StateServerSide); err != nil {
			return 0, err
		}
		switch header.OpCode {
		case ws.OpBinary:
			c.header, c.left, c.done = header, header.Length, 0
		case ws.OpClose:
			return 0, io.EOF
		default:
			if _, err := io.CopyN(io.Discard, c.Conn, header.Length); err != nil {
				return 0, err
			}
		}
	}
	n, err := c.Conn.Read(into[:min(int64(len(into)), c.left)])
	ws.Cipher(into[:n], c.header.Mask, c.done)
	c.left, c.done = c.left-int64(n), c.done+n
	return n, err
}

func (c *webSocketConn) Write(from []byte) (int, error) {
	if err := c.frame(ws.OpBinary, from); err != nil {
		return 0, err
	}
	return len(from), nil
}

func (c *webSocketConn) frame(code ws.OpCode, payload []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	content, err := ws.CompileFrame(ws.NewFrame(code, true, payload))
	if err != nil {
		return err
	}
	_, err = c.Conn.Write(content)
	return err
}

// admitUpgraded lets an upgraded connection in as if it had come to the proxy itself.
func (o *door) admitUpgraded(calls, pages *queue) func(net.Conn) {
	return func(conn net.Conn) {
		ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
		defer cancel()
		o.admit(ctx, conn, o.double.proxyTLS, calls, pages)
	}
}
