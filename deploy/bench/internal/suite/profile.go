package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// profiler writes a profile of the server's processor time for each workload, and one of its memory after it.
type profiler struct {
	// address serves /debug/pprof; directory takes the files.
	address, directory string
	length             time.Duration
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// file is where a workload's profile goes: "get-pod-rest-json.cpu.pprof".
func (p *profiler) file(workload, kind string) string {
	return filepath.Join(p.directory, strings.Trim(notInNames.ReplaceAllString(strings.ToLower(workload), "-"), "-")+"."+kind+".pprof")
}

// start profiles the server from now on. What it returns waits for the end and returns what went wrong.
func (p *profiler) start(ctx context.Context, workload string) (wait func() error) {
	done := make(chan error, 1)
	go func() {
		done <- p.fetch(ctx, fmt.Sprintf("profile?seconds=%d", max(1, int(p.length.Seconds()))), p.file(workload, "cpu"))
	}()
	return func() error {
		return errors.Join(<-done, p.fetch(ctx, "heap", p.file(workload, "heap")))
	}
}

func (p *profiler) fetch(ctx context.Context, what, file string) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+"/debug/pprof/"+what, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", req.URL, resp.Status)
	}
	if err := os.MkdirAll(p.directory, 0o755); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(f, resp.Body)
	return err
}
