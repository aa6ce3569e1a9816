package door

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/pods"
)

// restWatch is a watch over a connection of its own.
type restWatch struct {
	door   *REST
	client *http.Client
	url    string
}

// Watcher implements Door.
func (d *REST) Watcher(namespace string, after int64) (Watcher, error) {
	return &restWatch{door: d, client: d.client(),
		url: d.url(namespace, "", "") + "?watch=true&resourceVersion=" + strconv.FormatInt(after, 10)}, nil
}

// Run implements Watcher.
func (w *restWatch) Run(ctx context.Context, opened func(), event func(time.Time)) error {
	defer w.client.CloseIdleConnections()
	resp, err := w.door.open(ctx, w.client, http.MethodGet, w.url, w.door.enc.watchType, "", nil)
	if err != nil {
		return unlessEnded(ctx, err)
	}
	defer resp.Body.Close()
	opened()
	r := bufio.NewReaderSize(resp.Body, 64<<10)
	var buf []byte
	for {
		frame, err := w.door.enc.frame(r, &buf)
		if err == io.EOF {
			return unlessEnded(ctx, fmt.Errorf("the server ended the watch: %w", err))
		}
		if err != nil {
			return unlessEnded(ctx, err)
		}
		mark, ok := pods.Sent(frame)
		if !ok {
			return fmt.Errorf("an event without a mark: %.200q", frame)
		}
		event(mark)
	}
}

// unlessEnded is nil where the context's end explains the error.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
