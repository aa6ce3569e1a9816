// Probe is the application of the end-to-end tests: a server that can be asked who it is and that ends at once on SIGTERM, and
// a client that sends a steady load and counts what was lost.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	version := flag.String("version", "v1", "what the server answers beside its name")
	load := flag.String("load", "", "send requests to this URL instead of serving")
	interval := flag.Duration("interval", 5*time.Millisecond, "time between two requests of the load")
	flag.Parse()
	if *load != "" {
		send(ctx, *load, *interval)
		return
	}
	serve(ctx, *version)
}

// serve answers until SIGTERM and then ends without waiting for anything, as a careless application does.
func serve(ctx context.Context, version string) {
	host, _ := os.Hostname()
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "%s %s\n", version, host) })
	mux.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { os.Exit(3) })
	server := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	log.Printf("serving %s", version)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}

// send asks again and again, each time over a new connection, and reports at the end, on SIGTERM, as its termination message
// and on its standard output: "sent N lost M".
func send(ctx context.Context, url string, interval time.Duration) {
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	var mu sync.Mutex
	var wait sync.WaitGroup
	sent, lost := 0, 0
	tick := time.NewTicker(interval)
	defer tick.Stop()
	report := time.NewTicker(500 * time.Millisecond)
	defer report.Stop()
	// At most so many requests wait at a time.
	slots := make(chan struct{}, 64)
	for {
		select {
		case <-ctx.Done():
			wait.Wait()
			fmt.Printf("sent %d lost %d\n", sent, lost)
			return
		case <-report.C:
			mu.Lock()
			fmt.Printf("sent %d lost %d\n", sent, lost)
			mu.Unlock()
			continue
		case <-tick.C:
		}
		slots <- struct{}{}
		wait.Add(1)
		go func() {
			defer func() { <-slots; wait.Done() }()
			err := ask(client, url)
			mu.Lock()
			defer mu.Unlock()
			sent++
			if err != nil {
				lost++
				fmt.Printf("%s lost: %v\n", time.Now().Format("15:04:05.000"), err)
			}
		}()
	}
}

func ask(client *http.Client, url string) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}
