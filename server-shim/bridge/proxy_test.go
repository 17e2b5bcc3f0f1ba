package bridge

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

// startedProxy is an HTTP proxy that leads everywhere to one address.
type startedProxy struct {
	url   string
	asked atomic.Int32
}

// startProxy starts one, over TLS where there is an authority for its certificate.
func startProxy(t *testing.T, leadsTo string, web *authority) *startedProxy {
	t.Helper()
	p := &startedProxy{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		there, err := net.Dial("tcp", leadsTo)
		if err != nil || r.Method != http.MethodConnect || r.Host != "teleport.example:443" {
			t.Errorf("%s %s: %v", r.Method, r.Host, err)
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
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if web == nil {
		server.Start()
	} else {
		certificate := web.server(func(template *x509.Certificate) {
			template.DNSNames, template.IPAddresses = nil, []net.IP{net.IPv4(127, 0, 0, 1)}
		})
		server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
		server.StartTLS()
	}
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func TestTheUpgradeGoesThroughTheProxyOfTheEnvironment(t *testing.T) {
	tp := startTeleport(t, nil)
	b := startBalancer(t, tp.address, nil)
	t.Setenv("NO_PROXY", "")
	for name, web := range map[string]*authority{"in the clear": nil, "over TLS": system} {
		for _, mode := range []pb.ConnectionUpgrade{auto, always} {
			t.Run(fmt.Sprintf("%s, %v", name, mode), func(t *testing.T) {
				proxy := startProxy(t, b.Listener.Addr().String(), web)
				t.Setenv("HTTPS_PROXY", proxy.url)
				endpoint := b.endpoint(tp, mode)
				endpoint.Address = "teleport.example:443"
				c := newCore(t)
				c.set(endpoint)
				c.goes(pb.Route_ROUTE_WEBSOCKET)
				if proxy.asked.Load() == 0 {
					t.Error("the proxy was not asked")
				}
				if got := c.described().GetProxy(); !strings.HasSuffix(proxy.url, "://"+got) || got == "" {
					t.Errorf("the proxy is told as %q", got)
				}
			})
		}
	}
	t.Setenv("HTTPS_PROXY", "http://proxy.example:3128")
	t.Setenv("NO_PROXY", "teleport.example")
	c := newCore(t)
	endpoint := tp.endpoint()
	endpoint.Address = "teleport.example:443"
	c.set(endpoint)
	if got := c.described().GetProxy(); got != "" {
		t.Errorf("the proxy is told as %q", got)
	}
}

func TestASOCKSProxyOfTheEnvironmentIsUsed(t *testing.T) {
	tp := startTeleport(t, nil)
	asked := make(chan string, 16)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	serve := func(here net.Conn) error {
		defer here.Close()
		// A greeting with one method, and then a name and a port to connect to; see RFC 1928.
		head := make([]byte, 3)
		if _, err := io.ReadFull(here, head); err != nil {
			return err
		}
		_, _ = here.Write([]byte{5, 0})
		head = make([]byte, 5)
		if _, err := io.ReadFull(here, head); err != nil {
			return err
		}
		name := make([]byte, int(head[4])+2)
		if _, err := io.ReadFull(here, name); err != nil {
			return err
		}
		asked <- string(name[:len(name)-2])
		there, err := net.Dial("tcp", tp.address)
		if err != nil {
			return err
		}
		_, _ = here.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		go func() { _, _ = io.Copy(here, there); _ = here.Close() }()
		_, _ = io.Copy(there, here)
		return there.Close()
	}
	go func() {
		for {
			here, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				if err := serve(here); err != nil {
					t.Error(err)
				}
			}()
		}
	}()
	t.Setenv("NO_PROXY", "")
	t.Setenv("HTTPS_PROXY", "socks5://"+listener.Addr().String())
	endpoint := tp.endpoint()
	endpoint.Address, endpoint.ConnectionUpgrade = "teleport.example:443", auto
	c := newCore(t)
	c.set(endpoint)
	c.goes(pb.Route_ROUTE_DIRECT)
	if got := <-asked; got != "teleport.example" {
		t.Errorf("it was asked for %q", got)
	}
}

func TestAProxyThatCannotBeUsedIsNotGoneAround(t *testing.T) {
	tp := startTeleport(t, nil)
	stranger := startProxy(t, tp.address, newAuthority(t, pkix.Name{CommonName: "stranger"}))
	nowhere := func() string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		return listener.Addr().String()
	}()
	endpoint := tp.endpoint()
	t.Setenv("NO_PROXY", "")
	endpoint.Address = "teleport.example:443"
	for proxy, word := range map[string]string{
		stranger.url: "certificate", "socks5://" + nowhere: "socks", "http://" + nowhere: "proxy",
	} {
		t.Setenv("HTTPS_PROXY", proxy)
		for _, mode := range []pb.ConnectionUpgrade{never, auto, always} {
			endpoint.ConnectionUpgrade = mode
			c := newCore(t)
			c.set(endpoint)
			_, err := c.echo("hello")
			// What it is called does not matter much, as long as it says what is in the way.
			if got := failure(err); got == "" || got == "name" || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: the failure is %q: %v", proxy, failure(err), err)
			}
		}
	}
	if stranger.asked.Load() != 0 {
		t.Error("a proxy that is not trusted was asked")
	}
}
