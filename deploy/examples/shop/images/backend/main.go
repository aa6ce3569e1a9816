// Backend is the middle tier of the example shop: it greets as its configuration says and counts visits in the store.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// reply is what GET / answers.
type reply struct {
	Greeting string `json:"greeting"`
	Pod      string `json:"pod"`
	Node     string `json:"node"`
	Visits   string `json:"visits"`
	// Sealed tells that the secret was there, without telling it.
	Sealed bool `json:"sealed"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	store := os.Getenv("STORE_URL")
	client := &http.Client{Timeout: 2 * time.Second}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		// Read at each request: the kubelet refreshes the file when the ConfigMap changes.
		greeting, err := os.ReadFile("/etc/shop/greeting")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		out := reply{
			Greeting: strings.TrimSpace(string(greeting)),
			Pod:      os.Getenv("POD_NAME"), Node: os.Getenv("NODE_NAME"),
			Sealed: os.Getenv("SHOP_TOKEN") != "", Visits: "unknown",
		}
		if resp, err := client.Post(store+"/count/visits", "text/plain", nil); err != nil {
			log.Printf("store: %v", err)
		} else {
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 64))
			resp.Body.Close()
			out.Visits = strings.TrimSpace(string(body))
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out)
	})
	server := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	log.Print("backend listens on :8080")
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}
