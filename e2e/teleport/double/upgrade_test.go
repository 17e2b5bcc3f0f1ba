package double_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net/http"
	"testing"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

func TestTheConnectionUpgradeHasTheFormsOfItsVersion(t *testing.T) {
	for version, forms := range map[string]map[string]int{
		"12.0.0": {"websocket": 404, "alpn-ping": 404},
		"13.3.8": {"websocket": 404, "alpn-ping": 101},
		"15.0.0": {"websocket": 404, "alpn-ping": 101},
		"15.1.0": {"websocket": 101, "alpn-ping": 101},
		"19.0.0": {"websocket": 101, "alpn-ping": 404},
	} {
		d := start(t, double.Options{Version: version})
		for form, want := range forms {
			t.Run(version+" "+form, func(t *testing.T) {
				conn, err := tls.Dial("tcp", d.ProxyAddress(), &tls.Config{InsecureSkipVerify: true})
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				fmt.Fprintf(conn, "GET /webapi/connectionupgrade HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\n"+
					"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: alpn-ping\r\n\r\n", d.ProxyAddress(), form)
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				if response.StatusCode != want || (want == 101 && response.Header.Get("Upgrade") != form) {
					t.Errorf("the answer is %s, %v", response.Status, response.Header)
				}
			})
		}
	}
}
