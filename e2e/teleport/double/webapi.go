package double

import (
	"encoding/json"
	"net"
	"net/http"
)

// webAPI is the little that the proxy's web side has: who it is, and the connection upgrade.
func (d *Double) webAPI(admit func(net.Conn)) http.Handler {
	ping := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		proxy := map[string]any{"ssh": map[string]any{"listen_addr": d.ProxyAddress(), "public_addr": d.ProxyAddress()}}
		if d.version.tlsRouting() {
			proxy["tls_routing_enabled"] = true
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"cluster_name": d.Name(), "server_version": d.Version(), "proxy": proxy})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /webapi/ping", ping)
	mux.HandleFunc("GET /webapi/find", ping)
	mux.HandleFunc("GET /webapi/connectionupgrade", d.upgradeConnection(admit))
	return mux
}
