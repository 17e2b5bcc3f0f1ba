package double

import (
	"encoding/json"
	"net/http"
)

// webAPI is the little that the proxy's web side has: who it is.
func (d *Double) webAPI() http.Handler {
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
	return mux
}
