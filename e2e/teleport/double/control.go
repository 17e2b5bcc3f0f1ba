package double

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// signing asks for credentials.
type signing struct {
	User string        `json:"user"`
	TTL  time.Duration `json:"ttl"`
}

// promotion asks for a request to be promoted.
type promotion struct {
	ID         string `json:"id"`
	AccessList string `json:"access_list"`
}

// specField sets a number in a request's spec.
type specField struct {
	ID     string `json:"id"`
	Number int32  `json:"number"`
	Value  uint64 `json:"value"`
}

// restriction adds a node with one login to a request.
type restriction struct {
	ID    string `json:"id"`
	Node  string `json:"node"`
	Login string `json:"login"`
}

// Control is the double's remote control: plain HTTP with JSON, for loopback only. What it can do is what the methods
// of the same names can.
func (d *Double) Control() http.Handler {
	mux := http.NewServeMux()
	on := func(pattern string, handle func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			answer, err := handle(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer)
		})
	}
	act := func(pattern string, do func()) {
		on(pattern, func(*http.Request) (any, error) {
			do()
			return nil, nil
		})
	}
	on("POST /resources", func(r *http.Request) (any, error) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		return nil, d.CreateResources(r.Context(), string(text))
	})
	on("POST /sign", func(r *http.Request) (any, error) {
		var asked signing
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			return nil, err
		}
		return d.Sign(r.Context(), asked.User, asked.TTL)
	})
	on("GET /audit/{id}", func(r *http.Request) (any, error) { return d.Audit(r.Context(), r.PathValue("id")) })
	on("POST /expire/{id}", func(r *http.Request) (any, error) { return nil, d.Expire(r.PathValue("id")) })
	on("POST /promote", func(r *http.Request) (any, error) {
		var asked promotion
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			return nil, err
		}
		return nil, d.Promote(asked.ID, asked.AccessList)
	})
	on("POST /long-term/{id}", func(r *http.Request) (any, error) { return nil, d.MakeLongTerm(r.PathValue("id")) })
	on("POST /spec-field", func(r *http.Request) (any, error) {
		var asked specField
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			return nil, err
		}
		return nil, d.SetSpecField(asked.ID, asked.Number, asked.Value)
	})
	on("POST /restrict", func(r *http.Request) (any, error) {
		var asked restriction
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			return nil, err
		}
		return nil, d.RestrictToLogin(asked.ID, asked.Node, asked.Login)
	})
	on("DELETE /users/{name}", func(r *http.Request) (any, error) { return nil, d.DeleteUser(r.PathValue("name")) })
	on("POST /faults", func(r *http.Request) (any, error) {
		var fault Fault
		if err := json.NewDecoder(r.Body).Decode(&fault); err != nil {
			return nil, err
		}
		d.Faults.Add(fault)
		return nil, nil
	})
	act("DELETE /faults", d.Faults.Clear)
	act("POST /stall", func() { d.Faults.Stall(true) })
	act("POST /freeze", func() { d.Faults.Freeze(true) })
	act("POST /cut", d.Cut)
	act("POST /end-watches", d.EndWatches)
	act("POST /stop", d.Stop)
	on("POST /start", func(r *http.Request) (any, error) { return nil, d.Start(r.Context()) })
	on("GET /watches", func(*http.Request) (any, error) { return d.Watches(), nil })
	on("GET /calls/{method}", func(r *http.Request) (any, error) { return d.Faults.Calls(r.PathValue("method")), nil })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, fmt.Sprintf("there is no %s %s", r.Method, r.URL.Path), http.StatusNotFound)
	})
	return mux
}
